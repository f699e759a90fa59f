"""A disk that fills up while a checkpoint is saved: the older one stays, and nothing half done."""

import random
import resource
import signal
from functools import partial
from pathlib import Path

import torch

from scripts.durability.trial import Outcome, ended, forked
from zoo.checkpoints.checkpoint import DurableCheckpointIO, read
from zoo.errors import InputError

REFUSED = 7  # exit code


def _save(path: Path, room: int) -> int:
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, room))
    try:
        DurableCheckpointIO().save_checkpoint(_checkpoint(2.0), path)
    except InputError:
        return REFUSED
    return 0


def _checkpoint(value: float) -> dict:
    return {"zoo": {}, "state_dict": {"w": torch.full((50_000,), value)}}


def check(count: int, folder: Path) -> Outcome:
    """Saves with room for a part of the file only, each time another."""
    outcome, draw = Outcome(), random.Random(0)
    path = folder / "last.ckpt"
    DurableCheckpointIO().save_checkpoint(_checkpoint(1.0), path)
    size = path.stat().st_size
    for _ in range(count):
        room = draw.randrange(size)
        code = ended(forked(partial(_save, path, room), folder / "output"), 60)
        failure = None if code == REFUSED else f"exit code {code}"
        if read(path)["state_dict"]["w"][0] != 1:
            failure = "the older one is gone"
        left = {p.name for p in folder.iterdir()} - {"last.ckpt", "output"}
        outcome.count(f"room for {room} of {size}: {failure or left}" if failure or left else None)
    return outcome
