"""Batches of rows of like lengths, which need little padding.

Batch: as each corpus says
"""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Generator, Tensor
from torch.utils.data import Dataset

from datamodules.batches.in_memory import Rows
from datamodules.batches.samplers import (
    EvaluationBatches,
    TrainBatches,
    epoch_seed,
    seeded_generator,
)
from datamodules.corpus import Corpus

POOL = 100  # global batches whose rows are sorted together


class LengthBuckets(TrainBatches):
    """Batches of rows of like lengths, drawn at random and in a random order, both f(seed, epoch).

    The permutation is cut into pools of `POOL` global batches, each pool is sorted by length and
    cut into batches, and the batches of all pools come in a random order. A rank takes every
    `num_replicas`-th row of a global batch, so that all have about the same work. Of the last,
    ragged batch, which may come anywhere, and of the rows that cannot be shared: see
    `TrainBatches`.

    Args:
        dataset: The rows.
        batch_size: Rows per batch, in each process.
        lengths: int64 (rows) each, the one that counts most first.
        run: Seed, rank, number of processes and position, as of `TrainBatches`.
    """

    def __init__(
        self, dataset: Dataset, batch_size: int, lengths: tuple[Tensor, ...], **run: Any
    ) -> None:
        super().__init__(dataset, batch_size, **run)
        self.lengths = lengths

    def __iter__(self) -> Iterator[Rows]:
        epoch, done = self.position(len(self))
        generator = seeded_generator(epoch_seed(self.seed, epoch))
        order = torch.randperm(len(self.dataset), generator=generator)[: self.num_rows]  # type: ignore[arg-type]
        stride = self.batch_size * self.num_replicas
        pools = [by_length(pool, self.lengths) for pool in order.split(POOL * stride)]
        batches = [batch for pool in pools for batch in pool.split(stride) if len(batch)]
        for place in torch.randperm(len(batches), generator=generator)[done:].tolist():
            yield Rows(epoch, batches[place][self.rank :: self.num_replicas])


class EvaluationBuckets(EvaluationBatches):
    """Every row exactly once, in batches of rows of like lengths, which come in a mixed order.

    The order is always the same, so that a part of the batches is a fair sample of them. All ranks
    yield the same number of batches, of about the same lengths: see `EvaluationBatches`.

    Args:
        dataset: The rows.
        batch_size: Most rows a batch and process.
        lengths: int64 (rows) each, the one that counts most first.
        ranks: Rank and number of processes, as of `EvaluationBatches`.
    """

    def __init__(
        self, dataset: Dataset, batch_size: int, lengths: tuple[Tensor, ...], **ranks: int
    ) -> None:
        super().__init__(dataset, batch_size, **ranks)
        self.lengths = lengths

    def __iter__(self) -> Iterator[Rows]:  # type: ignore[override]
        rows = by_length(torch.arange(len(self.dataset)), self.lengths)  # type: ignore[arg-type]
        batches = rows.tensor_split(len(self))
        order = torch.randperm(len(self), generator=Generator().manual_seed(0)).tolist()
        return (Rows(0, batches[place][self.rank :: self.num_replicas]) for place in order)


def by_length(rows: Tensor, lengths: tuple[Tensor, ...]) -> Tensor:
    """The rows in ascending order of their lengths; those that are equal stay in their order."""
    for length in reversed(lengths):
        rows = rows[length[rows].argsort(stable=True)]
    return rows


class BucketedCorpus(Corpus):
    """A corpus whose rows have `lengths`, and whose batches are of rows of like lengths."""

    def train_sampler(self, rows: Any) -> LengthBuckets:
        return LengthBuckets(rows, self.batch_size, rows.lengths, **self.run_options)

    def evaluation_sampler(self, rows: Any) -> EvaluationBuckets:
        return EvaluationBuckets(rows, self.batch_size, rows.lengths, **self.ranks)
