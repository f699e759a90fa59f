"""Random choices among texts and other options."""

from collections.abc import Sequence
from typing import TypeVar

from numpy.random import Generator

Option = TypeVar("Option")


def pick(rng: Generator, options: Sequence[Option]) -> Option:
    """Returns one of the options."""
    return options[int(rng.integers(len(options)))]


def sample(rng: Generator, options: Sequence[Option], count: int) -> list[Option]:
    """Returns `count` different ones of the options."""
    return [options[i] for i in rng.choice(len(options), count, replace=False)]
