"""Which rows make up which batch: a function of seed, epoch and position, never of saved state.

Both samplers are DistributedSamplers, so that Lightning leaves them alone on any number of
processes, and yield whole batches, for `DataLoader(dataset, batch_size=None, sampler=...)`.
"""

from collections.abc import Callable, Iterator
from math import ceil

import torch
from torch import Generator
from torch.utils.data import Dataset, DistributedSampler, SequentialSampler

from datamodules.batches.in_memory import Rows


def seeded_generator(seed: int) -> Generator:
    """Returns a generator of any seed, negative ones and those of over 63 bits too."""
    return Generator().manual_seed(seed % 2**63)


def epoch_seed(seed: int, epoch: int) -> int:
    """Returns the seed of an epoch: another for each pair, as the factor is over any epoch."""
    return seed * 1_000_003 + epoch


class TrainBatches(DistributedSampler):
    """Shuffled batches; the permutation is f(seed, epoch) and a resume goes on where it stopped.

    The permutation is cut into global batches of `batch_size * num_replicas` rows and each rank
    takes its consecutive share: N processes see what one process with N times the batch size sees.
    The last, ragged batch is shared evenly; the rows that cannot be (fewer than the ranks) wait
    for another epoch's permutation.

    Args:
        dataset: The rows.
        batch_size: Rows per batch, in each process.
        seed: Seed of the permutations.
        rank: Rank of this process.
        num_replicas: Number of processes.
        position: Gives the epoch and the batches of it already done, when an iterator starts.
    """

    def __init__(
        self,
        dataset: Dataset,
        batch_size: int,
        *,
        seed: int = 0,
        rank: int = 0,
        num_replicas: int = 1,
        position: Callable[[int], tuple[int, int]] = lambda num_batches: (0, 0),
    ) -> None:
        super().__init__(dataset, num_replicas=num_replicas, rank=rank, seed=seed)
        self.num_rows = len(self.dataset) // num_replicas * num_replicas  # type: ignore[arg-type]
        self.batch_size = batch_size
        self.position = position

    def __len__(self) -> int:
        return ceil(self.num_rows / (self.batch_size * self.num_replicas))

    def __iter__(self) -> Iterator[Rows]:
        epoch, done = self.position(len(self))
        generator = seeded_generator(epoch_seed(self.seed, epoch))
        order = torch.randperm(len(self.dataset), generator=generator)  # type: ignore[arg-type]
        order = order[: self.num_rows]
        stride = self.batch_size * self.num_replicas
        for start in range(done * stride, self.num_rows, stride):
            share = min(stride, self.num_rows - start) // self.num_replicas
            yield Rows(epoch, order[start + self.rank * share :][:share])


class EvaluationBatches(DistributedSampler, SequentialSampler):
    """Every row exactly once, in order, nothing padded.

    All ranks yield the same number of batches, at least one. The rows of a batch are dealt out to
    the ranks one by one: N processes see what one process with N times the batch size sees, and
    where there are fewer rows than ranks a batch is empty.

    Args:
        dataset: The rows.
        batch_size: Most rows a batch and process.
        rank: Rank of this process.
        num_replicas: Number of processes.
    """

    def __init__(
        self, dataset: Dataset, batch_size: int, *, rank: int = 0, num_replicas: int = 1
    ) -> None:
        super().__init__(dataset, num_replicas=num_replicas, rank=rank, shuffle=False)
        self.batch_size = batch_size

    def __len__(self) -> int:
        return max(1, ceil(len(self.dataset) / (self.batch_size * self.num_replicas)))  # type: ignore[arg-type]

    def __iter__(self) -> Iterator[Rows]:  # type: ignore[override]
        batches = torch.arange(len(self.dataset)).tensor_split(len(self))  # type: ignore[arg-type]
        return (Rows(0, batch[self.rank :: self.num_replicas]) for batch in batches)
