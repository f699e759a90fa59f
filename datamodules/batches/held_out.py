"""Corpora of which some training rows are held out: a fraction of them, or one of several folds.

Batch: as each corpus says
"""

from typing import Any

import torch
from torch import Tensor

from datamodules.batches.samplers import seeded_generator
from datamodules.batches.stratified import hold_out, hold_out_fold
from datamodules.corpus import Corpus
from datamodules.files.errors import CorpusError


class HeldOutFraction(Corpus):
    """Holds out a fraction of what there is to train on.

    Args:
        validation_fraction: Part held out for validation.
        corpus: Arguments of every corpus.

    Raises:
        CorpusError: The fraction is out of range.
    """

    def __init__(self, validation_fraction: float = 0.1, **corpus: Any) -> None:
        super().__init__(**corpus)
        if not 0 <= validation_fraction < 1:
            raise CorpusError(f"validation_fraction must be in [0, 1), not {validation_fraction}")
        self.validation_fraction = validation_fraction

    @property
    def holds_out(self) -> bool:
        return self.validation_fraction > 0


class HeldOut(HeldOutFraction):
    """Divides the rows that were found into those to train on and those to validate on.

    Args:
        validation_fraction: Part of the training rows held out for validation, by `split_seed`.
        split_seed: Seed of the division; none holds out the first rows.
        num_folds: Number of parts of the training rows for cross-validation.
        fold: Part that is held out instead of `validation_fraction`, from 1 to `num_folds`.
        corpus: Arguments of every corpus.

    Raises:
        CorpusError: An argument is out of range.
    """

    def __init__(
        self,
        validation_fraction: float = 0.1,
        split_seed: int | None = 0,
        num_folds: int = 5,
        fold: int | None = None,
        **corpus: Any,
    ) -> None:
        super().__init__(validation_fraction=validation_fraction, **corpus)
        if num_folds < 2:
            raise CorpusError(f"num_folds must be at least 2, not {num_folds}")
        if fold is not None and not 1 <= fold <= num_folds:
            raise CorpusError(f"fold must be from 1 to {num_folds}, not {fold}")
        self.split_seed, self.num_folds, self.fold = split_seed, num_folds, fold
        self._num_divided = 0

    @property
    def holds_out(self) -> bool:
        return self.fold is not None or super().holds_out

    def divide(self, num_rows: int) -> tuple[Tensor, Tensor]:
        """Returns the rows to train on and the rows held out, disjoint, in ascending order.

        Raises:
            CorpusError: There are fewer rows than folds.
        """
        self._note_size(num_rows)
        order = torch.arange(num_rows)
        if self.split_seed is not None:
            order = torch.randperm(num_rows, generator=seeded_generator(self.split_seed))
        if self.fold is None:
            start, stop = 0, round(num_rows * self.validation_fraction)
        else:  # the first `longer` folds have one row more
            size, longer = divmod(num_rows, self.num_folds)
            start = (self.fold - 1) * size + min(self.fold - 1, longer)
            stop = start + size + (self.fold <= longer)
        rest = torch.cat([order[:start], order[stop:]])
        return rest.sort().values, order[start:stop].sort().values

    def divide_classes(self, classes: Tensor) -> tuple[Tensor, Tensor]:
        """Divides the rows of each class on its own; see `datamodules.batches.stratified`.

        Args:
            classes: Class of each row, int64 (rows).

        Returns:
            The rows to train on and the rows held out, as of `divide`.

        Raises:
            CorpusError: There are fewer rows than folds.
        """
        self._note_size(len(classes))
        if self.fold is None:
            held_out = hold_out(classes, self.validation_fraction, self.split_seed)
        else:
            held_out = hold_out_fold(classes, self.fold, self.num_folds, self.split_seed)
        return (~held_out).nonzero().flatten(), held_out.nonzero().flatten()

    def _note_size(self, num_rows: int) -> None:
        self._num_divided = num_rows
        if self.fold is not None and self.num_folds > num_rows:
            raise CorpusError(
                f"{self.title}: {self.num_folds:,} folds of {num_rows:,} rows: choose at most as "
                "many folds as there are rows (--folds)"
            )

    @property
    def part_read(self) -> str:
        found = {"train": self._num_divided, "test": len(self.data.get("test", ()))}
        parts = [
            f"{found[part]:,} of {size:,} {'training' if part == 'train' else part} {self.unit}"
            for part, size in self.full_size.items()
            if not self.synthetic and 0 < found[part] < size
        ]
        return f" ({', '.join(parts)})" if parts else ""
