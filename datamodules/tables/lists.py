"""Lists of things and their labels in CSV, TSV, JSON or JSONL, as people and tools write them."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from reprlib import repr as in_short
from typing import Any

from datamodules.files.class_folders import PARTS
from datamodules.files.errors import CorpusError
from datamodules.files.file_paths import read_file, within
from datamodules.files.text import LINE_END, composed, decoded
from datamodules.tables.reading import Layout, read_table

LISTS = (".csv", ".tsv", ".json", ".jsonl")  # endings of lists
LABELS = ("label", "class", "category", "target", "sentiment", "y")
SPLITS = ("split", "subset", "partition", "set")
JOINED = ("|", ";")  # between the labels of one thing that has several


def is_list(path: Path) -> bool:
    """Whether a path is that of a list, by its ending."""
    return within(path)[0].suffix.lower() in LISTS


def rows_of(path: Path, key: str) -> list[tuple[str, Mapping[str, Any]]]:
    """Returns where each row of a list is, and its cells by column.

    Args:
        path: The list; JSON is a list of objects, or one object {key: label}.
        key: Column of the keys of such an object.

    Raises:
        CorpusError: A row is wrong, or there is none; names the file and the line.
    """
    rows = [*_rows(path, key)]
    if not rows:
        raise CorpusError(f"{path}: there are no rows in it")
    return rows


def _rows(path: Path, key: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    ending = path.suffix.lower()
    if ending in (".csv", ".tsv"):
        table = read_table(path, Layout("\t" if ending == ".tsv" else ""), ())
        for index, line in enumerate(table.lines):
            cells = {name: cells[index] for name, cells in table.columns.items()}
            yield f"{path}, line {line}", cells
        return
    text = decoded(path, read_file(path))
    if ending == ".jsonl":
        lines = [(n, line) for n, line in enumerate(LINE_END.split(text), start=1) if line.strip()]
        entries = [(f"{path}, line {n}", _json(f"{path}, line {n}", line)) for n, line in lines]
    else:
        content = _json(str(path), text)
        if isinstance(content, dict):
            content = [{key: name, "label": label} for name, label in content.items()]
        if not isinstance(content, list):
            raise CorpusError(f"{path}: wanted a list of objects, or one object {{{key}: label}}")
        entries = [(f"{path}, row {n}", entry) for n, entry in enumerate(content, start=1)]
    for where, entry in entries:
        if not isinstance(entry, dict):
            raise CorpusError(f"{where}: wanted an object with a {key} and a label")
        yield where, entry


def _json(where: str, text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise CorpusError(f"{where}: not JSON ({error})") from error


def column_of(
    path: Path,
    columns: Sequence[str],
    given: str | None,
    names: Sequence[str],
    option: str,
    rest: Sequence[str],
) -> str:
    """Returns the column that is given or known by its name, or the only one that is left.

    Args:
        path: The list.
        columns: Its columns.
        given: The one that the user names, if any.
        names: Names by which it is known.
        option: Option that names it.
        rest: Columns that it may be.

    Raises:
        CorpusError: There is no such column, or none is told.
    """
    if given is not None and given not in columns:
        raise CorpusError(f"{path}: there is no column {given!r}; there are: {', '.join(columns)}")
    found = given or known_column(columns, names) or (rest[0] if len(rest) == 1 else None)
    if found is None:
        raise CorpusError(
            f"{path}: which of its columns is meant? --data.{option} one of {', '.join(rest)}"
        )
    return found


def known_column(columns: Sequence[str], names: Sequence[str]) -> str | None:
    """Returns the first column that is called by one of the names, in whatever case."""
    lower = {column.strip().lower(): column for column in columns}
    return next((lower[name] for name in names if name in lower), None)


def part_in(where: str, row: Mapping[str, Any], split: str | None) -> str:
    """Returns the part that a row says it is of; train where no column says.

    Raises:
        CorpusError: It is none.
    """
    named = row.get(split) if split else "train"
    part = PARTS.get(str(named).strip().lower())
    if part is None:
        raise CorpusError(f"{where}: {split} is {named!r}; wanted train, val or test")
    return part


def label_in(where: str, value: Any, unit: str) -> str:
    """Returns the name of one class, of the text or number that a row has.

    Args:
        where: Where the row is.
        value: Its label.
        unit: What has the label.

    Raises:
        CorpusError: There is no label, or there are several.
    """
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    several = isinstance(value, list | dict) or any(mark in str(value) for mark in JOINED)
    if several and value:
        raise CorpusError(
            f"{where}: several labels, {in_short(value)}: a {unit} has one class here (what takes "
            f"several labels a {unit} is a task of its own)"
        )
    if value is None or not str(value).strip() or isinstance(value, float | list | dict):
        raise CorpusError(f"{where}: {in_short(value)} is no label")
    return composed(str(value).strip())


def refuse_joined(rows: Iterable[tuple[str, str]], unit: str) -> None:
    """Refuses a label that is several, as "a,b" is beside rows of a and of b.

    Args:
        rows: Where each row is, and its label.
        unit: What has the label.

    Raises:
        CorpusError: A label is several; names the first such row.
    """
    first: dict[str, str] = {}
    for where, label in rows:
        first.setdefault(label, where)
    for label, where in first.items():
        parts = [part.strip() for part in label.split(",")]
        if len(parts) > 1 and all(part in first for part in parts):
            raise CorpusError(f"{where}: several labels, {label!r}: a {unit} has one class here")
