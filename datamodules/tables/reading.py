"""Tables in text or Parquet files: whole, or one line that says where they are not."""

import csv
import io
import math
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from reprlib import repr as in_short
from typing import NamedTuple

import numpy as np

from datamodules.files.errors import CorpusError
from datamodules.files.file_paths import read_file
from datamodules.files.staging import reason
from datamodules.files.text import composed, decoded

MISSING = ("", "NA")
MARKS = (
    *("", "NA", "N/A", "n/a", "NaN", "nan", "NAN", "NULL", "Null", "null", "None", "none"),
    "?",
)
PARQUET = (".parquet", ".pq")
DELIMITERS = ",;\t|"
DECIMAL_COMMA = re.compile(r"([+-]?\d+),(\d+)")
MOST = float(np.finfo(np.float32).max)  # that a feature can be


class Cells(NamedTuple):
    """The cells of a file by column, and the line that each row begins on; of Parquet its number.

    Attributes:
        path: Path of the file.
        columns: Cells of each column.
        lines: Line of each row, or its number from 1.
        unit: Word for what `lines` count.
    """

    path: Path
    columns: dict[str, list[str]]
    lines: list[int]
    unit: str = "line"

    def __len__(self) -> int:  # of rows, not of fields
        return len(self.lines)

    def at(self, row: int, column: str) -> str:
        """Returns where a cell is, for errors."""
        return f"{self.path}, {self.unit} {self.lines[row]}, column {shown(column)}"


class Layout(NamedTuple):
    """How a file is written.

    Attributes:
        delimiter: Character between the cells of a row; "" for that of , ; | and the tab which the
            first line has most of.
        header: Names of the columns where the file does not begin with them; those at the end that
            nobody wants may be missing.
        marks: Cells that say that a value is missing, and are read as empty ones. Where there are
            any, blanks around a cell are none of it, and between semicolons 1,5 is a number.
    """

    delimiter: str = ","
    header: tuple[str, ...] = ()
    marks: tuple[str, ...] = ()


def read_table(path: Path, layout: Layout, wanted: Sequence[str]) -> Cells:
    """Reads a table whose rows all have as many cells as there are columns.

    Args:
        path: The file, or one within a zip: `tables.zip!table.csv`.
        layout: Layout of the file.
        wanted: Columns that must be there; others may.

    Raises:
        CorpusError: The file cannot be read, is no text, is empty, lacks a column, or a row is
            ragged; names the file and the line or the column.
    """
    text, unit = _text(path)
    delimiter = layout.delimiter or max(DELIMITERS, key=text.lstrip().partition("\n")[0].count)
    delimiter = "," if unit == "row" else delimiter
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    rows, line = [], 1  # line_num is that of the line on which a row ends
    try:
        for cells in reader:
            if cells:
                rows.append((line, cells))
            line = reader.line_num + 1
    except csv.Error as error:
        raise CorpusError(f"{path}, line {line}: not a table ({error})") from error
    if layout.marks:
        rows = [(line, [_plain(cell, layout, delimiter) for cell in row]) for line, row in rows]
    header = list(layout.header) or (rows.pop(0)[1] if rows else [])
    if not rows:
        raise CorpusError(f"{path}: empty: there are no rows")
    if twice := [name for name, count in Counter(header).items() if count > 1]:
        raise CorpusError(f"{path}: the column {shown(twice[0])} is there twice")
    if absent := [name for name in wanted if name not in header]:
        raise CorpusError(
            f"{path}: the column {shown(absent[0])} is missing; there are: {_few(header)}"
        )
    if layout.header:
        least = 1 + max(header.index(name) for name in wanted)
        header = header[: max(least, len(rows[0][1]))]
    for line, cells in rows:
        if len(cells) != len(header):
            last = min(len(cells), len(header)) - 1
            goes = "ends in" if len(cells) < len(header) else "goes on after"
            raise CorpusError(
                f"{path}, line {line}: not {len(header)} cells but {len(cells)}: the row {goes} "
                f"column {shown(header[last])}"
            )
    columns = {name: [cells[i] for _, cells in rows] for i, name in enumerate(header)}
    lines = range(1, len(rows) + 1) if unit == "row" else (line for line, _ in rows)
    return Cells(path, columns, list(lines), unit)


def _text(path: Path) -> tuple[str, str]:
    """Returns the content of a file as CSV, and what errors count in it."""
    if path.suffix.lower() not in PARQUET:
        return decoded(path, read_file(path)), "line"
    content = read_file(path)
    try:
        from pandas import read_parquet

        frame = read_parquet(io.BytesIO(content), dtype_backend="numpy_nullable")
    except ImportError as error:
        raise CorpusError(
            f"{path}: Parquet needs a package that is missing: pip install pyarrow"
        ) from error
    except Exception as error:  # pyarrow answers a bad byte in a dozen ways
        raise CorpusError(f"{path}: not a Parquet table ({reason(error)})") from error
    return frame.to_csv(index=any(frame.index.names)), "row"


def _plain(cell: str, layout: Layout, delimiter: str) -> str:
    """Returns a cell without blanks around it, empty where it says that its value is missing."""
    cell = composed(cell.strip())
    if delimiter == ";" and (number := DECIMAL_COMMA.fullmatch(cell)):
        return ".".join(number.groups())
    return "" if cell in layout.marks else cell


def _few(names: Sequence[str]) -> str:
    more = f" and {len(names) - 8} more" if len(names) > 8 else ""
    return ", ".join(map(shown, names[:8])) + more


def shown(name: str) -> str:
    """Returns a name out of a file, short and on one line."""
    return name if name.isprintable() and 0 < len(name) <= 30 else in_short(name)


def numbers(table: Cells, column: str) -> np.ndarray:
    """A column as float64 (rows), missing cells as nan.

    Raises:
        CorpusError: A cell is neither missing nor a finite number of single precision; names
            line and column.
    """
    values = np.full(len(table), np.nan)
    for row, cell in enumerate(table.columns[column]):
        if cell not in MISSING:
            values[row] = number(cell)
            if not abs(values[row]) <= MOST:
                fault = "too large" if math.isfinite(values[row]) else "not a number"
                raise CorpusError(f"{table.at(row, column)}: {in_short(cell)} is {fault}")
    return values


def number(cell: str) -> float:
    """Returns the number that a cell says, or nan; 1_000 is one in Python alone."""
    try:
        return math.nan if "_" in cell else float(cell)
    except ValueError:
        return math.nan
