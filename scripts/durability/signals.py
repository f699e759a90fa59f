"""SIGTERM and SIGUSR1 at any instant: no torn checkpoint, no hang, the right exit code."""

import os
import random
import signal
import sys
import time
from contextlib import chdir, suppress
from functools import partial
from pathlib import Path

import torch

from scripts.durability.trial import Outcome, ended, forked
from zoo.checkpoints.checkpoint import read
from zoo.cli.main import main
from zoo.errors import InputError

RECIPE = "softmax_regression-fashion_mnist"
FIT = [
    *("fit", RECIPE, "--data.synthetic", "true", "--data.batch_size", "50"),
    *("--trainer.accelerator", "cpu", "--wandb", "disabled", "--trainer.max_epochs", "15"),
]
PATIENCE = 30  # seconds
TOO_LATE = "done already and tried again"


def _fit(*options: str) -> int:
    return main([*FIT, *options])


def check(count: int, folder: Path) -> Outcome:
    """Signals a run, now and then twice; then goes on from what it saved, to the same weights."""
    outcome, draw = Outcome(), random.Random(0)
    with chdir(folder):
        started = time.monotonic()
        code = ended(forked(_fit, Path("output")), 600)
        longest = time.monotonic() - started
        if code:
            sys.exit(Path("output").read_text(encoding="utf-8"))
        whole = read(f"runs/{RECIPE}/1/checkpoints/last.ckpt")
        number = 1
        while outcome.tries < count:
            number += 1
            found = _signalled(number, draw, longest, whole, outcome)
            if found == TOO_LATE:
                outcome.note(TOO_LATE)
                longest *= 0.9  # the machine is less busy than it was
            else:
                outcome.count(found)
    return outcome


def _signalled(
    number: int, draw: random.Random, longest: float, whole: dict, outcome: Outcome
) -> str | None:
    saves_first = draw.random() < 0.5
    child = forked(_fit, Path("output"))
    time.sleep(draw.uniform(0.2, 0.9) * longest)
    if saves_first:
        os.kill(child, signal.SIGUSR1)
        time.sleep(draw.uniform(0, 0.2))
    with suppress(ProcessLookupError):
        os.kill(child, signal.SIGTERM)
    code = ended(child, PATIENCE)
    what = f"try {number}, {'USR1 and TERM' if saves_first else 'TERM'}"
    if code is None:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        return f"{what}: hangs"
    path = Path(f"runs/{RECIPE}/{number}/checkpoints/last.ckpt")
    if code in (-signal.SIGTERM, -signal.SIGUSR1):
        outcome.note("ended before training began")
        Path(f"runs/{RECIPE}/{number}").mkdir(parents=True, exist_ok=True)
        return f"{what}: left a checkpoint half done" if list(path.parent.glob(".*")) else None
    if code == 0:
        return TOO_LATE
    if code != 128 + signal.SIGTERM:
        return f"{what}: exit code {code}: {Path('output').read_text(encoding='utf-8')[-300:]}"
    try:
        step = read(path)["global_step"]
        _finish(path)
        weights = read(f"runs/{RECIPE}/{number}-again/checkpoints/last.ckpt")["state_dict"]
    except (InputError, RuntimeError) as error:
        return f"{what}: {error}"
    pairs = ((weights[name], whole["state_dict"][name]) for name in weights)
    return None if all(torch.equal(*pair) for pair in pairs) else f"{what}: torn in step {step}"


def _finish(path: Path) -> None:
    """Goes on from a checkpoint to the end, in a folder that is not counted."""
    run = path.parent.parent
    again = run.with_name(f"{run.name}-again")

    going_on = partial(_fit, "--ckpt_path", str(path), "--runs", "again")
    code = ended(forked(going_on, Path("output")), 600)
    if code:
        raise RuntimeError(f"going on ends with {code}")
    (finished,) = Path(f"again/{RECIPE}").iterdir()
    finished.rename(again)
