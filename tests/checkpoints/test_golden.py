"""Checkpoints that each release has written still load, still go on, and still say the same.

    python -m tests.checkpoints.test_golden        # before a release: writes those of this version

They lie in tests/checkpoints/<version>/, each with what its model says beside it.
"""

import json
import os
import shutil
import tempfile
from contextlib import chdir
from pathlib import Path

import pytest
import torch

import zoo
from zoo.checkpoints.checkpoint import read
from zoo.cli.main import main
from zoo.image_classification.resnet import ResNet
from zoo.version import zoo_version

FOLDER = Path(__file__).parent
FILES = sorted(FOLDER.glob("*/*.ckpt"))
SMALL_TEXT = ("--data.num_pairs", "60", "--data.num_val", "8", "--data.num_test", "8")
RECIPES = {  # one of each family, made small
    "softmax_regression-fashion_mnist": [],
    "gru_held_out-time_machine": ["--model.hidden_size", "8", "--data.num_steps", "8"],
    "gan-gaussian2d": [],
    "linear_regression-airfoil": [],
    "seq2seq-fra_eng": ["--model.hidden_size", "4", "--model.embed_dim", "4", *SMALL_TEXT],
    "skip_gram-penn_treebank_windows": ["--model.embed_dim", "2", "--data.min_freq", "40"],
    "text_cnn-imdb": [
        *("--model.embed_dim", "2", "--model.num_channels", "2", "--model.kernel_sizes", "[3]"),
        *("--data.min_freq", "40", "--data.max_length", "20"),
    ],
    "bidirectional_tagger-word_boundaries": ["--model.hidden_size", "4", "--model.embed_dim", "2"],
    "tiny_ssd-pikachu": ["--model.width_ratio", "0.0625", "--data.batch_size", "2"],
    "resnet_small-cifar10": ["--model.width_ratio", "0.03125", "--model.channels_last", "false"],
    "fast_style_zoo-style_pictures": [  # judged by the one before
        *("--model.width_ratio", "0.0625", "--model.num_blocks", "1", "--data.size", "32"),
        *("--data.style_size", "32", "--data.batch_size", "2"),
    ],
    "surface-gradient_noise": [],
}
FIT = [
    *("--trainer.accelerator", "cpu", "--trainer.limit_train_batches", "3", "--wandb", "disabled"),
    *("--trainer.limit_val_batches", "1", "--seed_everything", "0"),
]
STAND_IN = ["--data.synthetic", "true"]


def said(path):
    """What the model of a checkpoint says of an input that is always the same."""
    model = zoo.load(path)
    family = type(model).__module__.split(".")[1]
    tokens, lengths = torch.arange(6).view(2, 3), torch.tensor([3, 2])
    pixels = torch.linspace(0, 1, 2 * 784).view(2, 1, 28, 28)
    channels = 3 if isinstance(model, ResNet) else 1
    given = {
        "generation": lambda: (torch.linspace(-1, 1, 2 * model.latent_dim).view(2, -1),),
        "image_classification": lambda: (pixels.expand(-1, channels, -1, -1),),
        "language_modeling": lambda: (tokens,),
        "object_detection": lambda: (torch.linspace(-1, 1, 3 * 64 * 64).view(1, 3, 64, 64),),
        "optimization": lambda: (torch.linspace(-1, 1, 4).view(2, 2),),
        "regression": lambda: (torch.linspace(-1, 1, 10).view(2, 5),),
        "sequence_tagging": lambda: (tokens,),
        "style_transfer": lambda: (torch.linspace(-1, 1, 3 * 24 * 32).view(1, 3, 24, 32),),
        "text_classification": lambda: (tokens, lengths),
        "translation": lambda: (tokens, lengths, tokens[:, :2]),
        "word_embedding": lambda: (torch.arange(2), torch.arange(6).view(2, 3)),
    }[family]()
    with torch.no_grad():
        found = model(*given)
    return (found[0] if isinstance(found, tuple) else found).flatten()[:200].tolist()


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_an_old_checkpoint_says_the_same(path):
    expected = json.loads(path.with_suffix(".json").read_text())
    assert said(path) == pytest.approx(expected, rel=1e-4, abs=1e-6)


def judge(folder):
    """Lays the network that judges paintings where the recipe looks for it."""
    target = Path("runs/resnet_small-cifar10/1/checkpoints/best.ckpt")
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(folder / "resnet_small-cifar10.ckpt", target)


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_an_old_run_goes_on(path):
    options = [*RECIPES[path.stem], *FIT, *STAND_IN, "--trainer.max_epochs", "2"]
    options += ["--model.lr_scheduler", "null"]  # which would be as long as the run then was
    judge(path.parent)
    assert main(["fit", path.stem, *options, "--ckpt_path", str(path)]) == 0
    (last,) = Path("runs", path.stem).rglob("last.ckpt")
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
            if name.startswith("fast_style"):
                judge(target)
            assert main(["fit", name, *options]) == 0
            path = target / f"{name}.ckpt"
            (last,) = Path("runs", name).rglob("last.ckpt")
            path.write_bytes(last.read_bytes())
            path.with_suffix(".json").write_text(json.dumps(said(path)) + "\n")


if __name__ == "__main__":
    os.environ["WANDB_MODE"] = "disabled"
    write()
