"""Points of a Gaussian on a plane: mean and covariance are known.

Source: generated: x = z A + b, z from N(0, 1); Zhang et al. 2023,
        https://d2l.ai/chapter_generative-adversarial-networks/gan.html
Batch: (points,)
"""

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import torch
from torch import Generator, Tensor

from datamodules.files.errors import CorpusError
from datamodules.generated import GeneratedCorpus


class Gaussian2D(GeneratedCorpus):
    """1,000 training points, and 1,000 each of validation and test, of N(b, A^T A).

    Args:
        matrix: A, two rows of two values.
        offset: b, two values.
        num_examples: Training rows.
        num_held_out: Rows of validation, and of test.
        generated: Arguments of every generated corpus.

    Raises:
        CorpusError: The matrix or the offset has another shape.
    """

    title = "a Gaussian on a plane"

    def __init__(
        self,
        matrix: Sequence[Sequence[float]] = ((1.0, 2.0), (-0.1, 0.5)),
        offset: Sequence[float] = (1.0, 2.0),
        num_examples: int = 1000,
        num_held_out: int = 1000,
        **generated: Any,
    ) -> None:
        super().__init__(num_examples=num_examples, num_held_out=num_held_out, **generated)
        self.save_hyperparameters(logger=False)
        if [len(row) for row in (*matrix, offset)] != [2, 2, 2]:
            raise CorpusError(f"wanted a matrix of 2 x 2 and 2 offsets, not {matrix} and {offset}")
        self.matrix, self.offset = torch.tensor(matrix), torch.tensor(offset)

    @cached_property
    def in_features(self) -> int:
        return len(self.offset)

    @cached_property
    def mean(self) -> list[float]:
        """Of the points: b."""
        return self.offset.tolist()

    @cached_property
    def covariance(self) -> list[list[float]]:
        """Of the points: A^T A."""
        return (self.matrix.T @ self.matrix).tolist()

    def draw(self, size: int, generator: Generator) -> tuple[Tensor]:
        noise = torch.randn(size, len(self.offset), generator=generator)
        return (noise @ self.matrix + self.offset,)
