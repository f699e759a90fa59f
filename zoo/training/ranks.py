"""What the processes of an evaluation have together, in the order in which one would have it."""

from collections.abc import Sequence
from itertools import zip_longest
from typing import TypeVar

from torch import distributed

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
