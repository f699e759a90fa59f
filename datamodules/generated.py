"""Corpora that are drawn from a formula: nothing is read or fetched.

Batch: (features, targets), or whatever else a corpus draws
"""

from collections.abc import Sequence

import torch
from torch import Generator, Tensor

from datamodules.batches.in_memory import InMemory
from datamodules.corpus import Corpus
from datamodules.files.errors import CorpusError


class GeneratedCorpus(Corpus):
    """Training rows and, apart from them, as many rows to choose by as to test on.

    Args:
        num_examples: Training rows.
        num_held_out: Rows of validation, and of test.
        data_seed: Seed of the rows: the same rows in every run, whatever the run's own seed.
        batch_size: Rows per batch, in each process.
        synthetic: Without effect: the rows are generated anyway.
        num_workers: Processes that gather batches; rows in memory need none.
        on_device: Whether to keep all rows on the accelerator.
    """

    def __init__(
        self,
        num_examples: int,
        num_held_out: int,
        data_seed: int = 0,
        batch_size: int = 10,
        synthetic: bool = False,
        num_workers: int = 0,
        on_device: bool = False,
    ) -> None:
        super().__init__(batch_size=batch_size, num_workers=num_workers, on_device=on_device)
        for name, value in (("num_examples", num_examples), ("num_held_out", num_held_out)):
            if value < 1:
                raise CorpusError(f"{name} must be at least 1, not {value}")
        self.num_examples, self.num_held_out = num_examples, num_held_out
        self.data_seed = data_seed

    def prepare_data(self) -> None:
        """Nothing to fetch."""

    def read(self, split: str) -> InMemory:
        seed = self.data_seed * 3 + self.splits.index(split)
        generator = Generator().manual_seed(seed % 2**63)
        size = self.num_examples if split == "train" else self.num_held_out
        return InMemory(*self.draw(size, generator))

    def draw(self, size: int, generator: Generator) -> tuple[Tensor, ...]:
        """Draws `size` rows; a corpus says how."""
        raise TypeError(f"{type(self).__name__} does not say how it is drawn")


def linear_rule(
    features: Tensor, weights: Sequence[float], bias: float, noise: float, generator: Generator
) -> Tensor:
    """Targets (batch): features (batch, features) @ weights + bias + noise N(0, 1)."""
    error = torch.randn(len(features), generator=generator)
    return features @ torch.tensor(weights, dtype=features.dtype) + bias + noise * error
