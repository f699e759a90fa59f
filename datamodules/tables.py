"""Tables of numbers and words: text files to columns, columns to features.

Batch: (features, targets)
"""

import csv
import io
import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from reprlib import repr as in_short
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from datamodules.corpus import Corpus
from datamodules.errors import CorpusError
from datamodules.in_memory import InMemory
from datamodules.staging import reason

MISSING = ("", "NA")
SKEWED = 0.75
MOST = float(np.finfo(np.float32).max)  # that a feature can be


class Table(NamedTuple):
    """The cells of a file by column, and the line that each row begins on."""

    path: Path
    columns: dict[str, list[str]]
    lines: list[int]

    def __len__(self) -> int:  # of rows, not of fields
        return len(self.lines)


class Layout(NamedTuple):
    """How a file is written.

    Attributes:
        delimiter: Between the cells of a row.
        header: Names of the columns where the file does not begin with them; those at the end that
            nobody wants may be missing.
    """

    delimiter: str = ","
    header: tuple[str, ...] = ()


def read_table(path: Path, layout: Layout, wanted: Sequence[str]) -> Table:
    """Reads a table whose rows all have as many cells as there are columns.

    Args:
        path: Of the file.
        layout: How it is written.
        wanted: Columns that must be there; others may.

    Raises:
        CorpusError: The file cannot be read, is no text, is empty, lacks a column, or a row is
            ragged; names the file and the line or the column.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise CorpusError(f"{path}: cannot be read ({reason(error)})") from error
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = error.object[: error.start].decode()
        raise CorpusError(f"{path}, line {_line(before)}: not UTF-8 text") from error
    if "\0" in text:
        line = _line(text.partition("\0")[0])
        raise CorpusError(f"{path}, line {line}: not text: there is a NUL byte")
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=layout.delimiter, strict=True)
    rows, line = [], 1  # line_num is that of the line on which a row ends
    try:
        for cells in reader:
            if cells:
                rows.append((line, cells))
            line = reader.line_num + 1
    except csv.Error as error:
        raise CorpusError(f"{path}, line {line}: not a table ({error})") from error
    header = list(layout.header) or (rows.pop(0)[1] if rows else [])
    if not rows:
        raise CorpusError(f"{path}: empty: there are no rows")
    if twice := [name for name, count in Counter(header).items() if count > 1]:
        raise CorpusError(f"{path}: the column {_shown(twice[0])} is there twice")
    if absent := [name for name in wanted if name not in header]:
        raise CorpusError(f"{path}: the column {absent[0]} is missing; there are: {_few(header)}")
    if layout.header:
        least = 1 + max(header.index(name) for name in wanted)
        header = header[: max(least, len(rows[0][1]))]
    for line, cells in rows:
        if len(cells) != len(header):
            last = min(len(cells), len(header)) - 1
            goes = "ends in" if len(cells) < len(header) else "goes on after"
            raise CorpusError(
                f"{path}, line {line}: not {len(header)} cells but {len(cells)}: the row {goes} "
                f"column {_shown(header[last])}"
            )
    columns = {name: [cells[i] for _, cells in rows] for i, name in enumerate(header)}
    return Table(path, columns, [line for line, _ in rows])


def _line(before: str) -> int:
    """Number of the line that follows on a text; lines end as they do for csv."""
    return len(re.findall(r"\r\n?|\n", before)) + 1


def _few(names: Sequence[str]) -> str:
    more = f" and {len(names) - 8} more" if len(names) > 8 else ""
    return ", ".join(map(_shown, names[:8])) + more


def _shown(name: str) -> str:
    """A name out of a file, short and on one line."""
    return name if name.isprintable() and 0 < len(name) <= 30 else in_short(name)


def numbers(table: Table, column: str) -> np.ndarray:
    """A column as float64 (rows), missing cells as nan.

    Raises:
        CorpusError: A cell is neither missing nor a finite number of single precision; names
            line and column.
    """
    values = np.full(len(table), np.nan)
    for row, cell in enumerate(table.columns[column]):
        if cell not in MISSING:
            values[row] = _number(cell)
            if not abs(values[row]) <= MOST:
                fault = "too large" if math.isfinite(values[row]) else "not a number"
                raise CorpusError(
                    f"{table.path}, line {table.lines[row]}, column {column}: "
                    f"{in_short(cell)} is {fault}"
                )
    return values


def _number(cell: str) -> float:
    """The number that a cell says, or nan; 1_000 is one in Python alone."""
    try:
        return math.nan if "_" in cell else float(cell)
    except ValueError:
        return math.nan


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
        scales: Of the columns of numbers.
        words: Of the other columns, in order.
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


class TableCorpus(Corpus):
    """A corpus of rows with one number to predict.

    A corpus says which file, which columns, and may transform the target.

    Args:
        logarithms: Take logarithms of skewed columns; see `Encoder.fit`.
        corpus: Arguments of every corpus.
    """

    predicts = "TABLE ..."
    layout = Layout()
    labelled: str
    unlabelled: str | None = None
    numeric: tuple[str, ...]
    categorical: tuple[str, ...] = ()
    target: str
    identifier: str | None = None
    log_target = False

    def __init__(self, logarithms: bool = False, **corpus: Any) -> None:
        super().__init__(**corpus)
        self.logarithms = logarithms

    @cached_property
    def in_features(self) -> int:
        return len(self._encoder.names)

    @cached_property
    def target_mean(self) -> float:
        return self._target_scale.mean

    @cached_property
    def target_std(self) -> float:
        return self._target_scale.std

    def files_to_predict(self) -> list[Path]:
        """The rows that came without their answers, once the files are there."""
        self.prepare_data()
        return [self.folder / self.unlabelled] if self.unlabelled else []

    @cached_property
    def _table(self) -> Table:
        self.prepare_data()  # facts are asked for before the Trainer does this
        wanted = [*self.numeric, *self.categorical, self.target]
        return read_table(self.folder / self.labelled, self.layout, wanted)

    @cached_property
    def _targets(self) -> np.ndarray:
        """Of every row, as logarithms where the corpus says so.

        Raises:
            CorpusError: One is missing, or has no logarithm.
        """
        values = numbers(self._table, self.target)
        bad = np.isnan(values) | (values <= 0) if self.log_target else np.isnan(values)
        if bad.any():
            row = int(bad.argmax())
            found = in_short(self._table.columns[self.target][row])
            wanted = "a number over 0" if self.log_target else "a number"
            raise CorpusError(
                f"{self._table.path}, line {self._table.lines[row]}, column {self.target}: "
                f"{found} is not {wanted}"
            )
        return np.log(values) if self.log_target else values

    @cached_property
    def _division(self) -> tuple[Tensor, Tensor]:
        return self.divide(len(self._table))

    @cached_property
    def _encoder(self) -> Encoder:
        rows = self._division[0].tolist()
        return Encoder.fit(self._table, rows, self.numeric, self.categorical, self.logarithms)

    @cached_property
    def _target_scale(self) -> Scale:
        return fit_scale(self._targets[self._division[0].numpy()])

    def read(self, split: str) -> InMemory:
        return self.rows(self._division[0 if split == "train" else 1])

    def rows(self, indices: Tensor) -> InMemory:
        """The rows of the labelled table with these indices."""
        targets = torch.from_numpy(self._targets).float()
        return InMemory(self._encoder(self._table)[indices], targets[indices])

    def state_dict(self) -> dict[str, Any]:
        """Adds what predicting needs: the encoding, and what is predicted."""
        return {
            **super().state_dict(),
            "encoder": self._encoder.state_dict(),
            "layout": [self.layout.delimiter, list(self.layout.header)],
            "target": self.target,
            "identifier": self.identifier,
            "log_target": self.log_target,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Refuses a checkpoint that was trained on features of another encoding."""
        saved, own = Encoder.from_state(state["encoder"]), self._encoder
        same = saved.names == own.names and all(
            saved.scales[name].logarithm == scale.logarithm
            and math.isclose(saved.scales[name].mean, scale.mean, rel_tol=1e-6, abs_tol=1e-9)
            and math.isclose(saved.scales[name].std, scale.std, rel_tol=1e-6)
            for name, scale in own.scales.items()
        )
        if not same:
            given = ", ".join(f"{k} {v}" for k, v in state["arguments"].items())
            raise CorpusError(
                f"the checkpoint was trained on other rows of {self.title}, which scale the "
                f"features differently; it was trained with: {given or 'the defaults'}"
            )
