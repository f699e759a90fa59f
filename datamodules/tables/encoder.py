"""Columns of a table to features: numbers standardised, words one-hot."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from datamodules.tables.reading import MISSING, Table, numbers

SKEWED = 0.75


@dataclass(frozen=True)
class Scale:
    """How a column of numbers becomes a feature: ((log(1 + x) or x) - mean) / std."""

    mean: float
    std: float
    logarithm: bool = False

    def __call__(self, values: np.ndarray) -> np.ndarray:
        values = np.log1p(np.maximum(values, 0)) if self.logarithm else values
        return (values - self.mean) / self.std


@dataclass(frozen=True)
class Encoder:
    """Columns to features: numbers standardised, words one-hot.

    Fitted on the training rows alone. A missing number becomes the mean, a missing word is a word
    of its own, and a word that the training rows do not have is none of theirs: all zeros.

    Attributes:
        scales: Scales of the columns of numbers.
        words: Words of the other columns, in order.
    """

    scales: dict[str, Scale]
    words: dict[str, list[str]]

    @classmethod
    def fit(
        cls,
        table: Table,
        rows: Sequence[int],
        numeric: Iterable[str],
        categorical: Iterable[str],
        logarithms: bool = False,
    ) -> "Encoder":
        """Learns the encoding of a table from some of its rows.

        Args:
            table: The table.
            rows: Indices of the training rows.
            numeric: Columns of numbers.
            categorical: Columns of words.
            logarithms: Take logarithms of columns without negative numbers that are skewed to the
                right by over 0.75.
        """
        scales = {}
        for name in numeric:
            values = numbers(table, name)[rows]
            scales[name] = fit_scale(values[~np.isnan(values)], logarithms)
        words = {}
        for name in categorical:
            cells = _words(table, name)
            words[name] = sorted({cells[i] for i in rows})
        return cls(scales, words)

    def __call__(self, table: Table) -> Tensor:
        """All rows of a table: float32 (rows, features)."""
        columns = [
            np.nan_to_num(scale(numbers(table, name))) for name, scale in self.scales.items()
        ]
        for name, words in self.words.items():
            cells = np.array(_words(table, name), dtype=object)
            columns += [(cells == word).astype(np.float64) for word in words]
        return torch.from_numpy(np.stack(columns, axis=1)).float()

    @property
    def names(self) -> list[str]:
        """Of the features."""
        return [*self.scales, *(f"{name}={word}" for name, ws in self.words.items() for word in ws)]

    def state_dict(self) -> dict[str, Any]:
        """Plain data, for a checkpoint."""
        scales = {n: [s.mean, s.std, s.logarithm] for n, s in self.scales.items()}
        return {"scales": scales, "words": self.words}

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> "Encoder":
        scales = {name: Scale(*values) for name, values in state["scales"].items()}
        return cls(scales, state["words"])


def _words(table: Table, column: str) -> list[str]:
    """A column as words; there is one for whatever is missing."""
    return ["NA" if cell in MISSING else cell for cell in table.columns[column]]


def fit_scale(values: np.ndarray, logarithms: bool = False) -> Scale:
    """Mean and standard deviation of numbers, or of their logarithms where they are skewed."""
    if not len(values):
        return Scale(0.0, 1.0)
    spread = _spread(values)
    skewed = spread > 0 and (((values - values.mean()) / spread) ** 3).mean() > SKEWED
    logarithm = bool(logarithms and skewed and values.min() >= 0)
    shown = np.log1p(values) if logarithm else values
    std = _spread(shown)
    return Scale(float(shown.mean() if std else shown[0]), std or 1.0, logarithm)


def _spread(values: np.ndarray) -> float:
    """Their standard deviation; 0 where they are equal but for the rounding of their mean."""
    std = float(values.std())
    return std if std > 1e-12 * float(np.abs(values).max()) else 0.0
