"""What the durability tests share: the outcome of many tries, forked processes, damaged files."""

import multiprocessing
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

FORK = multiprocessing.get_context("fork")  # which spares the imports


@dataclass
class Outcome:
    """The outcome of all tries of a test.

    Attributes:
        tries: Number of tries.
        failures: Text of each failure.
        notes: Further counts.
    """

    tries: int = 0
    failures: list[str] = field(default_factory=list)
    notes: dict[str, int] = field(default_factory=dict)

    def count(self, failure: str | None = None) -> None:
        """Counts a try, and keeps why it failed, if it did."""
        self.tries += 1
        if failure:
            self.failures.append(failure)

    def note(self, name: str) -> None:
        """Counts something that is no failure."""
        self.notes[name] = self.notes.get(name, 0) + 1


def damaged(content: bytes, seed: int) -> Iterator[bytes]:
    """Yields a file cut, with bits flipped, zeroed, exchanged, repeated or added to; for ever."""
    size, draw = len(content), random.Random(seed)
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


def same(first: Any, second: Any) -> bool:
    """Returns whether two nested values are equal, tensors bit by bit."""
    if isinstance(first, Tensor):
        return isinstance(second, Tensor) and torch.equal(first, second)
    if isinstance(first, dict):
        return first.keys() == second.keys() and all(same(first[k], second[k]) for k in first)
    if isinstance(first, list | tuple):
        return len(first) == len(second) and all(map(same, first, second))
    return bool(first == second)
