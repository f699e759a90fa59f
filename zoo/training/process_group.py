"""Ranks of a run: the first one reports the failure that came first."""

import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from torch import distributed

from zoo.errors import RankError
from zoo.training.signals import own_rank

LOST = re.compile(
    r"gloo|NCCL|ProcessGroup|by peer|waiting for clients"
)  # what a process says that lost another
REPORT = ".failed-"


def destroy_group() -> None:
    """Destroys the process group of a run that is over, if there is one.

    At the end of the program it is too late: gloo's threads may outlive what they use, and the
    process aborts after all work is done. A later run of this process may form another group.
    """
    if distributed.is_available() and distributed.is_initialized():
        distributed.destroy_process_group()


@contextmanager
def report_rank_failures(folder: Path) -> Iterator[None]:
    """Has the first process report which rank failed first.

    Args:
        folder: Folder of the run, in which failed ranks leave their error for the first process,
            which would only know that it lost a connection.

    Raises:
        RankError: Another process failed first; the ranks but the first don't know which.
    """
    rank = own_rank()
    try:
        yield
    except Exception as error:
        only_lost = bool(LOST.search(str(error)))
        if rank and not only_lost:
            text = f"{type(error).__name__}: {_first_line(error)}"
            with suppress(OSError):  # the folder goes where nothing was trained
                (folder / f"{REPORT}{rank}").write_text(text, encoding="utf-8")
        elif only_lost:
            raise (_lost(error) if rank else _cause(folder, error)) from None
        raise


def _cause(folder: Path, error: Exception) -> RankError:
    """Returns the error of the rank that failed first, by the files that the ranks left."""
    reports = sorted(folder.glob(f"{REPORT}*"), key=lambda path: path.stat().st_mtime_ns)
    said = [(path.name.removeprefix(REPORT), path.read_text(encoding="utf-8")) for path in reports]
    for path in reports:
        path.unlink()
    if said:
        return RankError("process {} failed: {}".format(*said[0]))
    return _lost(error)


def _lost(error: Exception) -> RankError:
    return RankError(
        f"another process is gone or hangs, perhaps killed for memory ({_first_line(error)})"
    )


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]
