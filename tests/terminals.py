"""Commands in a pseudo-terminal of a given size, as a user at a keyboard sees them."""

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import termios
import time
from collections.abc import Mapping, Sequence

ESCAPES = re.compile(r"\x1b(\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(\x07|\x1b\\)|[()][A-Z0-9]|[=>78])")


class Terminal:
    """A program that runs in a pseudo-terminal.

    Args:
        argv: Program and arguments.
        columns: Width of the terminal.
        rows: Height of the terminal.
        environment: Variables that replace those of the tests; None removes one.
    """

    def __init__(
        self,
        argv: Sequence[str],
        columns: int = 80,
        rows: int = 24,
        environment: Mapping[str, str | None] | None = None,
    ):
        replaced = {"COLUMNS": None, "LINES": None, "TERM": "xterm-256color", **(environment or {})}
        given = {
            **os.environ,
            **{name: text for name, text in replaced.items() if text is not None},
        }
        for name in [name for name, text in replaced.items() if text is None]:
            given.pop(name, None)
        self.master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self.process = subprocess.Popen(
            argv,
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env=given,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )
        os.close(slave)
        self.text = ""

    def send(self, keys: str) -> None:
        """Types keys."""
        os.write(self.master, keys.encode())

    def until(self, pattern: str, seconds: float = 30) -> str:
        """Returns what is shown, without escape sequences, from the last call to a match."""
        end = time.monotonic() + seconds
        while not (found := re.search(pattern, self.text)):
            if not self._read(end - time.monotonic()):
                raise AssertionError(f"{pattern!r} is not shown in: {self.text!r}")
        shown, self.text = self.text[: found.end()], self.text[found.end() :]
        return shown

    def end(self, seconds: float = 60) -> tuple[int, str]:
        """Waits for the program to end; returns its exit code and the rest of what is shown."""
        end = time.monotonic() + seconds
        while self._read(end - time.monotonic()):
            pass
        code = self.process.wait(max(1, end - time.monotonic()))
        os.close(self.master)
        return code, self.text

    def _read(self, seconds: float) -> bool:
        """Reads some of what is shown; returns whether there may be more."""
        if seconds <= 0 or not select.select([self.master], [], [], seconds)[0]:
            return False
        try:
            read = os.read(self.master, 65536)
        except OSError:  # the program has ended
            return False
        plain = ESCAPES.sub("", self.text + read.decode("utf-8", "replace"))
        self.text = plain.replace("\r\n", "\n")
        return bool(read)
