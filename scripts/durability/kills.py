"""kill -9 at any instant of a run that saves without a pause: no checkpoint is lost."""

import os
import random
import signal
import time
from functools import partial
from pathlib import Path

import torch

from scripts.durability.trial import Outcome, forked
from zoo.checkpoints.checkpoint import DurableCheckpointIO, read
from zoo.errors import InputError

VALUES = 2_000_000


def _save_for_ever(path: Path, number: int) -> int:
    while True:
        number += 1
        weights = torch.full((VALUES,), float(number))
        DurableCheckpointIO().save_checkpoint({"zoo": {}, "state_dict": {"w": weights}}, path)


def check(count: int, folder: Path) -> Outcome:
    """Kills a process that saves; the file has to be whole, never older, and alone in the end."""
    outcome, draw = Outcome(), random.Random(0)
    path, newest = folder / "last.ckpt", 0.0
    DurableCheckpointIO().save_checkpoint(
        {"zoo": {}, "state_dict": {"w": torch.zeros(VALUES)}}, path
    )
    for _ in range(count):
        child = forked(partial(_save_for_ever, path, int(newest)), folder / "output")
        time.sleep(draw.uniform(0.01, 0.1))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        if list(folder.glob(".*.partial")):
            outcome.note("killed while saving")
        try:
            weights = read(path)["state_dict"]["w"]
        except InputError as error:
            outcome.count(f"lost: {error}")
            continue
        mixed = bool((weights != weights[0]).any())
        older = float(weights[0]) < newest
        outcome.count("mixed of two saves" if mixed else "an older one" if older else None)
        newest = max(newest, float(weights[0]))
    DurableCheckpointIO().save_checkpoint({"zoo": {}}, path)
    left = sorted(p.name for p in folder.iterdir() if p.name not in ("last.ckpt", "output"))
    if left:
        outcome.failures.append(f"left behind: {left}")
    return outcome
