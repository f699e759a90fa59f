"""How often which runs of tokens were seen: sorted codes, so that a look-up is a bisection."""

from typing import NamedTuple

import torch
from torch import Tensor

NOTHING = -1  # a token before the beginning of a text


class Counts(NamedTuple):
    """How often which runs of tokens were seen.

    Attributes:
        codes: Of the runs, as numbers whose digits are the tokens; int64, ascending.
        numbers: Of each, int64.
    """

    codes: Tensor
    numbers: Tensor


class Level(NamedTuple):
    """What a length of runs says of the token after a context.

    Attributes:
        runs: Of the context and the token, counted.
        totals: Sums over the tokens, of each context.
        kinds: Different tokens, after each context.
    """

    runs: Counts
    totals: Counts
    kinds: Counts


def no_counts() -> Counts:
    """Nothing seen."""
    return Counts(torch.zeros(0, dtype=torch.int64), torch.zeros(0, dtype=torch.int64))


def added(counts: Counts, codes: Tensor) -> Counts:
    """The counts and those of further runs (number), in any order."""
    both = torch.cat([counts.codes.to(codes.device), codes])
    numbers = torch.cat([counts.numbers.to(codes.device), torch.ones_like(codes)])
    return summed(both, numbers)


def summed(codes: Tensor, numbers: Tensor) -> Counts:
    """The sum of the numbers (number) of each code (number)."""
    if not len(codes):
        return Counts(codes, numbers)
    unique, places = codes.unique(return_inverse=True)
    return Counts(unique, torch.zeros_like(unique).index_add_(0, places, numbers))


def tails(counts: Counts, base: int) -> Counts:
    """Of runs without their oldest token, which is the digit from `base` up: after how many."""
    return summed(counts.codes % base, torch.ones_like(counts.numbers))


def level(counts: Counts, vocab_size: int) -> Level:
    """What is looked up where the tokens of a run but the last are a context."""
    contexts = counts.codes // vocab_size
    kinds = summed(contexts, torch.ones_like(counts.numbers))
    return Level(counts, summed(contexts, counts.numbers), kinds)


def looked_up(counts: Counts, codes: Tensor) -> Tensor:
    """The number of each code (any shape), 0 where it was not seen; float64."""
    if not len(counts.codes):
        return torch.zeros(codes.shape, dtype=torch.float64, device=codes.device)
    places = torch.searchsorted(counts.codes, codes).clamp(max=len(counts.codes) - 1)
    found = counts.numbers[places].double()
    return found.where(counts.codes[places] == codes, 0.0)
