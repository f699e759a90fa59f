"""Pictures and their classes: by the folders that they lie in, or by a list of them."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from pathlib import Path, PurePosixPath
from reprlib import repr as in_short
from typing import Any, NamedTuple

from datamodules.files.errors import CorpusError
from datamodules.files.file_paths import FilePath, read_file, within
from datamodules.files.text import decoded
from datamodules.pictures.rows import named_pictures, pictures_in
from datamodules.tables.reading import Layout, read_table

PARTS = {  # what people call the parts of a corpus
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("val", "valid", "validation", "dev"), "val"),
    **dict.fromkeys(("test", "testing"), "test"),
}
LISTS = (".csv", ".tsv", ".json", ".jsonl")  # endings of lists
FILES = ("file", "filename", "file_name", "filepath", "file_path", "path", "image", "picture", "id")
LABELS = ("label", "class", "category", "target", "y")
SPLITS = ("split", "subset", "partition", "set")
JOINED = ("|", ";")  # between the labels of a picture that has several


class Labelled(NamedTuple):
    """A picture and what it shows.

    Attributes:
        picture: Path of the picture.
        label: Name of its class.
    """

    picture: FilePath
    label: str


def by_folder(place: Path) -> dict[str, list[Labelled]]:
    """Finds `<class>/...` or `{train,val,test}/<class>/...` in a folder or a zip.

    Folders around those are looked through, as a zip of a folder has one.

    Args:
        place: The folder or the zip.

    Returns:
        The pictures of each part that is there; of train alone where there are no parts.

    Raises:
        CorpusError: A picture lies in no folder of a class, or there is no picture.
    """
    named = named_pictures(place if place.is_dir() else Path(f"{place}!"))
    found = [(PurePosixPath(name).parts, picture) for name, picture in named.items()]
    if not found:
        raise CorpusError(f"{place}: there are no pictures in it")
    names = _firsts(found)
    while len(names) == 1 and not _parts(names) and all(len(parts) > 2 for parts, _ in found):
        found = [(parts[1:], picture) for parts, picture in found]
        names = _firsts(found)
    divided: dict[str, list[Labelled]] = {}
    by_part = _parts(names)
    for parts, picture in found:
        part = PARTS.get(parts[0].lower()) if by_part else "train"
        inside = parts[1:] if by_part else parts
        if part is None:
            raise CorpusError(f"{picture}: it lies in none of the folders {', '.join(by_part)}")
        if len(inside) < 2:
            raise CorpusError(
                f"{picture}: it lies in no folder of a class; wanted {place}/<class>/<picture>, "
                f"{place}/train/<class>/<picture>, or a list of files and labels: --data.path a.csv"
            )
        divided.setdefault(part, []).append(Labelled(picture, inside[0]))
    return divided


def _firsts(found: Iterable[tuple[tuple[str, ...], FilePath]]) -> list[str]:
    return sorted({parts[0] for parts, _ in found})


def _parts(names: Iterable[str]) -> list[str]:
    """The names that are those of parts, if train or all of them are."""
    parts = [name for name in names if name.lower() in PARTS]
    trains = any(PARTS[name.lower()] == "train" for name in parts)
    return parts if trains or len(parts) == len(list(names)) else []


def by_list(
    path: Path, place: Path, file_column: str | None = None, label_column: str | None = None
) -> dict[str, list[Labelled]]:
    """Reads a CSV, TSV, JSON or JSONL file of pictures and their classes.

    JSON is a list of objects, or one object {file: label}.

    Args:
        path: The list.
        place: Folder or zip from which its paths start, or in which the files of its names lie.
        file_column: Column of the paths; by default known by its name, or the first.
        label_column: Column of the classes; by default known by its name, or the only other.

    Returns:
        The pictures of each part that a column `split` names; of train alone without one.

    Raises:
        CorpusError: A row is wrong; names the file and the line.
    """
    rows = [*_rows(path)]
    if not rows:
        raise CorpusError(f"{path}: there are no rows in it")
    columns = list(rows[0][1])
    files = _column(path, columns, file_column, FILES, "file_column", columns[: len(columns) - 1])
    split = _known(columns, SPLITS)
    rest = [name for name in columns if name not in (files, split)]
    labels = _column(path, columns, label_column, LABELS, "label_column", rest)
    pictures = _Pictures(place)
    seen: dict[FilePath, tuple[str, str]] = {}
    divided: dict[str, list[Labelled]] = {}
    for where, row in rows:
        label, picture = _label(where, row.get(labels)), pictures.find(where, row.get(files))
        if picture in seen:
            before, which = seen[picture]
            twice = "twice" if which == label else f"as {which!r} too: a picture has one class here"
            raise CorpusError(f"{where}: {picture} is in {before} already, {twice}")
        seen[picture] = where.rpartition(", ")[2], label
        named = row.get(split) if split else "train"
        part = PARTS.get(str(named).strip().lower())
        if part is None:
            raise CorpusError(f"{where}: {split} is {named!r}; wanted train, val or test")
        divided.setdefault(part, []).append(Labelled(picture, label))
    return divided


def _rows(path: Path) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yields where each row of a list is, and its cells by column."""
    ending = path.suffix.lower()
    if ending in (".csv", ".tsv"):
        table = read_table(path, Layout("\t" if ending == ".tsv" else ","), ())
        for index, line in enumerate(table.lines):
            cells = {name: cells[index] for name, cells in table.columns.items()}
            yield f"{path}, line {line}", cells
        return
    text = decoded(path, read_file(path))
    if ending == ".jsonl":
        lines = [(n, line) for n, line in enumerate(text.splitlines(), start=1) if line.strip()]
        entries = [(f"{path}, line {n}", _json(f"{path}, line {n}", line)) for n, line in lines]
    else:
        content = _json(str(path), text)
        if isinstance(content, dict):
            content = [{"file": name, "label": label} for name, label in content.items()]
        if not isinstance(content, list):
            raise CorpusError(f"{path}: wanted a list of objects, or one object {{file: label}}")
        entries = [(f"{path}, row {n}", entry) for n, entry in enumerate(content, start=1)]
    for where, entry in entries:
        if not isinstance(entry, dict):
            raise CorpusError(f"{where}: wanted an object with a file and a label")
        yield where, entry


def _json(where: str, text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise CorpusError(f"{where}: not JSON ({error})") from error


def _column(
    path: Path,
    columns: list[str],
    given: str | None,
    names: tuple[str, ...],
    option: str,
    rest: list[str],
) -> str:
    """Returns the column that is given or known by its name, or the only one that is left."""
    if given is not None and given not in columns:
        raise CorpusError(f"{path}: there is no column {given!r}; there are: {', '.join(columns)}")
    found = given or _known(columns, names) or (rest[0] if len(rest) == 1 else None)
    if found is None:
        raise CorpusError(
            f"{path}: which of its columns is meant? --data.{option} one of {', '.join(columns)}"
        )
    return found


def _known(columns: list[str], names: tuple[str, ...]) -> str | None:
    lower = {column.strip().lower(): column for column in columns}
    return next((lower[name] for name in names if name in lower), None)


def _label(where: str, value: Any) -> str:
    """Returns the name of one class, of the text or number that a row has."""
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    several = isinstance(value, list | dict) or any(mark in str(value) for mark in JOINED)
    if several and value:
        raise CorpusError(
            f"{where}: several labels, {in_short(value)}: a picture has one class here (what takes "
            "several labels a picture is a task of its own)"
        )
    if value is None or not str(value).strip() or isinstance(value, float | list | dict):
        raise CorpusError(f"{where}: {in_short(value)} is no label")
    return str(value).strip()


class _Pictures:
    """Finds pictures by what lists call them: a path, or the name of one somewhere below a folder.

    Args:
        place: Folder or zip of the pictures.
    """

    def __init__(self, place: Path) -> None:
        self.place = place

    def find(self, where: str, name: Any) -> FilePath:
        """Returns the picture that a row names.

        Raises:
            CorpusError: There is none, or there are several of that name.
        """
        text = str(name or "").strip().replace("\\", "/")
        if not text:
            raise CorpusError(f"{where}: it names no file")
        if self.place.is_dir() and (path := self.place / text).is_file():
            return FilePath(path)
        last = PurePosixPath(text).name
        found = self._named.get(last) or self._stems.get(last) or []
        if len(found) > 1:
            raise CorpusError(f"{where}: there are {found[0]} and {found[1]} for {text!r}")
        if not found:
            raise CorpusError(f"{where}: there is no picture {text!r} in {self.place}")
        return found[0]

    @cached_property
    def _all(self) -> list[FilePath]:
        return pictures_in(self.place)

    @cached_property
    def _named(self) -> dict[str, list[FilePath]]:
        found: dict[str, list[FilePath]] = {}
        for picture in self._all:
            found.setdefault(PurePosixPath(picture.member or picture.path).name, []).append(picture)
        return found

    @cached_property
    def _stems(self) -> dict[str, list[FilePath]]:
        found: dict[str, list[FilePath]] = {}
        for picture in self._all:
            found.setdefault(picture.name, []).append(picture)
        return found


def counted(labels: Iterable[str]) -> str:
    """Says how many pictures the largest and the smallest class have, if that is far apart."""
    counts = Counter(labels).most_common()
    (most, many), (least, few) = counts[0], counts[-1]
    return f"; from {few:,} ({least}) to {many:,} ({most}) a class" if many >= 3 * few else ""


def is_list(path: Path) -> bool:
    """Whether a path is that of a list, by its ending."""
    return within(path)[0].suffix.lower() in LISTS
