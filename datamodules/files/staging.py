"""Whole or absent: what is written beside its place gets its name last, under a lock."""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import IO, Concatenate, ParamSpec

from filelock import FileLock

from datamodules.files.errors import CorpusError

P = ParamSpec("P")


@contextmanager
def staged(target: Path, way_out: str = "") -> Iterator[Path]:
    """Locks `target` and hands out a place beside it: what stands there at the end becomes it.

    Args:
        target: File or folder to write.
        way_out: Advice if it cannot be written.

    Raises:
        CorpusError: It cannot be written.
    """
    part = target.with_name(f".{target.name}.part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(target.with_name(f".{target.name}.lock")):
            _sweep(part)
            try:
                yield part
                if part.exists():
                    part.replace(target)
            finally:
                _sweep(part)
    except OSError as error:
        advice = f": {way_out}" if way_out else ""
        raise CorpusError(f"{target}: cannot be written ({reason(error)}){advice}") from error


def written_once(
    write: Callable[Concatenate[Path, P], None],
) -> Callable[Concatenate[Path, P], None]:
    """Decorates a function that writes a file or folder: does nothing if the target exists.

    Several processes may call it at once; the first one writes, at a place beside the target.

    Raises:
        CorpusError: It cannot be written.
    """

    @wraps(write)
    def written(target: Path, *args: P.args, **kwargs: P.kwargs) -> None:
        if target.exists():
            return
        with staged(target) as part:
            if not target.exists():  # another process was not quicker
                write(part, *args, **kwargs)

    return written


def _sweep(part: Path) -> None:
    if part.is_dir() and not part.is_symlink():
        shutil.rmtree(part)
    else:
        part.unlink(missing_ok=True)


def flush(file: IO[bytes]) -> None:
    """Sends the bytes to the disk, so that a name never outlives a power cut without them."""
    file.flush()
    os.fsync(file.fileno())


def reason(error: Exception) -> str:
    """A failure in a few words: what requests says of one fills a screen."""
    if status := getattr(getattr(error, "response", None), "status_code", None):
        return f"HTTP {status}"
    if isinstance(error, OSError):
        return error.strerror or type(error).__name__
    return " ".join(str(error).split()) or type(error).__name__
