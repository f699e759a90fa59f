"""The noise that a stochastic gradient adds to the true one; without noise, mere steps.

Source: generated: N(0, std^2) for each variable; d2l, Section 12.4
Batch: (noise,)
"""

from functools import cached_property

import torch
from torch import Generator, Tensor

from datamodules.batches.in_memory import InMemory
from datamodules.files.errors import CorpusError
from datamodules.generated import GeneratedCorpus


class GradientNoise(GeneratedCorpus):
    """As many rows as there are steps in an epoch; held out is one row without noise.

    Args:
        num_steps: Steps an epoch, at a batch size of 1.
        std: Standard deviation of the noise in each variable.
        dimensions: Variables of the function.
        batch_size: Rows per batch, in each process, whose mean is the noise of a step.
        data_seed: Seed of the noise.
        synthetic: Without effect: the rows are generated anyway.
    """

    title = "gradient noise"

    def __init__(
        self,
        num_steps: int = 20,
        std: float = 0.0,
        dimensions: int = 2,
        batch_size: int = 1,
        data_seed: int = 0,
        synthetic: bool = False,
    ) -> None:
        super().__init__(num_steps, 1, data_seed, batch_size, synthetic)
        if std < 0:
            raise CorpusError(f"std must not be negative, not {std}")
        if dimensions not in (1, 2):
            raise CorpusError(f"dimensions must be 1 or 2, not {dimensions}")
        self.save_hyperparameters(logger=False)
        self.std, self._dimensions = std, dimensions

    @cached_property
    def dimensions(self) -> int:
        return self._dimensions

    def read(self, split: str) -> InMemory:
        rows = super().read(split)
        return rows if split == "train" else InMemory(torch.zeros_like(rows.tensors[0]))

    def draw(self, size: int, generator: Generator) -> tuple[Tensor, ...]:
        return (self.std * torch.randn(size, self.dimensions, generator=generator),)
