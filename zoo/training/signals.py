"""Signals only raise a flag: nothing is saved within a handler, where a step may be half done."""

import atexit
import ctypes
import os
import re
import signal
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any

from zoo.errors import StoppedError

PR_SET_PDEATHSIG = 1  # of linux/prctl.h
STARTER = "ZOO_STARTER"  # the process that starts the ranks of its run
SIGHUP, SIGUSR1 = (getattr(signal, name, None) for name in ("SIGHUP", "SIGUSR1"))  # not on Windows
SIGNALS = tuple(filter(None, (signal.SIGTERM, SIGHUP, signal.SIGINT, SIGUSR1)))
ENDING = tuple(filter(None, (signal.SIGTERM, SIGHUP)))
Handler = Callable[[int, FrameType | None], Any] | int | None


class SignalListener:
    """Records the signal received while it listens; a second Ctrl-C ends the program at once.

    What is ignored stays so: SIGHUP under nohup, Ctrl-C in the background of a shell.

    Attributes:
        received: The signal's number; None before any.
    """

    def __init__(self) -> None:
        self.received: int | None = None
        self._before: dict[int, Handler] = {}

    def listen(self) -> None:
        """Takes the signals over, where that is not done; only the main thread can.

        SLURM's warning may have come before: see `hear_warning`.
        """
        _state.passes_over = False
        if _state.warned and self.received is None:
            self.received = SIGUSR1
        for number in SIGNALS:
            current = signal.getsignal(number)
            if current not in (self._note, signal.SIG_IGN):
                try:
                    signal.signal(number, self._note)
                except ValueError:  # not in the main thread: somebody else listens
                    return
                self._before.setdefault(number, current)

    def stop(self) -> None:
        """Gives the signals back."""
        for number, handler in self._before.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
        self._before.clear()

    def _note(self, number: int, frame: FrameType | None) -> None:
        if number == signal.SIGINT and self.received == signal.SIGINT:
            signal.default_int_handler(number, frame)
        if number == SIGHUP:
            _leave_terminal()
        if self.received in (None, SIGUSR1):  # the end is more urgent than its announcement
            self.received = number


@contextmanager
def stopped_at_once() -> Iterator[None]:
    """Raises StoppedError where a signal ends the block, as long as no `SignalListener` listens.

    By default it would end the process, which could leave nothing as it found it.
    """

    def stop(number: int, frame: FrameType | None) -> None:
        if _state.passes_over:
            return
        if number == SIGHUP:
            _leave_terminal()
        name = signal.Signals(number).name
        raise StoppedError(number, f"stopped by {name} before its first step")

    before = {number: signal.getsignal(number) for number in ENDING}
    taken = [number for number, handler in before.items() if handler == signal.SIG_DFL]
    with suppress(ValueError):  # not in the main thread: somebody else listens
        for number in taken:
            signal.signal(number, stop)
    try:
        yield
    finally:
        with suppress(ValueError):
            for number in taken:
                signal.signal(number, signal.SIG_IGN if _state.passes_over else signal.SIG_DFL)


def _leave_terminal() -> None:
    """Has what is still said go nowhere: to write to a terminal that was closed is an error."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for descriptor in (1, 2):
        with suppress(OSError):
            if stat.S_ISCHR(os.fstat(descriptor).st_mode):
                os.dup2(nowhere, descriptor)
    os.close(nowhere)


class _State:
    """What is known of the signals of this process between two listeners.

    Attributes:
        warned: Whether SIGUSR1 came when nobody listened.
        passes_over: Whether this process is ending by itself.
    """

    warned = passes_over = False


_state = _State()


def hear_warning() -> None:
    """Keeps SIGUSR1, by which SLURM says that a job's time is up, until a run listens.

    Called first of all: it would end a process that still imports or reads.
    """

    def note(number: int, frame: FrameType | None) -> None:
        _state.warned = True

    if SIGUSR1 and slurm_job():
        with suppress(ValueError):  # not in the main thread
            signal.signal(SIGUSR1, note)
            # Python drops its handlers as it ends, and a run that is done ends as ever.
            atexit.register(signal.signal, SIGUSR1, signal.SIG_IGN)


def pass_over_signals() -> None:
    """Has this process end by itself: SLURM ends all those of a job that it requeues."""
    _state.passes_over = True
    with suppress(ValueError):  # not in the main thread
        signal.signal(signal.SIGTERM, signal.SIG_IGN)


def slurm_job() -> str | None:
    """The id of the batch job that this process is of, with its number in an array of jobs."""
    job = os.environ.get("SLURM_JOB_ID")
    if not job or os.environ.get("SLURM_JOB_NAME") in ("bash", "interactive"):
        return None
    array = os.environ.get("SLURM_ARRAY_JOB_ID")
    return f"{array}_{os.environ['SLURM_ARRAY_TASK_ID']}" if array else job


def requeue(job: str) -> str:
    """Asks SLURM to run a job again; says what came of it."""
    if not re.fullmatch(r"[\d_]+", job):
        return f"not requeued: {job!r} is no number of a job"
    try:
        done = subprocess.run(
            ["scontrol", "requeue", job], capture_output=True, text=True, timeout=60
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"not requeued: {error}"
    if done.returncode:
        return f"not requeued: scontrol says {done.stderr.strip() or done.returncode}"
    return f"job {job} is requeued"


def own_rank() -> int:
    """Returns the rank that the launcher of this process gave it; 0 where there is none."""
    given = map(os.environ.get, ("RANK", "LOCAL_RANK", "SLURM_PROCID"))
    return int(next(filter(None, given), 0))


def end_with_first_rank() -> None:
    """Has Linux kill this process, a rank, where the one that started it ends or has ended.

    Called first of all: a rank that waits for one that was killed waits for minutes.
    """
    if own_rank() == 0:
        os.environ[STARTER] = str(os.getpid())
    elif sys.platform == "linux":
        launchers = {"TORCHELASTIC_RUN_ID", "SLURM_PROCID"} & set(os.environ)
        parent = os.getppid() if launchers else int(os.environ.get(STARTER, os.getppid()))
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it ended before
            os.kill(os.getpid(), signal.SIGKILL)


GRACE = 60.0  # seconds that a trial has to save what it did
