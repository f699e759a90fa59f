"""Paths of files in a folder, or within a zip that is read in place.

A place within a zip is written `pictures.zip!train`, and `Path("pictures.zip!") / "train"` is one.
"""

import io
import os
import re
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import closing
from functools import cache
from os import getpid
from pathlib import Path, PurePosixPath
from typing import IO, NamedTuple

from datamodules.files.errors import CorpusError
from datamodules.files.staging import reason

MOST_BYTES = 1 << 28  # of a file within a zip, which is read at once
PARTS = re.compile(r"\d+|\D+")

# What a damaged file or zip raises; RuntimeError where it is encrypted, SyntaxError of Pillow.
DAMAGE = (OSError, SyntaxError, ValueError, EOFError, RuntimeError, zlib.error, zipfile.BadZipFile)


class FilePath(NamedTuple):
    """Where a file is: in a folder, or as a member of a zip."""

    path: Path
    member: str = ""

    def __str__(self) -> str:
        return f"{self.path}!{self.member}" if self.member else f"{self.path}"

    @property
    def name(self) -> str:
        """The name of the file, without folders and ending."""
        return PurePosixPath(self.member or self.path.name).stem

    @property
    def folder(self) -> str:
        """The name of the folder that it lies in."""
        return PurePosixPath(self.member).parent.name if self.member else self.path.parent.name

    @property
    def stamp(self) -> str:
        """What tells it from every other of that name: its size, and its checksum or its time."""
        if self.member:
            info = _archive(self.path, getpid()).getinfo(self.member)
            return f"{self.folder}/{self.name} {info.file_size} {info.CRC:08x}"
        status = self.path.stat()
        return f"{self.folder}/{self.name} {status.st_size} {status.st_mtime_ns}"

    def open(self) -> IO[bytes]:
        """Its content; of a member all of it, whose checksum zipfile compares at the end."""
        if not self.member:
            return self.path.open("rb")
        archive = _archive(self.path, getpid())
        if archive.getinfo(self.member).file_size > MOST_BYTES:
            raise ValueError(f"it has over {MOST_BYTES:,} bytes")
        return io.BytesIO(archive.read(self.member))


def within(place: Path) -> tuple[Path, str]:
    """The zip, and the folder or member in it: a.zip, train of `a.zip!train`."""
    before, found, inside = str(place).partition(".zip!")
    return (Path(f"{before}.zip"), inside.strip("/")) if found else (place, "")


def folder_or_zip(root: Path, name: str, signs: Sequence[str]) -> Path | None:
    """The folder `name` where one of `signs` is in it, or a zip of that name there or beside it."""
    folder = root / name
    if any((folder / sign).exists() for sign in signs):
        return folder
    archives = (folder / f"{name}.zip", root / f"{name}.zip")
    return next((archive for archive in archives if archive.is_file()), None)


def unwrapped(place: Path, name: str) -> Path:
    """The folder, or the place within the zip, below a folder `name` where the zip has one."""
    if place.is_dir():
        return place
    wrapped = any(file.member.startswith(f"{name}/") for file in files_in(place))
    return Path(f"{place}!{name if wrapped else ''}")


def files_in(place: Path) -> list[FilePath]:
    """The files of a folder or a zip and all folders within, 9.png before 10.png.

    Args:
        place: A folder, a zip, or a folder within a zip.

    Raises:
        CorpusError: The place cannot be read.
    """
    try:
        if place.is_dir():
            found = [FilePath(Path(path)) for path in _below(str(place), ())]
        else:
            path, inside = within(place)
            names = _archive(path, getpid()).namelist()
            start = f"{inside}/" if inside else ""
            found = [FilePath(path, name) for name in names if name.startswith(start)]
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        why = reason(error)
        raise CorpusError(f"{place}: cannot be read as a folder or a zip ({why})") from error
    return sorted(found, key=_counting)


def _below(folder: str, above: tuple[str, ...]) -> Iterator[str]:
    """Yields the paths of all files below a folder, through links but not in circles.

    Args:
        folder: The folder.
        above: Real paths of the folders that lead to it.
    """
    real = os.path.realpath(folder)
    if real in above:
        return
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_file():
                yield entry.path
            elif entry.is_dir():
                yield from _below(entry.path, (*above, real))


def _counting(place: FilePath) -> list[tuple[int, str]]:
    """A key by which digits sort as numbers."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in PARTS.findall(str(place))]


@cache
def _archive(path: Path, process: int) -> zipfile.ZipFile:
    """One handle a process: workers must not share the position in the file."""
    return zipfile.ZipFile(path)


def read_file(place: Path) -> bytes:
    """The content of a small file in a folder or a zip.

    Raises:
        CorpusError: It is not there or cannot be read.
    """
    path, inside = within(place)
    try:
        with closing(FilePath(path, inside).open()) as file:
            return file.read()
    except KeyError as error:
        raise CorpusError(f"{place}: the archive has no such member") from error
    except DAMAGE as error:
        raise CorpusError(f"{place}: cannot be read ({why(error)})") from error


def why(error: Exception) -> str:
    """A failure in a few words; Pillow's own errors are OSErrors without a system's text."""
    return getattr(error, "strerror", None) or " ".join(str(error).split()) or type(error).__name__
