"""Which rows are held out of each class, so that every class keeps its share."""

import torch
from torch import Tensor

from datamodules.batches.samplers import seeded_generator


def hold_out(classes: Tensor, fraction: float, seed: int | None) -> Tensor:
    """Holds out the same fraction of each class, `round(fraction * rows)` rows in all.

    What the fractions of single rows add up to goes to the classes with the largest remainders.
    Every class keeps a row; where that leaves too few to hold out, there are fewer.

    Args:
        classes: Class of each row, int64 (rows).
        fraction: Fraction to hold out, in [0, 1).
        seed: Seed of the rows within a class, and of which class is first among equals; none takes
            the first rows and classes.

    Returns:
        Whether a row is held out, bool (rows).
    """
    order, starts, counts = _by_class(classes, seed)
    most = (counts - 1).clamp(min=0)
    shares = fraction * counts.double()
    allotted = shares.long().minimum(most)
    tied = _shuffled(len(counts), seed)
    for _ in range(min(round(fraction * len(classes)), int(most.sum())) - int(allotted.sum())):
        lacking = torch.where(allotted < most, shares - allotted, -torch.inf)[tied]
        allotted[tied[lacking.argmax()]] += 1
    held_out = torch.zeros(len(classes), dtype=torch.bool)
    for start, count in zip(starts.tolist(), allotted.tolist(), strict=True):
        held_out[order[start : start + count]] = True
    return held_out


def hold_out_fold(classes: Tensor, fold: int, num_folds: int, seed: int | None) -> Tensor:
    """Holds out one of `num_folds` parts of equal size, each with its share of every class.

    A class of one row is trained on in all folds but that which holds it.

    Args:
        classes: Class of each row, int64 (rows).
        fold: From 1 to `num_folds`.
        num_folds: Number of folds.
        seed: Seed, as in `hold_out`.

    Returns:
        Whether a row is held out, bool (rows).
    """
    order, _, _ = _by_class(classes, seed)
    held_out = torch.zeros(len(classes), dtype=torch.bool)
    held_out[order[fold - 1 :: num_folds]] = True  # dealt like cards, class after class
    return held_out


def _by_class(classes: Tensor, seed: int | None) -> tuple[Tensor, Tensor, Tensor]:
    """The rows class after class, shuffled within each; where each class begins; its rows."""
    rows = _shuffled(len(classes), seed)
    order = rows[classes[rows].argsort(stable=True)]
    counts = classes.bincount()
    return order, counts.cumsum(0) - counts, counts


def _shuffled(count: int, seed: int | None) -> Tensor:
    if seed is None:
        return torch.arange(count)
    return torch.randperm(count, generator=seeded_generator(seed))
