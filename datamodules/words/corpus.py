"""Corpora of sentences from which vectors of words are learned.

Batch: as of the base that says what is learned from
"""

from collections import Counter
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from datamodules.corpus import Corpus
from datamodules.files.errors import CorpusError
from datamodules.text.vocabulary import Vocab
from datamodules.words.queries import WordQueries, word_queries


class Words(NamedTuple):
    """The words of sentences in order.

    Attributes:
        indices: Indices into the vocabulary, int64 (words).
        sentences: The number of the sentence that each is in, int64 (words).
    """

    indices: Tensor
    sentences: Tensor


class WordCorpus(Corpus):
    """Sentences without their rare words; a corpus says how they are read (`sentences`).

    Args:
        min_freq: Least occurrences of a word in the training text; rarer ones are left out of it.
        root: Folder of the corpora; by default $ZOO_DATA, else `data`. Where it has the folder
            `word-similarity`, validation asks what is in there.
        batch_size: Rows per batch, in each process.
        corpus: Arguments of every corpus.

    Raises:
        CorpusError: An argument is out of range.
    """

    predicts = "--nearest WORD"

    def __init__(
        self,
        min_freq: int = 5,
        root: str | Path | None = None,
        batch_size: int = 512,
        **corpus: Any,
    ) -> None:
        super().__init__(root=root, batch_size=batch_size, **corpus)
        if min_freq < 1:
            raise CorpusError(f"min_freq must be at least 1, not {min_freq}")
        self.min_freq = min_freq

    def sentences(self, split: str) -> Iterable[list[str]]:
        """The words of each sentence of train, val or test."""
        raise TypeError(f"{type(self).__name__} does not say how its sentences are read")

    @cached_property
    def _counts(self) -> Counter[str]:
        self.prepare_data()  # facts are asked for before the Trainer does this
        return Counter(word for sentence in self.sentences("train") for word in sentence)

    @property
    def vocab(self) -> Vocab:
        """The words of the training text that are frequent enough, the most frequent first."""
        return self._vocab

    @cached_property
    def _vocab(self) -> Vocab:
        vocab = Vocab.of(self._counts.elements(), specials=(), min_freq=self.min_freq)
        if len(vocab) < 2:
            raise CorpusError(
                f"{self.title}: no two words are there {self.min_freq} times: lower --data.min_freq"
            )
        return vocab

    @cached_property
    def vocab_size(self) -> int:
        return len(self.vocab)

    @property
    def word_counts(self) -> Tensor:
        """How often each word of the vocabulary is in the training text, int64 (vocab_size)."""
        return torch.tensor([self._counts[word] for word in self.vocab.entries])

    @property
    def word_queries(self) -> WordQueries | None:
        """What trained vectors are asked, where the files are there."""
        return word_queries(self.folder)

    def words(self, split: str) -> Words:
        """The words of a split, without those that are not in the vocabulary."""
        index = self.vocab.index
        indices: list[int] = []
        lengths: list[int] = []
        for sentence in self.sentences(split):
            known = [index[word] for word in sentence if word in index]
            indices += known
            lengths.append(len(known))
        numbers = torch.arange(len(lengths)).repeat_interleave(torch.tensor(lengths))
        return Words(torch.tensor(indices, dtype=torch.long), numbers)

    @property
    def size_read(self) -> str:
        """How much was read: "887,100 words to train on, 9,858 different"."""
        total = int(self.word_counts.sum())
        return f"{total:,} words to train on, {self.vocab_size:,} different"

    def state_dict(self) -> dict[str, Any]:
        """Adds the words, and how often each was there."""
        return {
            **super().state_dict(),
            "vocabulary": list(self.vocab.entries),
            "word_counts": self.word_counts.tolist(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Refuses a checkpoint that was trained on another vocabulary."""
        self.vocab.refuse_other(state, self.title)
