"""What the ranks of an evaluation have together, in the order that one process would have it in."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import zip_longest
from typing import TypeVar

import torch
from torch import Generator, Tensor, distributed

T = TypeVar("T")
NOTHING = object()


def of_all_ranks(own: T) -> list[T]:
    """What each process has, by rank; called by all of them."""
    if not (distributed.is_available() and distributed.is_initialized()):
        return [own]
    everyone = [own] * distributed.get_world_size()
    distributed.all_gather_object(everyone, own)
    return everyone


def in_turn(shares: Sequence[Sequence[T]]) -> list[T]:
    """The rows of which rank r of n was dealt the r-th, the r+n-th, ...; as the corpora deal."""
    dealt = zip_longest(*shares, fillvalue=NOTHING)
    return [row for rows in dealt for row in rows if row is not NOTHING]  # type: ignore[misc]


class FixedDraws:
    """Random rows for the examples of an evaluation: always the same, whatever the world size."""

    def __init__(self) -> None:
        self._generator = Generator()
        self._world_size = 1

    def restart(self, device: torch.device) -> None:
        """Begins an evaluation on a device."""
        self._generator = Generator(device).manual_seed(0)

    @contextmanager
    def shared(self, world_size: int) -> Iterator[None]:
        """Draws for batches of which each of `world_size` ranks has its share."""
        self._world_size = world_size
        yield
        self._world_size = 1

    def rows(self, counts: Sequence[int], draw: Callable[[int, Generator], Tensor]) -> Tensor:
        """Returns this rank's share of the rows drawn for a batch; called by all ranks.

        Args:
            counts: Number of rows of each of this rank's examples.
            draw: Draws a number of rows by a generator.
        """
        if self._world_size == 1:
            return draw(sum(counts), self._generator)
        every = in_turn(of_all_ranks(counts))
        drawn = draw(sum(every), self._generator)
        own = drawn.split(every)[distributed.get_rank() :: self._world_size]
        return torch.cat([drawn[:0], *own])
