"""The ways in which a command ends before it is done; each is said in one line."""

from signal import Signals


class InputError(ValueError):
    """Bad input: one line that names the file or option and the way out; the command exits 2."""


class NonFiniteError(ArithmeticError):
    """A loss or a gradient is not a finite number; the command exits 3."""


class RankError(RuntimeError):
    """Of several processes another one failed first; the command exits 1."""


class StoppedError(Exception):
    """A signal ended the run, which was saved first where it could be.

    Attributes:
        code: What the command exits with: 128 and the signal's number, 130 or 143.
    """

    def __init__(self, signal: int, message: str) -> None:
        super().__init__(message)
        self.code = 128 + (Signals.SIGTERM if signal != Signals.SIGINT else signal)
