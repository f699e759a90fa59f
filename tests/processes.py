"""Commands in processes of their own, forked from one that has imported torch already."""

import multiprocessing
import os
import subprocess
import sys
import threading
from functools import cache
from multiprocessing.process import BaseProcess
from pathlib import Path

LIBRARIES = ["lightning.pytorch.cli", "torchmetrics", "torchvision", "matplotlib.figure"]


@cache
def context():
    """What forks; it starts with the first command and ends with the tests."""
    found = multiprocessing.get_context("forkserver")
    found.set_forkserver_preload(LIBRARIES)
    return found


def _run(argv: list[str], folder: str, environment: dict[str, str], pipes: list[str]) -> None:
    """The command, as `python -m zoo.cli` would run it, leader of a session."""
    os.setsid()
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
        stderr: The same of its complaints.
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
        self.stdout, self.stderr = (open(pipe, encoding="utf-8") for pipe in pipes)  # noqa: SIM115, PTH123
        self.errors: list[str] = []
        self.reader = threading.Thread(target=lambda: self.errors.append(self.stderr.read()))
        self.reader.start()
        self.pid = self.process.pid

    def send_signal(self, number: int) -> None:
        """Sends a signal to the command alone."""
        os.kill(self.process.pid, number)

    def communicate(self, timeout: float) -> tuple[str, str]:
        """The rest of what it prints, and its complaints, once it has ended."""
        lines = self.stdout.read()
        self.wait(timeout)
        return lines, self.errors[0]

    def wait(self, timeout: float) -> int:
        """Waits for its end; its exit code."""
        self.process.join(timeout)
        if self.process.exitcode is None:
            self.process.kill()
            raise subprocess.TimeoutExpired("zoo", timeout)
        self.reader.join()
        return self.process.exitcode

    @property
    def returncode(self) -> int | None:
        """The exit code, None as long as it runs."""
        return self.process.exitcode
