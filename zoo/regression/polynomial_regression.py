"""Polynomial regression: a linear map of the powers of one number, too few or too many of them.

Paper:  Bishop 2006, Pattern Recognition and Machine Learning, Section 1.1, Equation 1.1
Shapes: (batch, 1) -> (batch)
Size:   4 parameters
Config: polynomial_regression-polynomial
Result: polynomial_regression-polynomial: test squared error 0.000103 after 61 epochs (generated
        corpus, the best of 100 epochs by validation, seed 0, 2026-11-28: `zoo fit
        polynomial_regression-polynomial`, `zoo test`)
"""

from math import factorial
from typing import Any

import torch
from torch import Tensor, nn

from zoo.errors import InputError
from zoo.regression.task import Regressor
from zoo.shapes import Features, Targets


class PolynomialRegression(Regressor):
    """y = b + the sum of w_i x^i / i! for i = 1 ... degree.

    The factorials keep high powers small: without them the two-row run of the course diverges.

    Args:
        degree: Highest power of x.
        task: Arguments of every regressor.
    """

    example_sizes = {"in_features": 1}
    powers: Tensor
    factorials: Tensor

    def __init__(self, degree: int = 3, **task: Any) -> None:
        super().__init__(**task)
        self.save_hyperparameters()
        if degree < 1:
            raise InputError(f"degree must be at least 1, not {degree}")
        self.linear = nn.Linear(degree, 1)
        nn.init.normal_(self.linear.weight, std=0.01)
        nn.init.zeros_(self.linear.bias)
        powers = range(1, degree + 1)
        factorials = torch.tensor([float(factorial(power)) for power in powers])
        self.register_buffer("powers", torch.tensor(list(powers)), persistent=False)
        self.register_buffer("factorials", factorials, persistent=False)

    def forward(self, features: Features) -> Targets:
        return self.linear(features**self.powers / self.factorials).squeeze(1)

    @property
    def coefficients(self) -> Tensor:
        """Of x, x^2 ... in the units of the target: (degree)."""
        return self.linear.weight.detach().squeeze(0) / self.factorials * self.target_std
