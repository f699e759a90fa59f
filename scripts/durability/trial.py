"""A check is tried many times; what it found, and processes that can be ended at any instant."""

import os
import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class Outcome:
    """Of all tries of a check.

    Attributes:
        tries: How many were made.
        failures: What went wrong, one text a failure.
        notes: Further counts, for the table.
    """

    tries: int = 0
    failures: list[str] = field(default_factory=list)
    notes: dict[str, int] = field(default_factory=dict)

    def count(self, failure: str | None = None) -> None:
        """Notes a try, and why it failed, if it did."""
        self.tries += 1
        if failure:
            self.failures.append(failure)

    def note(self, name: str) -> None:
        """Counts something that is no failure."""
        self.notes[name] = self.notes.get(name, 0) + 1


def forked(work: Callable[[], int], output: Path) -> int:
    """Does the work in a forked process, which spares the imports; returns its id.

    Its exit code is what the work returns; what it prints goes to a file.
    """
    child = os.fork()
    if child:
        return child
    code = 70
    try:
        descriptor = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
        os.dup2(descriptor, 1)
        os.dup2(descriptor, 2)
        code = work()
    finally:
        os._exit(code)


def ended(child: int, seconds: float) -> int | None:
    """The exit code of a process, negative where a signal ended it; None if it goes on."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        found, status = os.waitpid(child, os.WNOHANG)
        if found:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.01)
    return None


def damaged(content: bytes, draw: random.Random) -> Iterator[bytes]:
    """A file cut, with bits flipped, zeroed, exchanged, repeated or added to; for ever."""
    size = len(content)
    while True:
        start = draw.randrange(size)
        length = min(draw.choice((1, 2, 16, 512, 4096)), size - start)
        other = draw.randrange(size - length + 1)
        piece = content[start : start + length]
        flipped = bytearray(piece)
        flipped[draw.randrange(length)] ^= 1 << draw.randrange(8)
        before, after = content[:start], content[start + length :]
        for changed in (
            before,
            before + bytes(flipped) + after,
            before + bytes(length) + after,
            before + content[other : other + length] + after,
            before + after,
            before + piece + piece + after,
            content + draw.randbytes(length),
        ):
            if changed != content:
                yield changed
