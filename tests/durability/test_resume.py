"""A run that goes on from any step ends as if it had not been stopped, bit by bit.

Each step is taken twice: by the run that was never stopped, and by one that was loaded just before
it. That all of them are the same means the same of all that follow.
"""

import gc
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


def test_equal_to_the_bit():
    value = {"a": [1, (torch.zeros(2), "x")], "b": None}
    assert same(value, {"b": None, "a": [1, (torch.zeros(2), "x")]})
    assert not same(value, {"b": None, "a": [1, (torch.tensor([0.0, 1e-45]), "x")]})
    assert not same(value, {"a": [1, (torch.zeros(2), "x")]})
