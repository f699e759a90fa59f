"""WordEmbedding: vectors of words, and what they know.

Batch: as of each architecture, for words around words and counts of pairs ask for different ones
"""

from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Callback
from torch import Tensor

from zoo.errors import InputError
from zoo.shapes import WordVectors
from zoo.task import Task
from zoo.training.corpus import corpus_of
from zoo.word_embedding.corpus import CountedWords, WithQueries
from zoo.word_embedding.pictures import WordMap
from zoo.word_embedding.queries import evaluate

PENN_TREEBANK = {"vocab_size": 9858, "window": 10}


class WordEmbedding(Task):
    """Base of the word vectors: `table` gives them, the loss says how they are learned.

    Validation asks, where the corpus has `word_queries`, how well cosines rank pairs as people do
    (Spearman's rho of each set) and how many analogies are solved, and of how many each was.

    How often each word is in the training text is a buffer, which the corpus fills
    (`word_counts`): negatives and trees are drawn from it.

    Args:
        vocab_size: Number of words.
        task: Arguments of every task.
    """

    reads_values = True
    word_counts: Tensor

    def __init__(self, vocab_size: int, **task: Any) -> None:
        super().__init__(**task)
        self.register_buffer("word_counts", torch.zeros(vocab_size, dtype=torch.int64))

    def table(self) -> WordVectors:
        """The vectors of all words of the vocabulary."""
        raise TypeError(f"{type(self).__name__} does not say what its vectors are")

    def compose(self, word: str) -> Tensor | None:
        """The vector of a word that is not in the vocabulary, (embed), if there is one."""
        return None

    def setup(self, stage: str) -> None:
        """Takes the counts from the corpus, where it has them.

        Raises:
            InputError: They are of another number of words.
        """
        corpus = corpus_of(self.trainer, CountedWords)
        if stage != "fit" or corpus is None:
            return
        counts = corpus.word_counts
        if len(counts) != len(self.word_counts):
            raise InputError(
                f"vocab_size is {len(self.word_counts):,} and the corpus has {len(counts):,} words"
            )
        self.word_counts.copy_(counts)

    def pictures(self, folder: Path) -> list[Callback]:
        return [WordMap(folder)]

    def log_means(self, stage: str) -> None:
        super().log_means(stage)
        corpus = corpus_of(self.trainer, WithQueries)
        if corpus and (queries := corpus.word_queries) is not None:
            found = evaluate(self.table(), corpus.vocab.index, queries)
            self.log_dict({f"{stage}/{name}": value for name, value in found.items()})
