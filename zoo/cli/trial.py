"""One trial of a sweep, in a process of its own: `python -m zoo.cli.trial FOLDER fit ...`.

It is `zoo fit`, in the folder that the sweep chose, alone in it, and ends when the sweep does.
"""

import os
import shutil
import signal
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from filelock import FileLock, Timeout

from zoo.cli.main import main as zoo
from zoo.runs import folder as run_folder
from zoo.training.signals import GRACE

WATCH = 0.5  # seconds between two looks at the sweep


def main(argv: Sequence[str]) -> int:
    """Runs `zoo` with the arguments after the folder; returns its exit code.

    A trial that goes on from no checkpoint begins anew: what is in the folder goes.
    """
    folder = Path(argv[0])
    threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()
    try:
        # Held by a trial of a sweep that was killed, until that trial has seen it.
        with FileLock(folder.parent / "logs" / f"{folder.name}.lock", timeout=GRACE):
            if "--ckpt_path" not in argv and folder.exists():
                shutil.rmtree(folder)
            os.environ[run_folder.CHOSEN] = str(folder)
            return zoo(argv[1:])
    except Timeout:
        print(f"zoo: {folder}: another process trains in it", file=sys.stderr)
        return 2


def _end_with(parent: int) -> None:
    """Ends this process after the one that started it."""
    while os.getppid() == parent:
        time.sleep(WATCH)
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(GRACE)
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
