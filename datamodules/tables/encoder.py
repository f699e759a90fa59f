"""Columns of a table to features: numbers and dates standardised, words one-hot."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from datamodules.tables.dates import date_parts
from datamodules.tables.reading import MISSING, Cells, numbers

SKEWED = 0.75
DATE_PART = ": "  # between the name of a column of dates and that of its number


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
    of its own, and a word that the training rows do not have is none of theirs: all zeros. A date
    is several numbers; see `date_parts`. What scikit-learn's ColumnTransformer does by a
    StandardScaler and a OneHotEncoder, but the state is plain data, and a constant is 0 however
    large it is.

    Attributes:
        scales: Scales of the columns of numbers, and of the numbers of dates.
        words: Words of the other columns, in order.
        dates: Formats of the columns of dates.
    """

    scales: dict[str, Scale]
    words: dict[str, list[str]]
    dates: dict[str, str] = field(default_factory=dict)

    @classmethod
    def fit(
        cls,
        table: Cells,
        rows: Sequence[int],
        numeric: Iterable[str],
        categorical: Iterable[str],
        logarithms: bool = False,
        dates: Mapping[str, str] | None = None,
        most_words: int | None = None,
    ) -> "Encoder":
        """Learns the encoding of a table from some of its rows.

        Args:
            table: The table.
            rows: Indices of the training rows.
            numeric: Columns of numbers.
            categorical: Columns of words.
            logarithms: Take logarithms of columns without negative numbers that are skewed to the
                right by over 0.75.
            dates: Formats of the columns of dates.
            most_words: Number of words of a column to keep where it has more: the most frequent,
                and none that is there once. By default all.
        """
        scales = {}
        for name, values in _numbers(table, numeric, dates or {}):
            known = values[rows]
            scales[name] = fit_scale(known[~np.isnan(known)], logarithms)
        words = {}
        for name in categorical:
            cells = _words(table, name)
            counts = Counter(cells[i] for i in rows)
            if most_words is not None and len(counts) > most_words:
                often = sorted(counts, key=lambda word: (-counts[word], word))[:most_words]
                counts = Counter({word: counts[word] for word in often if counts[word] > 1})
            words[name] = sorted(counts)
        return cls(scales, words, dict(dates or {}))

    def __call__(self, table: Cells) -> Tensor:
        """Encodes all rows of a table: float32 (rows, features)."""
        values = _numbers(table, self.numeric, self.dates)
        columns = [np.nan_to_num(self.scales[name](column)) for name, column in values]
        for name, words in self.words.items():
            cells = np.array(_words(table, name), dtype=object)
            columns += [(cells == word).astype(np.float64) for word in words]
        return torch.from_numpy(np.stack(columns, axis=1)).float()

    @property
    def numeric(self) -> list[str]:
        """Names of the columns of numbers."""
        return [name for name in self.scales if name.partition(DATE_PART)[0] not in self.dates]

    @property
    def columns(self) -> list[str]:
        """Names of the columns that it reads."""
        return [*self.numeric, *self.dates, *self.words]

    @property
    def names(self) -> list[str]:
        """Names of the features."""
        return [*self.scales, *(f"{name}={word}" for name, ws in self.words.items() for word in ws)]

    def state_dict(self) -> dict[str, Any]:
        """Plain data, for a checkpoint."""
        scales = {n: [s.mean, s.std, s.logarithm] for n, s in self.scales.items()}
        dates = {"dates": self.dates} if self.dates else {}
        return {"scales": scales, "words": self.words, **dates}

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> "Encoder":
        scales = {name: Scale(*values) for name, values in state["scales"].items()}
        return cls(scales, state["words"], state.get("dates", {}))


def _numbers(
    table: Cells, numeric: Iterable[str], dates: Mapping[str, str]
) -> Iterator[tuple[str, np.ndarray]]:
    """Yields the name and the values of each column of numbers, float64 (rows); dates are last."""
    for name in numeric:
        yield name, numbers(table, name)
    for name, form in dates.items():
        for part, values in date_parts(table, name, form).items():
            yield f"{name}{DATE_PART}{part}", values


def _words(table: Cells, column: str) -> list[str]:
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
