"""Checkpoints that each release has written still load, still go on, and still say the same.

    python -m tests.checkpoints.test_golden        # before a release: writes those of this version

They lie in tests/checkpoints/<version>/, each with what its model says beside it.
"""

import json
import os
import tempfile
from contextlib import chdir
from pathlib import Path

import pytest
import torch

import zoo
from zoo.checkpoints.checkpoint import corpus_state, read
from zoo.cli.main import main
from zoo.version import zoo_version

FOLDER = Path(__file__).parent
FILES = sorted(FOLDER.glob("*/*.ckpt"))
RECIPES = {
    "softmax_regression-fashion_mnist": [],
    "gru_held_out-time_machine": ["--model.hidden_size", "8", "--data.num_steps", "8"],
    "gan-gaussian2d": [],
}
FIT = [
    *("--trainer.accelerator", "cpu", "--trainer.limit_train_batches", "3", "--wandb", "disabled"),
    *("--trainer.limit_val_batches", "1", "--seed_everything", "0"),
]
STAND_IN = ["--data.synthetic", "true"]


def said(path):
    """What the model of a checkpoint says of an input that is always the same."""
    model = zoo.load(path)
    if hasattr(model, "latent_dim"):
        given = torch.linspace(-1, 1, 2 * model.latent_dim).view(2, -1)
    elif "vocabulary" in (corpus_state(read(path)) or {}):
        given = torch.arange(6).view(2, 3)
    else:
        given = torch.linspace(0, 1, 2 * 784).view(2, 1, 28, 28)
    with torch.no_grad():
        found = model(given)
    return (found[0] if isinstance(found, tuple) else found).flatten().tolist()


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_an_old_checkpoint_says_the_same(path):
    expected = json.loads(path.with_suffix(".json").read_text())
    assert said(path) == pytest.approx(expected, rel=1e-4, abs=1e-6)


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_an_old_run_goes_on(path):
    options = [*RECIPES[path.stem], *FIT, *STAND_IN, "--trainer.max_epochs", "2"]
    options += ["--model.lr_scheduler", "null"]  # which would be as long as the run then was
    assert main(["fit", path.stem, *options, "--ckpt_path", str(path)]) == 0
    (last,) = Path("runs").rglob("last.ckpt")
    assert read(last)["epoch"] == 1
    assert said(last) != said(path)


def test_this_version_has_some():
    assert {path.stem for path in FILES if path.parent.name == zoo_version()} == set(RECIPES)


def write():
    """Writes the checkpoints of this version."""
    target = FOLDER / zoo_version()
    target.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, chdir(folder):
        for name, own in RECIPES.items():
            options = [*own, *FIT, *STAND_IN, "--trainer.max_epochs", "1"]
            assert main(["fit", name, *options]) == 0
            path = target / f"{name}.ckpt"
            (last,) = Path("runs", name).rglob("last.ckpt")
            path.write_bytes(last.read_bytes())
            path.with_suffix(".json").write_text(json.dumps(said(path)) + "\n")


if __name__ == "__main__":
    os.environ["WANDB_MODE"] = "disabled"
    write()
