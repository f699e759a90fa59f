"""The functions of one and two variables that the course descends."""

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor


class Function(NamedTuple):
    """A function to descend.

    Attributes:
        formula: As it is written.
        value: From its variables, a tensor each, to its values.
        start: Where the course begins; as many numbers as there are variables.
        shown: (low, high) of each variable in a picture.
    """

    formula: str
    value: Callable[..., Tensor]
    start: tuple[float, ...]
    shown: tuple[tuple[float, float], ...]


FUNCTIONS = {
    "parabola": Function("x²", lambda x: x**2, (10.0,), ((-11.0, 11.0),)),
    "waves": Function(
        "x cos(0.15πx)", lambda x: x * torch.cos(0.15 * math.pi * x), (10.0,), ((-11.0, 11.0),)
    ),
    "cosh": Function("cosh(0.5x)", lambda x: torch.cosh(0.5 * x), (10.0,), ((-11.0, 11.0),)),
    "cubic": Function("x³", lambda x: x**3, (2.0,), ((-2.2, 2.2),)),
    "tanh": Function("tanh(x)", torch.tanh, (2.0,), ((-2.5, 5.0),)),
    "risk": Function("x cos(πx)", lambda x: x * torch.cos(math.pi * x), (0.6,), ((0.4, 1.6),)),
    "ellipse": Function(
        "x₁² + 2x₂²", lambda x, y: x**2 + 2 * y**2, (-5.0, -2.0), ((-5.5, 2.0), (-3.0, 3.0))
    ),
    "valley": Function(
        "0.1x₁² + 2x₂²",
        lambda x, y: 0.1 * x**2 + 2 * y**2,
        (-5.0, -2.0),
        ((-5.5, 2.0), (-3.0, 3.0)),
    ),
    "saddle": Function(
        "x₁² - x₂²", lambda x, y: x**2 - y**2, (-1.0, 0.01), ((-1.5, 1.5), (-1.5, 1.5))
    ),
    "bowl": Function(
        "x₁² + 0.5cos(2πx₂)",
        lambda x, y: x**2 + 0.5 * torch.cos(2 * math.pi * y),
        (-0.9, 0.1),
        ((-1.0, 1.0), (-1.0, 1.0)),
    ),
}
