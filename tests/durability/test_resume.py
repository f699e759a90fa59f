"""A run that goes on from any step ends as if it had not been stopped, bit by bit.

Each step is taken twice: by the run that was never stopped, and by one that was loaded just before
it. That all of them are the same means the same of all that follow. And runs under each option that
a resume may trip over go on to their end, with the same weights, best.ckpt and rows of metrics.csv.
"""

import csv
import gc
import random
import shutil
import signal
from math import ceil
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch import Callback

from tests.durability.trial import same
from zoo.catalogue import RECIPES, arguments, corpora, definitions, recipes
from zoo.checkpoints.checkpoint import read
from zoo.cli.compose import compose
from zoo.cli.lightning import ZooCLI
from zoo.errors import InputError

EPOCH = 20  # steps
CASES = {  # a recipe of each family, with dropout, augmentation and schedules by steps among them
    "generation": ("gan-gaussian2d",),
    "image_classification": (
        "resnet_small-cifar10",
        *("--model.width_ratio=0.0625", "--model.channels_last=false"),
        "--data.augment=[flip, crop]",
    ),
    "language_modeling": ("gru-time_machine", "--model.hidden_size=16", "--data.num_steps=8"),
    "object_detection": ("tiny_ssd-bananas", "--model.width_ratio=0.25"),
    "optimization": ("surface_adam-gradient_noise",),
    "regression": ("mlp_regressor-house_prices",),
    "sequence_tagging": ("bidirectional_tagger-word_boundaries", "--model.hidden_size=16"),
    "style_transfer": (
        *("fast_style_zoo-style_pictures", "--data.size=32", "--model.width_ratio=0.0625"),
        "--model.features=zoo.image_classification.lenet.LeNet",
    ),
    "text_classification": ("bag_of_embeddings-imdb", "--model.embed_dim=8"),
    "translation": ("transformer-fra_eng",),
    "word_embedding": ("skip_gram-penn_treebank_windows", "--model.embed_dim=8"),
}
VARIATIONS = {  # overlays and options
    "plain": (),
    "ema": ("+ema",),
    "swa": ("+swa",),
    "accumulate": ("--trainer.accumulate_grad_batches=2",),
    "plateau": (
        *("--model.lr_scheduler=ReduceLROnPlateau", "--model.lr_scheduler.patience=0"),
        "--model.lr_scheduler.threshold=0.5",
    ),
    "one-cycle": (
        *("--model.lr_scheduler=OneCycleLR", "--model.lr_scheduler.max_lr=0.01"),
        "--model.schedule_interval=step",
    ),
    "workers": ("--data.num_workers=2",),
    "max_steps": ("--model.lr_scheduler=null",),  # one that knows its length would end too soon
    "batch size": ("--model.lr_scheduler=null",),
}
WITHOUT_MOMENTUM = {"word_embedding": ("--model.lr_scheduler.cycle_momentum=false",)}
EPOCHS, BATCHES, OTHER_BATCHES = 3, 5, 7
COMPARED = ("global_step", "epoch", "state_dict", "optimizer_states", "lr_schedulers")


class SaveEachStep(Callback):
    """Saves where a signal would: after a step, before anything else follows."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.saved = folder, 0

    def on_train_batch_end(self, trainer: Any, *_: Any) -> None:
        if trainer.global_step > self.saved:
            self.saved = trainer.global_step
            trainer.save_checkpoint(self.folder / f"{self.saved}.ckpt")


class OneStep(SaveEachStep):
    """Saves the first step and ends the run."""

    def on_train_batch_end(self, trainer: Any, *_: Any) -> None:
        before = self.saved
        super().on_train_batch_end(trainer)
        if self.saved > before:
            raise EnoughError


class EnoughError(Exception):
    """The step that was to be looked at is done."""


def train(
    family: str, count: int, workers: int, callback: SaveEachStep, start: Path | None = None
) -> None:
    recipe, *own = CASES[family]
    data = arguments(corpora()[recipes()[recipe].corpus], definitions())
    options = [
        *("--trainer.accelerator=cpu", "--trainer.enable_progress_bar=false"),
        *(f"--trainer.limit_train_batches={EPOCH}", f"--trainer.max_epochs={ceil(count / EPOCH)}"),
        *("--trainer.limit_val_batches=1", "--trainer.num_sanity_val_steps=0"),
        *(["--data.synthetic=true"] if "synthetic" in data else []),
        *(["--data.batch_size=8"] if "batch_size" in data else []),
        *([f"--data.num_workers={workers}"] if "num_workers" in data else []),
    ]
    cli = ZooCLI(compose(recipe, None, None, None, [*options, *own]), None, logs=False)
    trainer: Any = cli.trainer
    trainer.callbacks.append(callback)
    callback.saved = read(start)["global_step"] if start else 0
    trainer.fit(cli.model, cli.datamodule, ckpt_path=start)


def test_every_family_is_resumed():
    families = {path.name for path in RECIPES.iterdir() if path.is_dir()}
    assert set(CASES) == families - {"overlays"}


@pytest.mark.slow
@pytest.mark.tries(5, 200)
@pytest.mark.parametrize("family", CASES)
def test_the_next_step_is_the_same(family, outcome, tries, tmp_path):
    """Takes so many steps of a recipe, with 0 and 2 processes that load."""
    whole = SaveEachStep(tmp_path)
    train(family, tries, 0, whole)
    for step in range(1, whole.saved):
        expected = read(tmp_path / f"{step + 1}.ckpt")
        for workers in (0, 2):
            again = OneStep(tmp_path / "again")
            what = f"step {step + 1}, {workers} workers"
            try:
                train(family, tries, workers, again, tmp_path / f"{step}.ckpt")
            except EnoughError:
                found = read(tmp_path / "again" / f"{step + 1}.ckpt")
                names = [name for name in COMPARED if not same(found[name], expected[name])]
                outcome.count(f"{what}: another {names}" if names else None)
            else:
                outcome.count(f"{what}: not taken")
            gc.collect()


class KeepEachStep(Callback):
    """Asks for a checkpoint after each step, as by SIGUSR1, and keeps it when it is there."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.last = folder, folder / "whole" / "checkpoints" / "last.ckpt"

    def on_train_batch_end(self, *_: Any) -> None:
        signal.raise_signal(signal.SIGUSR1)

    def on_train_batch_start(self, trainer: Any, *_: Any) -> None:
        if self.last.is_file():
            shutil.copyfile(self.last, self.folder / f"{read(self.last)['global_step']}.ckpt")


def run(
    family: str,
    folder: Path,
    options: tuple[str, ...],
    start: Path | None = None,
    keep: KeepEachStep | None = None,
) -> Path:
    """Trains a recipe in a run folder, perhaps on from a checkpoint; returns the folder."""
    recipe, *own = CASES[family]
    data = arguments(corpora()[recipes()[recipe].corpus], definitions())
    settings = [
        *("--trainer.accelerator=cpu", "--trainer.enable_progress_bar=false"),
        *(f"--trainer.limit_train_batches={BATCHES}", f"--trainer.max_epochs={EPOCHS}"),
        *("--trainer.limit_val_batches=1", "--trainer.num_sanity_val_steps=0"),
        *("--trainer.log_every_n_steps=2", "--data.synthetic=true", "--data.batch_size=8"),
        *own,
        *(option for option in options if not option.startswith("+")),
    ]
    kept = [
        option
        for option in settings
        if not option.startswith("--data.") or option[7:].partition("=")[0] in data
    ]
    overlays = [option[1:] for option in options if option.startswith("+")]
    folder.mkdir()
    cli = ZooCLI(compose(recipe, None, None, None, kept, overlays), folder, "disabled")
    trainer: Any = cli.trainer
    trainer.callbacks = [c for c in trainer.callbacks if ".pictures" not in type(c).__module__]
    trainer.callbacks += [keep] if keep else []
    trainer.fit(cli.model, cli.datamodule, ckpt_path=start)
    return folder


def rows(folder: Path) -> list[dict[str, str]]:
    """Returns the rows of metrics.csv, without empty cells."""
    with (folder / "metrics.csv").open() as file:
        return [{k: v for k, v in row.items() if v} for row in csv.DictReader(file)]


def difference(whole: Path, again: Path) -> str | None:
    """Returns in what a run that went on differs from the one that was never stopped."""
    checkpoints = whole / "checkpoints", again / "checkpoints"
    one, other = (read(folder / "last.ckpt") for folder in checkpoints)
    names = [name for name in COMPARED if not same(one[name], other[name])]
    paths = [folder / "best.ckpt" for folder in checkpoints]
    best = [read(path)["state_dict"] if path.exists() else None for path in paths]
    names += [] if same(*best) else ["best.ckpt"]
    rest = rows(again)
    if not rest or rows(whole)[-len(rest) :] != rest:
        names.append("metrics.csv")
    return f"another {names}" if names else None


def has_whole_epochs(start: Path, again: Path, validated: bool) -> str | None:
    """Returns what is wrong with a run that went on with other batches from an epoch's end."""
    before, after = read(start), read(again / "checkpoints" / "last.ckpt")
    left = EPOCHS - before["epoch"] - 1
    done = after["global_step"] - before["global_step"]
    measured = sum(any(name.startswith("val/") for name in row) for row in rows(again))
    if (done, measured) != (OTHER_BATCHES * left, left if validated else 0):
        return f"{done} steps and {measured} validations in {left} epochs"
    return None


def resumed(family: str, variation: str, outcome: Any, tries: int, folder: Path) -> None:
    """Takes a run on to its end, from so many of its steps."""
    folder.mkdir()
    options, keep = VARIATIONS[variation], KeepEachStep(folder)
    options += WITHOUT_MOMENTUM.get(family, ()) if variation == "one-cycle" else ()
    try:
        whole = run(family, folder / "whole", options, keep=keep)
    except InputError:
        outcome.note(f"{variation} refused")
        return
    steps = sorted(int(path.stem) for path in folder.glob("*.ckpt"))
    for step in random.Random(family + variation).sample(steps, min(tries, len(steps))):
        start, again = folder / f"{step}.ckpt", folder / f"again-{step}"
        if variation == "batch size":
            start = folder / f"{BATCHES * (1 + step % 2)}.ckpt"
            other = ("--data.batch_size=4", f"--trainer.limit_train_batches={OTHER_BATCHES}")
            run(family, again, (*options, *other), start)
            validated = any(name.startswith("val/") for row in rows(whole) for name in row)
            failure = has_whole_epochs(start, again, validated)
        elif variation == "max_steps":
            ends = (*options, f"--trainer.max_steps={step}")
            part = run(family, folder / f"part-{step}", ends)
            run(family, again, options, part / "checkpoints" / "last.ckpt")
            failure = difference(whole, again)
        else:
            run(family, again, options, start)
            failure = difference(whole, again)
        outcome.count(f"{variation} from step {step}: {failure}" if failure else None)
        gc.collect()


@pytest.mark.slow
@pytest.mark.tries(1, 3)
@pytest.mark.parametrize("family", CASES)
def test_a_run_goes_on_to_the_same_end(family, outcome, tries, tmp_path):
    """From so many steps under each option."""
    for variation in VARIATIONS:
        resumed(family, variation, outcome, tries, tmp_path / variation)


def test_equal_to_the_bit():
    value = {"a": [1, (torch.zeros(2), "x")], "b": None}
    assert same(value, {"b": None, "a": [1, (torch.zeros(2), "x")]})
    assert not same(value, {"b": None, "a": [1, (torch.tensor([0.0, 1e-45]), "x")]})
    assert not same(value, {"a": [1, (torch.zeros(2), "x")]})
