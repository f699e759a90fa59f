"""A new family is a folder, a recipe and a predict file: listed, trained, read and exported."""

import json
import os
import subprocess
import sys
from shutil import copytree, ignore_patterns

import pytest

from tests.conftest import ROOT

NAME = "autoencoder-fashion_mnist"
FAMILY = {
    "zoo/reconstruction/__init__.py": "",
    "zoo/reconstruction/task.py": '''
"""Reconstructor: the mean squared difference between a picture and what is made of it.

Batch: (images, labels)
"""

from typing import Any

import torch
from torch.nn.functional import mse_loss

from zoo.task import Step, Task


class Reconstructor(Task):
    """Base of the networks whose `forward` maps pictures to pictures."""

    @classmethod
    def example(cls, rows: int = 1) -> tuple[Any, Any]:
        side = cls.example_sizes["image_size"]
        return torch.randn(rows, 1, side, side), torch.zeros(rows, dtype=torch.int64)

    def step(self, batch: tuple[Any, Any]) -> Step:
        images, _ = batch
        made = self(images)
        return Step(mse_loss(made, images), len(images), {}, made.detach())

    def predict_step(self, batch: tuple[Any, Any], batch_idx: int) -> Any:
        return (self(batch[0]) - batch[0]).square().flatten(1).mean(1)
''',
    "zoo/reconstruction/autoencoder.py": '''
"""Autoencoder: a picture through a layer that is narrower than it.

Paper:  Hinton and Salakhutdinov 2006, https://doi.org/10.1126/science.1127647, Figure 1
Shapes: (batch, 1, 28, 28) -> (batch, 1, 28, 28)
Size:   50,992 parameters
Config: autoencoder-fashion_mnist
"""

from typing import Any

from torch import nn

from zoo.reconstruction.task import Reconstructor
from zoo.shapes import Images


class Autoencoder(Reconstructor):
    """One hidden layer.

    Args:
        in_features: Number of values in a picture.
        hidden_size: Width of the hidden layer.
        task: Arguments of every task.
    """

    example_sizes = {"in_features": 28 * 28, "image_size": 28}

    def __init__(self, in_features: int, hidden_size: int = 32, **task: Any) -> None:
        super().__init__(**task)
        self.save_hyperparameters()
        self.encoder = nn.Linear(in_features, hidden_size)
        self.decoder = nn.Linear(hidden_size, in_features)

    def forward(self, images: Images) -> Images:
        return self.decoder(self.encoder(images.flatten(1)).relu()).view_as(images)
''',
    "zoo/reconstruction/graph.py": '''
"""The graph of a reconstructor: pixels -> normalised pixels."""

from zoo.export.inputs import Pictures, TrainedModel, pictures_input
from zoo.export.signature import Graph


def graph(trained: TrainedModel) -> Graph:
    """Returns what is exported of a trained model."""
    before, pixels, sizes = pictures_input(trained)
    outputs = {"pictures": "what is made of the pictures, normalised"}
    return Graph(Pictures(before, trained.model), (pixels,), outputs, sizes)
''',
    f"zoo/recipes/reconstruction/{NAME}.yaml": """
# An autoencoder of garments
model:
  class_path: zoo.reconstruction.autoencoder.Autoencoder
data:
  class_path: datamodules.fashion_mnist.FashionMNIST
trainer: {max_epochs: 1}
""",
    "zoo/cli/predict/reconstruction.py": '''
"""predict, for reconstructors: how unlike each picture is to what is made of it."""

DOES = "reconstructs pictures"
WRITES = (".csv", ".txt")


def add_arguments(parser):
    """Adds the option of reconstructors."""
    parser.add_argument("--digits", type=int, help="number of digits of an error; 3 by default")


def predict(prediction, inputs, *, digits=None):
    """Prints and writes the error of each picture."""
    arguments = prediction.saved("labels", "mean", "std", "size", "crop_size", "resize")
    corpus = "datamodules.pictures.to_predict.PictureFiles"
    _, errors = prediction.run(corpus, {"files": inputs, **arguments})
    text = "\\n".join(f"{error:.{digits or 3}f}" for error in errors.tolist())
    return prediction.write(text, [{"error": error} for error in errors.tolist()])
''',
}
PROGRAM = """
import json, sys
from PIL import Image
from zoo.cli.main import main

Image.new("L", (28, 28), 99).save("a.png")
for argv in json.loads(sys.argv[1]):
    print("$", *argv, flush=True)
    if code := main(argv):
        raise SystemExit(code)
"""


@pytest.fixture
def house(tmp_path):
    """A copy of the zoo with a family more."""
    copytree(ROOT / "zoo", tmp_path / "zoo", ignore=ignore_patterns("__pycache__"))
    for name, content in FAMILY.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        assert not (tmp_path / name).exists()
        (tmp_path / name).write_text(content.lstrip("\n"))
    return tmp_path


def test_a_new_family_is_known_to_every_verb_without_an_edit_elsewhere(house):
    ckpt = ["--ckpt_path", f"runs/{NAME}/1/checkpoints/last.ckpt"]
    small = ["--trainer.limit_train_batches", "2", "--trainer.limit_val_batches", "1"]
    commands = [
        ["list", "models", "autoencoder", "--json"],
        ["show", "Autoencoder"],
        ["show", "Autoencoder", "--layers"],
        ["fit", NAME, "--data.synthetic", "true", "--trainer.accelerator", "cpu", *small],
        ["predict", "a.png", *ckpt, "--digits", "5", "--output", "errors.txt"],
        ["export", ckpt[1], "--format", "export", "--output", "graph.pt2"],
    ]
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, json.dumps(commands)],
        cwd=house,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(house), str(ROOT)])},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    listed, shown, layers, fitted, predicted, exported = done.stdout.split("\n$ ")
    assert "reconstruction" in listed
    assert "Width of the hidden layer" in shown
    assert "25,120" in layers
    assert "50,992 parameters" in fitted
    assert "written: errors.txt" in predicted
    error = (house / "errors.txt").read_text().strip()
    assert len(error.partition(".")[2]) == 5
    assert "graph.pt2" in exported
    assert (house / "graph.pt2").is_file()
