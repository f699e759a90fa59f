"""Files: written whole or not at all, read with an error of one line, numbered."""

import csv
import json
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from io import StringIO
from pathlib import Path
from typing import Any, TypeVar

import yaml

from zoo.errors import InputError

try:
    import fcntl
except ImportError:  # Windows, where nothing is locked
    fcntl = None  # type: ignore[assignment]

T = TypeVar("T")
NO_LINK = getattr(os, "O_NOFOLLOW", 0)
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")  # how texts begin that spreadsheets reckon with


@contextmanager
def written_whole(path: Path, advice: str = "") -> Iterator[Path]:
    """Yields a temporary name beside `path`; what is written there becomes the file at the end.

    The file is synced before it gets its name, and its folder afterwards, so that the name holds a
    whole file even after a kill or a loss of power. After an error an older file is as it was, and
    neither the temporary file nor a folder that was made for it is left.

    Args:
        path: Name of the file; its folder is made if absent.
        advice: What to do if it cannot be written, after the reason.

    Raises:
        InputError: It cannot be written.
    """
    partial = path.with_name(f".{path.name}.partial")  # one name: a kill leaves one at most
    made: list[Path] = []
    lock = None
    try:
        if path.is_dir():
            raise IsADirectoryError(21, "Is a directory")
        made += [folder for folder in path.parents if not folder.exists()]
        path.parent.mkdir(parents=True, exist_ok=True)
        # Anew: what a kill has left, or a link to another file that somebody laid there, goes.
        partial.unlink(missing_ok=True)
        lock = _locked(partial) if fcntl else None
        yield partial
        _sync(partial)
        partial.replace(path)
        made.clear()
        with suppress(OSError):  # some network file systems cannot
            _sync(path.parent)
    except OSError as error:
        reason = error.strerror or error
        raise InputError(f"{path}: cannot be written ({reason}){advice}") from None
    finally:
        with suppress(OSError):
            partial.unlink(missing_ok=True)
            for folder in made:
                folder.rmdir()
        if lock is not None:
            os.close(lock)


def _locked(partial: Path) -> int:
    """Makes an empty file that is locked as long as what is returned is open."""
    flags = os.O_CREAT | os.O_EXCL | NO_LINK | os.O_WRONLY
    while True:
        lock = os.open(partial, flags, 0o666)
        with suppress(OSError):  # some network file systems cannot
            fcntl.flock(lock, fcntl.LOCK_EX)
        if os.fstat(lock).st_nlink:
            return lock
        os.close(lock)  # `remove_partial` was quicker


def remove_partial(partial: Path) -> None:
    """Removes the temporary file of a process that was killed, not one that is being written."""
    with suppress(OSError):
        if fcntl is None:
            return partial.unlink()
        lock = os.open(partial, os.O_RDWR | NO_LINK)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            partial.unlink()
        finally:
            os.close(lock)


def _sync(path: Path) -> None:
    """Sends a file, or the names in a folder, to the disk."""
    descriptor = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR | NO_LINK)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_text(path: Path, text: str, advice: str = "") -> None:
    """Writes a text as UTF-8.

    Raises:
        InputError: It cannot be written; an older file is as it was.
    """
    with written_whole(path, advice) as partial:
        partial.write_bytes(text.encode())


def write_csv(path: Path, rows: Iterable[Iterable[Any]]) -> None:
    """Writes rows of cells, the header first.

    Raises:
        InputError: It cannot be written; an older file is as it was.
    """
    write_text(path, csv_text(rows))


def csv_text(rows: Iterable[Iterable[Any]]) -> str:
    """Returns rows of cells as CSV that a spreadsheet takes no formula out of.

    A text that could be one gets an apostrophe in front, by which they know a text.
    """
    text = StringIO()
    csv.writer(text, lineterminator="\n").writerows(map(_without_formula, row) for row in rows)
    return text.getvalue()


def _without_formula(cell: Any) -> Any:
    if not isinstance(cell, str) or not cell.startswith(FORMULA) or len(cell) == 1:
        return cell
    try:
        float(cell)
    except ValueError:
        return f"'{cell}"
    return cell


def write_json(path: Path, record: dict[str, Any]) -> None:
    """Writes a record as JSON.

    Raises:
        InputError: It cannot be written; an older file is as it was.
    """
    write_text(path, json.dumps(record, indent=2) + "\n")


def parsed(path: Path, parse: Callable[[str], T]) -> T:
    """Returns what `parse` makes of a text file.

    Raises:
        InputError: The file cannot be read, or `parse` refuses its text; says why.
    """
    try:
        return parse(path.read_text(encoding="utf-8"))
    except RecursionError:
        raise InputError(f"{path}: cannot be read (nested too deeply)") from None
    except (OSError, ValueError, TypeError, KeyError, csv.Error, yaml.YAMLError) as error:
        mark = getattr(error, "problem_mark", None)
        reason = str(getattr(error, "strerror", error))
        reason = f"not YAML in line {mark.line + 1}" if mark else " ".join(reason.split())
        raise InputError(f"{path}: cannot be read ({reason})") from None


def numbered(form: Path, make: Callable[[Path], object], first: int = 1) -> Path:
    """Makes the first path that does not exist; two processes at once make two.

    Args:
        form: Path, with {} for its number.
        make: Function that makes a path, and raises FileExistsError if it exists.
        first: Number to begin with.
    """
    number = first
    while True:
        path = form.with_name(form.name.format(number))
        try:
            make(path)
        except FileExistsError:
            number += 1
        else:
            return path
