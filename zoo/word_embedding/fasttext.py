"""FastText: a word is the mean of its runs of characters; so words never seen have vectors too.

Paper:  Bojanowski, Grave, Joulin and Mikolov 2017, https://arxiv.org/abs/1607.04606, Section 3.2
Shapes: (batch) of 9,858 tokens, (batch, 10) -> (batch, 100)
Size:   6,971,600 parameters
Config: fasttext-penn_treebank_windows
Result: fasttext-penn_treebank_windows: held-out loss 0.4085, WordSim-353 0.2300, analogies 0.4450
        after 10 epochs (real corpus, seed 0, 2026-11-30: `zoo fit fasttext-penn_treebank_windows`)
"""

from typing import Any

import torch
from torch import Tensor

from zoo.errors import InputError
from zoo.shapes import WordVectors
from zoo.training.corpus import WithVocabulary, corpus_of
from zoo.word_embedding.bags import Bags, bags_of, contexts_of
from zoo.word_embedding.predictive import Batch, PredictiveEmbedding
from zoo.word_embedding.task import PENN_TREEBANK

BASIS, PRIME = 2_166_136_261, 16_777_619  # of the 32-bit FNV-1a hash


class FastText(PredictiveEmbedding):
    """Skip-gram of which the vector of a word is the mean of its own and of its n-grams'.

    N-grams are of `<word>` with its marks, and share `num_buckets` vectors by their hash. The words
    come from the corpus (`vocab`); the checkpoint keeps their n-grams.

    Args:
        vocab_size: Number of words.
        num_buckets: Vectors of n-grams.
        shortest: Characters of an n-gram, at least.
        longest: Characters of an n-gram, at most.
        predictive: Arguments of every predictive embedding.

    Raises:
        InputError: The arguments contradict one another.
    """

    example_sizes = PENN_TREEBANK

    def __init__(
        self,
        vocab_size: int,
        num_buckets: int = 50_000,
        shortest: int = 3,
        longest: int = 6,
        **predictive: Any,
    ) -> None:
        super().__init__(vocab_size, **predictive)
        self.save_hyperparameters()
        if not 1 <= shortest <= longest or num_buckets < 1:
            raise InputError(
                f"shortest is {shortest}, longest {longest} and num_buckets {num_buckets}; wanted "
                "is 1 <= shortest <= longest, and at least 1"
            )
        self.vocab_size, self.num_buckets = vocab_size, num_buckets
        self.shortest, self.longest = shortest, longest
        self.input = self.input_table(vocab_size + num_buckets)
        self.spell([""] * vocab_size)

    def spell(self, words: list[str]) -> None:
        """Takes in how the words of the vocabulary are spelt, in order."""
        rows = [[index, *self.ngrams(word)] for index, word in enumerate(words)]
        flat = torch.tensor([index for row in rows for index in row])
        self._keep(torch.tensor([len(row) for row in rows]), flat)

    def _keep(self, lengths: Tensor, rows: Tensor) -> None:
        self._lengths, self._rows = lengths, rows
        self._starts = lengths.cumsum(0) - lengths

    def ngrams(self, word: str) -> list[int]:
        """The rows of a word's n-grams; of none is it the whole."""
        marked = f"<{word}>"
        runs = (
            marked[start : start + size]
            for size in range(self.shortest, min(self.longest, len(marked) - 1) + 1)
            for start in range(len(marked) - size + 1)
        )
        return [self.vocab_size + fnv1a(run) % self.num_buckets for run in runs if word]

    def setup(self, stage: str) -> None:
        super().setup(stage)
        corpus = corpus_of(self.trainer, WithVocabulary)
        if stage == "fit" and corpus:
            self.spell(list(corpus.vocab.entries))

    def inputs_of(self, words: Tensor) -> Bags:
        """Of what the vectors of words are the means."""
        device = words.device
        bags = bags_of(words, self._lengths.to(device)[words])
        within = torch.arange(len(bags.example), device=device) - bags.starts[bags.example]
        rows = self._rows.to(device)[self._starts.to(device)[words][bags.example] + within]
        return bags._replace(rows=rows)

    def inputs(self, batch: Batch) -> Bags:
        return self.inputs_of(batch[0])

    def targets(self, batch: Batch) -> Bags:
        return contexts_of(batch[1])

    def table(self) -> WordVectors:
        words = torch.arange(self.vocab_size, device=self.input.weight.device)
        return self.inputs_of(words).means(self.input.weight)

    def compose(self, word: str) -> Tensor | None:
        rows = self.ngrams(word)
        return self.input.weight[rows].mean(0) if rows else None

    def get_extra_state(self) -> dict[str, Tensor]:
        """How the words are spelt, for checkpoints."""
        return {"lengths": self._lengths, "rows": self._rows}

    def set_extra_state(self, state: dict[str, Tensor]) -> None:
        self._keep(state["lengths"], state["rows"])


def fnv1a(text: str) -> int:
    """The 32-bit FNV-1a hash of a text in UTF-8."""
    found = BASIS
    for byte in text.encode():
        found = (found ^ byte) * PRIME % 2**32
    return found
