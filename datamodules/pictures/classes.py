"""Pictures and their classes: by the folders that they lie in, or by a list of them."""

from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

from datamodules.files.class_folders import by_class
from datamodules.files.errors import CorpusError
from datamodules.files.file_paths import FilePath
from datamodules.pictures.names import PictureNames
from datamodules.pictures.rows import is_picture, named_pictures, pictures_in
from datamodules.tables.lists import (
    LABELS,
    SPLITS,
    column_of,
    known_column,
    label_in,
    part_in,
    refuse_joined,
    rows_of,
)

FILES = ("file", "filename", "file_name", "filepath", "file_path", "path", "image", "picture", "id")


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
    divided = by_class(place, named.items(), "picture")
    return {part: [Labelled(*each) for each in found] for part, found in divided.items()}


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
    rows = rows_of(path, "file")
    columns = list(rows[0][1])
    if found := next((name for name in columns if is_picture(name)), None):
        raise CorpusError(
            f"{path}: its first line has to name the columns (file,label), not {found}"
        )
    files = column_of(path, columns, file_column, FILES, "file_column", columns[:-1])
    split = known_column(columns, SPLITS)
    rest = [name for name in columns if name not in (files, split)]
    labels = column_of(path, columns, label_column, LABELS, "label_column", rest)
    pictures = _Pictures(place)
    seen: dict[FilePath, tuple[str, str]] = {}
    divided: dict[str, list[Labelled]] = {}
    every: list[str] = []
    for where, row in rows:
        label = label_in(where, row.get(labels), "picture")
        every.append(label)
        picture = pictures.find(where, row.get(files))
        if picture in seen:
            before, which = seen[picture]
            twice = "twice" if which == label else f"as {which!r} too: a picture has one class here"
            raise CorpusError(f"{where}: {picture} is in {before} already, {twice}")
        seen[picture] = where.rpartition(", ")[2], label
        part = part_in(where, row, split)
        divided.setdefault(part, []).append(Labelled(picture, label))
    refuse_joined(
        ((where, label) for (where, row), label in zip(rows, every, strict=True)), "picture"
    )
    return divided


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
        given = str(name or "").strip()
        text = given.replace("\\", "/")
        if not text:
            raise CorpusError(f"{where}: it names no file")
        if self.place.is_dir() and (path := self.place / text).is_file():
            return FilePath(path)
        if "/" in text and (named := self._names.find(given)):
            return named
        last = PurePosixPath(text).name
        found = self._named.get(last) or self._stems.get(last) or []
        if len(found) > 1:
            raise CorpusError(f"{where}: there are {found[0]} and {found[1]} for {text!r}")
        if not found:
            raise CorpusError(f"{where}: there is no picture {given!r} in {self.place}")
        return found[0]

    @cached_property
    def _names(self) -> PictureNames:
        """Finds paths of other machines."""
        place = self.place if self.place.is_dir() else Path(f"{self.place}!")
        return PictureNames(named_pictures(place))

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
