"""What is computed once and kept in the user's cache: $ZOO_CACHE, or the system's folder."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import pooch

from datamodules.files.staging import staged

T = TypeVar("T")


def cache_folder(name: str) -> Path:
    """Returns the folder of the cache that has this name."""
    return Path(os.environ.get("ZOO_CACHE") or pooch.os_cache("zoo")) / name


def cached(
    path: Path,
    load: Callable[[Path], T | None],
    compute: Callable[[], T],
    save: Callable[[Path, T], None],
) -> T:
    """Returns what a file of the cache holds; computes and saves it if there is none.

    Args:
        path: Path of the file.
        load: Reads the file; gives nothing if it is absent or damaged.
        compute: Gives the value.
        save: Writes a value.

    Raises:
        CorpusError: The file cannot be written.
    """
    value = load(path)
    if value is None:
        with staged(path, "set ZOO_CACHE to a folder that can be") as part:
            value = load(path)  # another process was quicker
            if value is None:
                value = compute()
                save(part, value)
    return value
