"""Commands in processes of their own, forked from one that has imported torch already.

They end without what `atexit` was told; what happens there is tested by whole processes.
"""

import atexit
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
from contextlib import suppress
from functools import cache
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import IO

LIBRARIES = ["lightning.pytorch.cli", "torchmetrics", "torchvision", "matplotlib.figure"]


@cache
def context():
    """Returns the context whose server forks commands; it lives as long as the tests."""
    found = multiprocessing.get_context("forkserver")
    found.set_forkserver_preload(LIBRARIES)
    return found


def _run(argv: list[str], folder: str, environment: dict[str, str], pipes: list[str]) -> None:
    """Runs the command as the leader of a session."""
    os.setsid()
    multiprocessing.set_start_method(None, force=True)  # its own processes start as users' do
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    for number, pipe in enumerate(pipes, 1):
        os.dup2(os.open(pipe, os.O_WRONLY), number)
    sys.stdout, sys.stderr = (
        os.fdopen(number, "w", buffering=1, closefd=False) for number in (1, 2)
    )
    sys.argv = ["zoo", *argv]
    from zoo.cli.main import main

    sys.exit(main(argv))


class Command:
    """`zoo` with arguments: as much of `subprocess.Popen` as tests use.

    Attributes:
        stdout: What it prints, line by line.
        stderr: Its complaints.
        pid: The leader of its session.
    """

    def __init__(self, folder: Path, *argv: str, environment: dict[str, str] | None = None):
        given = {**os.environ, **(environment or {}), "OMP_NUM_THREADS": "1"}
        pipes = [str(folder / f".{name}-{os.urandom(4).hex()}") for name in ("out", "err")]
        for pipe in pipes:
            os.mkfifo(pipe)
        self.process: BaseProcess = context().Process(
            target=_run, args=(list(argv), str(Path.cwd()), given, pipes)
        )
        self.process.start()
        atexit.register(self._end)  # no daemon, which may start no process itself
        self.pid = self.process.pid
        self.stdout, self.stderr = (open(pipe, encoding="utf-8") for pipe in pipes)  # noqa: SIM115, PTH123
        self.errors = _Rest(self.stderr)

    def send_signal(self, number: int) -> None:
        """Sends a signal to the command alone."""
        os.kill(self.pid, number)

    def communicate(self, timeout: float) -> tuple[str, str]:
        """Returns the rest of what it prints, and its complaints, once it has ended."""
        rest = _Rest(self.stdout)
        self.wait(timeout)
        return rest.text(), self.errors.text()

    def wait(self, timeout: float) -> int:
        """Waits for its end and returns its exit code."""
        self.process.join(timeout)
        if self.process.exitcode is None:
            self.kill()
            raise subprocess.TimeoutExpired("zoo", timeout)
        return self.process.exitcode

    def kill(self) -> None:
        """Ends it and what it started, if they still run."""
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self.process.join()

    def _end(self) -> None:
        if self.process.is_alive():
            self.kill()

    @property
    def returncode(self) -> int | None:
        """The exit code, None as long as it runs."""
        return self.process.exitcode


class _Rest(threading.Thread):
    """Reads a stream to its end, beside the test."""

    def __init__(self, stream: IO[str]) -> None:
        super().__init__(daemon=True)
        self.stream, self.lines = stream, list[str]()
        self.start()

    def run(self) -> None:
        self.lines += self.stream

    def text(self) -> str:
        self.join(10)
        return "".join(self.lines)
