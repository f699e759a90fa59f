"""Tables in text files: whole, or one line that says where they are not."""

import csv
import io
import math
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from reprlib import repr as in_short
from typing import NamedTuple

import numpy as np

from datamodules.files.errors import CorpusError
from datamodules.files.file_paths import read_file
from datamodules.files.text import decoded

MISSING = ("", "NA")
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
        delimiter: Character between the cells of a row.
        header: Names of the columns where the file does not begin with them; those at the end that
            nobody wants may be missing.
    """

    delimiter: str = ","
    header: tuple[str, ...] = ()


def read_table(path: Path, layout: Layout, wanted: Sequence[str]) -> Table:
    """Reads a table whose rows all have as many cells as there are columns.

    Args:
        path: The file, or one within a zip: `tables.zip!table.csv`.
        layout: Layout of the file.
        wanted: Columns that must be there; others may.

    Raises:
        CorpusError: The file cannot be read, is no text, is empty, lacks a column, or a row is
            ragged; names the file and the line or the column.
    """
    text = io.StringIO(decoded(path, read_file(path)), newline="")
    reader = csv.reader(text, delimiter=layout.delimiter, strict=True)
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
