"""Files that are written whole or not at all."""

import csv
import json
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from zoo.errors import InputError


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
    try:
        if path.is_dir():
            raise IsADirectoryError(21, "Is a directory")
        made += [folder for folder in path.parents if not folder.exists()]
        path.parent.mkdir(parents=True, exist_ok=True)
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


def _sync(path: Path) -> None:
    """Sends a file, or the names in a folder, to the disk."""
    descriptor = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
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


def write_csv(path: Path, rows: Iterable[Sequence[Any]]) -> None:
    """Writes rows of cells, the header first.

    Raises:
        InputError: It cannot be written; an older file is as it was.
    """
    with written_whole(path) as partial, partial.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n").writerows(rows)


def write_json(path: Path, record: dict[str, Any]) -> None:
    """Writes a record as JSON.

    Raises:
        InputError: It cannot be written; an older file is as it was.
    """
    write_text(path, json.dumps(record, indent=2) + "\n")
