"""Corpora that live as tensors and hand out whole batches."""

from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor
from torch.utils.data import Dataset, Sampler

IGNORED = -100  # a target, label or context that is none: the default of torch's cross_entropy


class Rows(NamedTuple):
    """The rows of one batch, and the epoch that draws them."""

    epoch: int
    indices: Tensor


class WholeBatches(Dataset):
    """Rows of which an index of `Rows` gives a whole batch, from memory or as it is wanted."""

    def __len__(self) -> int:
        raise TypeError(f"{type(self).__name__} does not say how many rows it has")

    def __getitem__(self, rows: Rows) -> tuple[Tensor, ...]:
        raise TypeError(f"{type(self).__name__} does not say how a batch is made")

    def to(self, device: torch.device | str) -> "InMemory":
        """All rows in the memory of `device`."""
        raise TypeError(f"{type(self).__name__} does not say how it is kept")


class InMemory(WholeBatches):
    """Tensors with one row an example; an index of `Rows` gives a whole batch in one gather.

    Args:
        tensors: Tensors of equal length along the first dimension.
        keyed: Whether each batch ends with one int64 key a row, f(epoch, row), from which
            augmentation draws: the same after a resume and for any number of workers.
    """

    def __init__(self, *tensors: Tensor, keyed: bool = False) -> None:
        self.tensors = tensors
        self.keyed = keyed

    def __len__(self) -> int:
        return len(self.tensors[0])

    def __getitem__(self, rows: Rows | int) -> tuple[Tensor, ...]:
        if isinstance(rows, int):
            return tuple(tensor[rows] for tensor in self.tensors)
        indices = rows.indices.to(self.tensors[0].device)
        batch = tuple(tensor.index_select(0, indices) for tensor in self.tensors)
        return (*batch, (rows.epoch << 32) + indices) if self.keyed else batch

    def to(self, device: torch.device | str) -> "InMemory":
        """The same rows on `device`."""
        return InMemory(*(tensor.to(device) for tensor in self.tensors), keyed=self.keyed)


class Batches:
    """The batches that a sampler draws, gathered in this process.

    What a DataLoader without workers does, less its 45 us a batch; Lightning takes any iterable.
    Without `state_dict`: the sampler knows the position, and a resume may choose other workers.

    Args:
        dataset: The rows.
        sampler: Yields the rows of each batch.
    """

    def __init__(self, dataset: WholeBatches, sampler: Sampler) -> None:
        self.dataset = dataset
        self.order = sampler  # as `sampler`, Lightning would look for a DataLoader's other parts

    def __len__(self) -> int:
        return len(self.order)  # type: ignore[arg-type]

    def __iter__(self) -> Iterator[tuple[Tensor, ...]]:
        return map(self.dataset.__getitem__, self.order)
