"""The ways in which a command ends before it is done; each is said in one line."""

import math
from collections.abc import Iterator
from signal import Signals
from typing import Any


class InputError(ValueError):
    """Bad input: one line that names the file or option and the way out; the command exits 2."""


class NonFiniteError(ArithmeticError):
    """A loss or a gradient is not a finite number; the command exits 3."""


class RankError(RuntimeError):
    """Of several processes another one failed first; the command exits 1."""


class StoppedError(BaseException):
    """A signal ended the run, which was saved first where it could be.

    Like KeyboardInterrupt it is no Exception, which a library may pass over.

    Attributes:
        code: What the command exits with: 128 and the signal's number, 143 for SIGUSR1.
        job: Id of the job that is to be requeued; None if none is.
    """

    def __init__(self, signal: int, message: str, job: str | None = None) -> None:
        super().__init__(message)
        self.job = job
        warning = getattr(Signals, "SIGUSR1", None)  # Windows has none
        self.code = 128 + (Signals.SIGTERM if signal == warning else signal)


def in_bounds(least: float, most: float = math.inf, /, **numbers: Any) -> None:
    """Refuses the first of some arguments that is out of bounds, or nan.

    Args:
        least: Smallest number allowed.
        most: Largest number allowed.
        numbers: Arguments by name: numbers, sequences of them, or None, which stands for a default.

    Raises:
        InputError: One is.
    """
    bounds = f"from {least} to {most}" if most < math.inf else f"{least} or more"
    for name, value in numbers.items():
        for number in _flat(value):
            if not least <= number <= most:
                raise InputError(f"{name} has to be {bounds}, not {number}")


def _flat(value: Any) -> Iterator[float]:
    if isinstance(value, list | tuple):
        for each in value:
            yield from _flat(each)
    elif value is not None:
        yield value
