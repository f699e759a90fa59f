"""`--ckpt_path last`: a job that runs again goes on from where it was."""

from pathlib import Path
from typing import Any

LAST = "last"


def own_checkpoint(run: Path, ckpt_path: str | None) -> tuple[str | None, dict[str, Any] | None]:
    """The last checkpoint of this run's own folder, with its content, if there is one.

    A run finds one where its job has run before, which gives it the same folder again. It goes on
    from there if it was told to go on at all: from `last`, or first of all from another file.
    """
    from zoo.checkpoints.checkpoint import read

    own = run / "checkpoints" / "last.ckpt"
    if ckpt_path is None or not own.is_file():
        return None, None
    return str(own), read(own)
