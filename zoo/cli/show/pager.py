"""A long text on a terminal, in the pager that its user prefers."""

import os
import subprocess
import sys
from contextlib import suppress
from shutil import get_terminal_size

DEFAULT = "less -FRX"  # ends where the text is short, and leaves it on the screen


def show(text: str) -> None:
    """Prints a text; on a terminal, one longer than the screen through $PAGER."""
    pager = os.environ.get("PAGER", DEFAULT)
    long = text.count("\n") + 2 > get_terminal_size().lines  # and the prompt
    if not (long and pager and sys.stdin.isatty() and sys.stdout.isatty()):
        print(text)
        return
    sys.stdout.flush()
    environment = {"LESS": "FRX", **os.environ}  # of a plain `less`, as git does
    process = subprocess.Popen(pager, shell=True, stdin=subprocess.PIPE, env=environment)
    # An interrupt is for the pager, which may end before it has read all.
    with suppress(BrokenPipeError, KeyboardInterrupt), process.stdin as pipe:  # type: ignore[union-attr]
        pipe.write(text.encode() + b"\n")
    while process.returncode is None:
        with suppress(KeyboardInterrupt):
            process.wait()
    if process.returncode in (126, 127):  # there is none
        print(text)
