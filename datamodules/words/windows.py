"""Words and those around them, drawn anew for each epoch by operations on the whole text at once.

Paper:  Mikolov, Sutskever, Chen, Corrado and Dean 2013, https://arxiv.org/abs/1310.4546, Section
        2.3 (subsampling), and their program, https://code.google.com/archive/p/word2vec
Batch: (centers, contexts); in training (centers, contexts, negatives) where those are asked for
"""

from collections.abc import Iterator
from typing import Any, Literal, NamedTuple

import torch
from torch import Generator, Tensor

from datamodules.batches.in_memory import IGNORED, InMemory, Rows, WholeBatches
from datamodules.batches.samplers import TrainBatches, epoch_seed, seeded_generator
from datamodules.corpus import Loader
from datamodules.files.errors import CorpusError
from datamodules.words.corpus import WordCorpus, Words

POWER = 0.75  # of a word's count, by which negatives are drawn
AT_ONCE = 16_384  # centers whose negatives are drawn together
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
        words: Words of the text.
        keep: The probability with which each word of the vocabulary stays.
        window: Largest radius.
        generator: Generator of the draws.

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


def draw_negatives(contexts: Tensor, chances: Tensor, number: int, generator: Generator) -> Tensor:
    """Words for each context, none of which is a context of the same center.

    Args:
        contexts: int64 (centers, 2 window), -100 where there is none.
        chances: Weight of each word; there must be more words than a center has contexts.
        number: For each context.
        generator: Generator of the draws.

    Returns:
        int64 (centers, 2 window, number), -100 where there is no context.
    """
    negatives = torch.full((*contexts.shape, number), IGNORED)
    for some, found in zip(contexts.split(AT_ONCE), negatives.split(AT_ONCE), strict=True):
        flat = found.view(-1)
        left = (some != IGNORED).repeat_interleave(number, 1).flatten().nonzero()[:, 0]
        while len(left):
            drawn = torch.multinomial(chances, len(left), True, generator=generator)
            flat[left] = drawn
            centers = left // (some.shape[1] * number)
            left = left[(some[centers] == drawn[:, None]).any(1)]
    return negatives


class WindowBatch(NamedTuple):
    """Words, what is around them, and what is not.

    Attributes:
        centers: int64 (batch).
        contexts: int64 (batch, 2 window), -100 where there is none.
        negatives: int64 (batch, 2 window, number), -100 where there is no context.
    """

    centers: Tensor
    contexts: Tensor
    negatives: Tensor


class WindowRows(WholeBatches):
    """The windows of an epoch, a function of seed and epoch, made when the first is asked for.

    Args:
        words: Words of the text.
        keep: The probability with which each word of the vocabulary stays.
        window: Largest radius.
        seed: Seed of the windows.
        redraw: Whether each epoch has its own.
        negatives: Drawn for each context, by `chances`.
        chances: Weight of each word.
    """

    def __init__(
        self,
        words: Words,
        keep: Tensor,
        window: int,
        seed: int,
        redraw: bool = True,
        negatives: int = 0,
        chances: Tensor | None = None,
    ) -> None:
        self.words, self.keep, self.window = words, keep, window
        self.seed, self.redraw = seed, redraw
        self.negatives, self.chances = negatives, chances
        self._epoch, self._rows = -1, InMemory(torch.zeros(0), torch.zeros(0))

    def __len__(self) -> int:
        """How many centers are to be expected."""
        return int(self.keep[self.words.indices].sum())

    def windows(self, epoch: int) -> InMemory:
        """Those of an epoch; of the last epoch that was asked for they are kept."""
        epoch = epoch if self.redraw else 0
        if epoch != self._epoch:
            seed = epoch_seed(self.seed, epoch) * 2 + 1  # not that of the permutation
            generator = seeded_generator(seed)
            drawn: tuple[Tensor, ...] = draw_windows(self.words, self.keep, self.window, generator)
            if self.negatives and self.chances is not None:
                negatives = draw_negatives(drawn[1], self.chances, self.negatives, generator)
                drawn = (*drawn, negatives)
            self._epoch, self._rows = epoch, InMemory(*drawn)
        return self._rows

    def __getitem__(self, rows: Rows) -> tuple[Tensor, ...]:
        batch = self.windows(rows.epoch)[rows]
        return WindowBatch(*batch) if self.negatives else batch


class WindowBatches(TrainBatches):
    """As `TrainBatches`, for rows whose number is another in each epoch: their batches are not.

    An epoch's rows are shared evenly among as many batches as are to be expected, and a batch's
    among the ranks: some may have one more.
    """

    dataset: WindowRows

    def __len__(self) -> int:
        return max(1, self.num_rows // (self.batch_size * self.num_replicas))

    def __iter__(self) -> Iterator[Rows]:
        num_batches = len(self)
        epoch, done = self.position(num_batches)
        generator = seeded_generator(epoch_seed(self.seed, epoch))
        order = torch.randperm(len(self.dataset.windows(epoch)), generator=generator)
        for batch in range(done, num_batches):
            start, stop = (len(order) * place // num_batches for place in (batch, batch + 1))
            yield Rows(epoch, order[start:stop].tensor_split(self.num_replicas)[self.rank])


class WordWindows(WordCorpus):
    """Batches of words, int64 (batch), and what is around each, int64 (batch, 2 window).

    Where there is less, the contexts are -100. Frequent words are dropped at random and radii are
    drawn anew in each training epoch; in evaluation always in the same way.

    Args:
        window: Largest distance of a context.
        subsampling: The share of the text from which on words are dropped at random; 0 drops none.
        keep: Formula of the probability: the paper's, or its authors' program's (and gensim's).
        redraw: Whether each epoch has windows of its own; the course draws them once.
        negatives: Negative samples for each context in training, none of them a context of the same
            center, drawn with the windows as the course does; 0 leaves them to the model,
            which draws its own in each step.
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
        negatives: int = 0,
        **words: Any,
    ) -> None:
        super().__init__(**words)
        if window < 1 or negatives < 0 or not 0 <= subsampling < 1:
            raise CorpusError(
                f"window is {window}, negatives {negatives} and subsampling {subsampling}; they "
                "must be at least 1 and 0, and in [0, 1)"
            )
        if keep not in ("paper", "program"):
            raise CorpusError(f"keep must be paper or program, not {keep!r}")
        self.window, self.subsampling, self.keep = window, subsampling, keep
        self.redraw, self.negatives = redraw, negatives

    def read(self, split: str) -> WholeBatches:
        words = self.words(split)
        keep = keep_probabilities(self.word_counts, self.subsampling, self.keep)
        if split == "train":
            if self.negatives and len(keep) <= 2 * self.window:
                raise CorpusError(
                    f"{self.title}: has {len(keep)} different words, which may all be around one: "
                    "--data.negatives 0, or a smaller --data.window"
                )
            drawing = self.negatives, self.word_counts.double() ** POWER
            return WindowRows(words, keep, self.window, self.seed, self.redraw, *drawing)
        return InMemory(*draw_windows(words, keep, self.window, Generator().manual_seed(0)))

    def train_dataloader(self) -> Loader:
        first = self.data["train"].windows(0)
        if not len(first):
            raise CorpusError(f"{self.title}: no sentence has two words: there are no windows")
        if getattr(self.trainer, "overfit_batches", 0):
            return self.loader(first, self.evaluation_sampler(first))
        return super().train_dataloader()

    def train_sampler(self, rows: WindowRows) -> WindowBatches:
        return WindowBatches(rows, self.batch_size, **self.run_options)
