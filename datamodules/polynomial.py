"""Rows of a cubic with noise: what underfits and overfits.

Source: generated: y = 5 + 1.2 x - 3.4 x^2 + 5.6 x^3 + noise, x from N(0, 1); d2l, Section 3.6
Batch: (features, targets)
"""

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import torch
from torch import Generator, Tensor

from datamodules.generated import GeneratedCorpus, linear_rule


class Polynomial(GeneratedCorpus):
    """100 rows of one feature each to train on, to choose by and to test on.

    Args:
        coefficients: Coefficients of x, x^2, x^3 ...
        bias: The constant.
        noise: Standard deviation of what is added to each target.
        num_examples: Training rows.
        num_held_out: Rows of validation, and of test.
        generated: Arguments of every generated corpus.
    """

    title = "a polynomial"

    def __init__(
        self,
        coefficients: Sequence[float] = (1.2, -3.4, 5.6),
        bias: float = 5.0,
        noise: float = 0.01,
        num_examples: int = 100,
        num_held_out: int = 100,
        **generated: Any,
    ) -> None:
        super().__init__(num_examples=num_examples, num_held_out=num_held_out, **generated)
        self.save_hyperparameters(logger=False)
        self.coefficients, self.bias, self.noise = tuple(coefficients), bias, noise

    @cached_property
    def in_features(self) -> int:
        return 1

    def draw(self, size: int, generator: Generator) -> tuple[Tensor, Tensor]:
        x = torch.randn(size, 1, generator=generator)
        powers = x ** torch.arange(1, len(self.coefficients) + 1)
        return x, linear_rule(powers, self.coefficients, self.bias, self.noise, generator)
