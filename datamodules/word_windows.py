"""Words and those around them, drawn anew for each epoch by operations on the whole text at once.

Source: Mikolov, Sutskever, Chen, Corrado and Dean 2013, https://arxiv.org/abs/1310.4546, Section
        2.3 (subsampling), and their program, https://code.google.com/archive/p/word2vec
Batch: (centers, contexts)
"""

from collections.abc import Iterator
from typing import Any, Literal

import torch
from torch import Generator, Tensor

from datamodules.corpus import Loader
from datamodules.errors import CorpusError
from datamodules.in_memory import InMemory, Rows, WholeBatches
from datamodules.samplers import EvaluationBatches, TrainBatches
from datamodules.word_corpus import WordCorpus, Words

IGNORED = -100  # where there is no context: torch's own mark
Keep = Literal["paper", "program"]


def keep_probabilities(counts: Tensor, subsampling: float, formula: Keep = "paper") -> Tensor:
    """The probability that a word stays where it is read, float64 (words).

    With f the word's share of the text and t = `subsampling`: sqrt(t / f) in the paper, (1 +
    sqrt(f / t)) t / f in its authors' program; 1 where that is more, or where t is 0.
    """
    if not subsampling:
        return torch.ones(len(counts), dtype=torch.float64)
    ratio = subsampling / (counts.double() / counts.sum())
    kept = ratio.sqrt() if formula == "paper" else ratio + ratio.sqrt()
    return kept.clamp(max=1)


def draw_windows(
    words: Words, keep: Tensor, window: int, generator: Generator
) -> tuple[Tensor, Tensor]:
    """Centers and their contexts: each word at most a radius away, of the same sentence.

    Words are dropped first, so that a window reaches over what is dropped; the radius is from 1 to
    `window`, equally likely.

    Args:
        words: Of the text.
        keep: The probability with which each word of the vocabulary stays.
        window: Largest radius.
        generator: Of what is drawn.

    Returns:
        The centers that have a context, int64 (centers), and their contexts, int64 (centers,
        2 window) with -100 where there is none.
    """
    kept = torch.rand(len(words.indices), generator=generator) < keep.float()[words.indices]
    indices, sentences = words.indices[kept], words.sentences[kept]
    count = len(indices)
    radius = torch.randint(1, window + 1, (count,), generator=generator)
    contexts = torch.full((count, 2 * window), IGNORED)
    offsets = [*range(-window, 0), *range(1, window + 1)]
    for column, offset in enumerate(offsets):
        here = slice(max(0, -offset), max(0, count - max(0, offset)))
        there = slice(max(0, offset), max(0, count - max(0, -offset)))
        near = (sentences[here] == sentences[there]) & (radius[here] >= abs(offset))
        contexts[here, column] = indices[there].where(near, IGNORED)
    whole = (contexts != IGNORED).any(1)
    return indices[whole], contexts[whole]


class WindowRows(WholeBatches):
    """The windows of an epoch, a function of seed and epoch, made when the first is asked for.

    Args:
        words: Of the text.
        keep: The probability with which each word of the vocabulary stays.
        window: Largest radius.
        seed: Of the windows.
        redraw: Whether each epoch has its own.
    """

    def __init__(
        self, words: Words, keep: Tensor, window: int, seed: int, redraw: bool = True
    ) -> None:
        self.words, self.keep, self.window = words, keep, window
        self.seed, self.redraw = seed, redraw
        self._epoch, self._rows = -1, InMemory(torch.zeros(0), torch.zeros(0))

    def __len__(self) -> int:
        """How many centers are to be expected."""
        return int(self.keep[self.words.indices].sum())

    def windows(self, epoch: int) -> InMemory:
        """Those of an epoch; of the last epoch that was asked for they are kept."""
        epoch = epoch if self.redraw else 0
        if epoch != self._epoch:
            key = (self.seed * 1_000_003 + epoch) * 2 + 1  # not that of the permutation
            generator = Generator().manual_seed(key % 2**63)
            drawn = draw_windows(self.words, self.keep, self.window, generator)
            self._epoch, self._rows = epoch, InMemory(*drawn)
        return self._rows

    def __getitem__(self, rows: Rows) -> tuple[Tensor, ...]:
        return self.windows(rows.epoch)[rows]


class WindowBatches(TrainBatches):
    """As `TrainBatches`, for rows whose number is another in each epoch: their batches are not.

    An epoch's rows are shared evenly among as many batches as are to be expected.
    """

    dataset: WindowRows

    def __len__(self) -> int:
        return max(1, self.num_rows // (self.batch_size * self.num_replicas))

    def __iter__(self) -> Iterator[Rows]:
        num_batches = len(self)
        epoch, done = self.position(num_batches)
        generator = Generator().manual_seed((self.seed * 1_000_003 + epoch) % 2**63)
        order = torch.randperm(len(self.dataset.windows(epoch)), generator=generator)
        shares = len(order) // self.num_replicas
        for batch in range(done, num_batches):
            start, stop = (shares * place // num_batches for place in (batch, batch + 1))
            first = start * self.num_replicas + self.rank * (stop - start)
            yield Rows(epoch, order[first:][: stop - start])


class WordWindows(WordCorpus):
    """Batches of words, int64 (batch), and what is around each, int64 (batch, 2 window).

    Where there is less, the contexts are -100. Frequent words are dropped at random and radii are
    drawn anew in each training epoch; in evaluation always in the same way.

    Args:
        window: Largest distance of a context.
        subsampling: The share of the text from which on words are dropped at random; 0 drops none.
        keep: By whose formula: that of the paper, or of its authors' program (and gensim).
        redraw: Whether each epoch has windows of its own; the course draws them once.
        words: Arguments of every corpus of words.

    Raises:
        CorpusError: An argument is out of range.
    """

    def __init__(
        self,
        window: int = 5,
        subsampling: float = 1e-4,
        keep: Keep = "paper",
        redraw: bool = True,
        **words: Any,
    ) -> None:
        super().__init__(**words)
        if window < 1 or not 0 <= subsampling < 1:
            raise CorpusError(
                f"window is {window} and subsampling {subsampling}; they must be at least 1, and "
                "in [0, 1)"
            )
        if keep not in ("paper", "program"):
            raise CorpusError(f"keep must be paper or program, not {keep!r}")
        self.window, self.subsampling, self.keep = window, subsampling, keep
        self.redraw = redraw

    def read(self, split: str) -> WholeBatches:
        words = self.words(split)
        keep = keep_probabilities(self.word_counts, self.subsampling, self.keep)
        if split == "train":
            return WindowRows(words, keep, self.window, self.seed, self.redraw)
        return InMemory(*draw_windows(words, keep, self.window, Generator().manual_seed(0)))

    def train_dataloader(self) -> Loader:
        rows = self.data["train"]
        assert isinstance(rows, WindowRows)
        if getattr(self.trainer, "overfit_batches", 0):
            first = rows.windows(0)
            return self._loader(first, EvaluationBatches(first, self.batch_size, **self._ranks))
        sampler = WindowBatches(
            rows, self.batch_size, seed=self.seed, position=self._position, **self._ranks
        )
        if not len(rows.windows(0)):
            raise CorpusError(f"{self.title}: no sentence has two words: there are no windows")
        return self._loader(rows, sampler)
