"""How often words are near one another: sparse counts of pairs, added up chunk by chunk.

Paper:  Pennington, Socher and Manning 2014, https://aclanthology.org/D14-1162, Section 4.2
Batch: (words, contexts, counts)
"""

from typing import Any

import torch
from torch import Tensor

from datamodules.batches.held_out import HeldOut
from datamodules.batches.in_memory import InMemory
from datamodules.files.errors import CorpusError
from datamodules.words.corpus import WordCorpus, Words

CHUNK = 1 << 20  # words of the text that are counted at a time


class Pairs:
    """Counts of pairs, of which only those that are there take room.

    Args:
        vocab_size: Number of words.
    """

    def __init__(self, vocab_size: int) -> None:
        self.vocab_size = vocab_size
        self.codes = torch.zeros(0, dtype=torch.long)  # word * vocab_size + context, ascending
        self.counts = torch.zeros(0, dtype=torch.float64)

    def add(self, words: Tensor, contexts: Tensor, count: float) -> None:
        """Adds `count` for each pair.

        Args:
            words: int64 (pairs).
            contexts: int64 (pairs).
            count: Count of each pair.
        """
        new, times = (words * self.vocab_size + contexts).unique(return_counts=True)
        codes, place = torch.cat([self.codes, new]).unique(return_inverse=True)
        added = torch.cat([self.counts, times * count])
        self.counts = torch.zeros(len(codes), dtype=torch.float64).index_add_(0, place, added)
        self.codes = codes


def count_pairs(words: Words, vocab_size: int, window: int, chunk: int = CHUNK) -> Pairs:
    """How often each word is near each other, in the same sentence: 1 / distance each time.

    Args:
        words: Words of the text.
        vocab_size: Number of words.
        window: Largest distance.
        chunk: Words that are counted at a time: the memory it takes is of these and of the pairs.
    """
    pairs = Pairs(vocab_size)
    for start in range(0, len(words.indices), chunk):
        indices, sentences = (part[start : start + chunk + window] for part in words)
        for distance in range(1, window + 1):
            count = min(chunk, len(indices) - distance)
            if count > 0:
                near = sentences[:count] == sentences[distance:][:count]
                left, right = indices[:count][near], indices[distance:][:count][near]
                ends = torch.cat([left, right]), torch.cat([right, left])
                pairs.add(*ends, 1 / distance)
    return pairs


class Cooccurrences(HeldOut, WordCorpus):
    """Batches of pairs of words that are near one another, and how often they are.

    int64 (batch) twice, and float32 (batch). A part of the pairs is held out, by `split_seed`.

    Args:
        window: Largest distance of a pair.
        validation_fraction: Part of the pairs held out.
        words: Arguments of `HeldOut` and of every corpus of words.

    Raises:
        CorpusError: An argument is out of range, or no two words are near.
    """

    def __init__(self, window: int = 10, validation_fraction: float = 0.05, **words: Any) -> None:
        super().__init__(validation_fraction=validation_fraction, **words)
        if window < 1:
            raise CorpusError(f"window must be at least 1, not {window}")
        self.window = window
        self._pairs: Pairs | None = None

    def read(self, split: str) -> InMemory:
        if self._pairs is None:
            self._pairs = count_pairs(self.words("train"), self.vocab_size, self.window)
            if not len(self._pairs.codes):
                raise CorpusError(f"{self.title}: no sentence has two words: there are no pairs")
        trained, held_out = self.divide(len(self._pairs.codes))
        rows = trained if split == "train" else held_out
        codes = self._pairs.codes[rows]
        words, contexts = codes // self.vocab_size, codes % self.vocab_size
        return InMemory(words, contexts, self._pairs.counts[rows].float())
