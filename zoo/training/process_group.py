"""A group of processes: none outlives the first, which names the failure that came first."""

import ctypes
import os
import re
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from torch import distributed

from zoo.errors import RankError

LOST = re.compile(r"gloo|NCCL|ProcessGroup|by peer")  # what a process says that lost another
WORD = ".failed-"
PR_SET_PDEATHSIG = 1  # of linux/prctl.h


def leave() -> None:
    """Ends this process's part in the group of a run that is over, if there is one.

    Left to the end of the program, gloo's threads may outlive what they use: the process aborts
    after all work is done. Another run of this process may form a group of its own.
    """
    if distributed.is_available() and distributed.is_initialized():
        distributed.destroy_process_group()


@contextmanager
def together(folder: Path) -> Iterator[None]:
    """Training as one of a group: ends with the process that began the run, in whatever way.

    Where the first process only hears that it lost another, it says what that one failed of.

    Args:
        folder: Of the run, by which they leave word.

    Raises:
        RankError: Another process failed first.
    """
    rank = int(os.environ.get("RANK") or os.environ.get("LOCAL_RANK") or 0)
    if rank:
        _end_with_parent()
    try:
        yield
    except Exception as error:
        only_lost = bool(LOST.search(str(error)))
        if rank and not only_lost:
            text = f"{type(error).__name__}: {_first_line(error)}"
            with suppress(OSError):  # the folder goes where nothing was trained
                (folder / f"{WORD}{rank}").write_text(text, encoding="utf-8")
        elif only_lost and not rank:
            raise _cause(folder, error) from None
        raise


def _end_with_parent() -> None:
    """Has Linux kill this process where the one that started it ends."""
    if sys.platform == "linux":
        parent = os.getppid()
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it ended just before
            os.kill(os.getpid(), signal.SIGKILL)


def _cause(folder: Path, error: Exception) -> RankError:
    """What the process that failed first left word of."""
    words = sorted(folder.glob(f"{WORD}*"), key=lambda path: path.stat().st_mtime_ns)
    said = [(path.name.removeprefix(WORD), path.read_text(encoding="utf-8")) for path in words]
    for path in words:
        path.unlink()
    if said:
        return RankError("process {} failed: {}".format(*said[0]))
    return RankError(
        f"another process is gone or hangs, perhaps killed for memory ({_first_line(error)})"
    )


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]
