"""predict: what a checkpoint does follows from the family of its class, whatever else it holds."""

import shlex
from argparse import ArgumentParser

import pytest
import torch
from PIL import Image

from tests.conftest import ROOT, fails
from zoo import LeNet
from zoo.catalogue import architectures, family_of, imported
from zoo.checkpoints.checkpoint import read
from zoo.cli.main import main
from zoo.cli.predict import families, options
from zoo.examples import build

OWN = """
from torch import nn
from zoo.image_classification.task import ImageClassifier

class Bottleneck(ImageClassifier):
    def __init__(self, in_features: int, num_classes: int, latent_dim: int = 4, **task):
        super().__init__(**task)
        self.save_hyperparameters()
        self.layers = nn.Sequential(
            nn.Flatten(), nn.Linear(in_features, latent_dim), nn.Linear(latent_dim, num_classes)
        )

    def forward(self, images):
        return self.layers(images)
"""


@pytest.fixture
def own(tmp_path, monkeypatch):
    """A class of a user's own, in a package that is called like another family."""
    package = tmp_path / "homegrown" / "generation"
    package.mkdir(parents=True)
    (package / "bottleneck.py").write_text(OWN)
    monkeypatch.syspath_prepend(tmp_path)
    return "homegrown.generation.bottleneck.Bottleneck"


def saved(name: str, corpus: dict | None = None, **arguments) -> str:
    """A checkpoint of an untrained architecture, and of what its corpus may have left."""
    definition = architectures()[name]
    model = build(imported(definition.class_path), **arguments)
    content = {
        "zoo": {"class_path": definition.class_path, "corpus": "Corpus" if corpus else None},
        "hyper_parameters": dict(model.hparams),
        "state_dict": model.state_dict(),
    }
    torch.save(content | ({"Corpus": corpus} if corpus else {}), "saved.ckpt")
    return "saved.ckpt"


def test_the_commands_that_a_run_of_ones_own_class_names_work(own, capsys):
    """A classifier stays one, though it has an argument that generators have."""
    options = ["--data.synthetic", "true", "--trainer.max_epochs", "1", "--model.latent_dim", "3"]
    few = ["--trainer.limit_train_batches", "1", "--trainer.limit_val_batches", "1"]
    named = ["--model", own, "--data", "FashionMNIST", "--allow", "homegrown"]
    assert main(["fit", *named, *options, *few, "--trainer.accelerator", "cpu"]) == 0
    printed = capsys.readouterr().out.partition("next:")[2].splitlines()
    test, predict = (shlex.split(line)[1:] for line in printed[:2])
    Image.new("L", (28, 28)).save("shirt.png")
    assert main(["shirt.png" if word == "PICTURE" else word for word in predict[:-1]]) == 0
    assert "shirt.png" in capsys.readouterr().out
    assert main([*test, "--trainer.limit_test_batches", "1"]) == 0


def test_a_generator_whose_corpus_has_labels_draws(capsys):
    corpus = {"class_path": "datamodules.pokemon.Pokemon", "arguments": {}, "labels": ["a", "b"]}
    path = saved("GAN", corpus)
    assert main(["predict", "--ckpt_path", path, "--num", "4"]) == 0
    assert "written: predictions/1.png" in capsys.readouterr().out
    assert "draws samples: --text is not" in fails(
        capsys, "predict", "--ckpt_path", path, "--text=a"
    )


def test_a_checkpoint_without_a_corpus(capsys):
    assert main(["predict", "--ckpt_path", saved("GAN"), "--num", "4"]) == 0
    Image.new("L", (28, 28)).save("shirt.png")
    line = fails(capsys, "predict", "shirt.png", "--ckpt_path", saved("LeNet"))
    assert "saved.ckpt: it holds no corpus, which predicting needs" in line
    line = fails(capsys, "predict", "--ckpt_path", saved("LeNet", {"labels": ["a"]}), "shirt.png")
    assert "its corpus saved no mean" in line


def test_a_family_that_predicts_nothing_names_those_that_do(capsys):
    line = fails(capsys, "predict", "--ckpt_path", saved("Surface"))
    assert "Surface is of no family that predicts; those that do: generation, image_cl" in line


def test_a_family_is_that_of_the_nearest_base(own):
    assert family_of(imported(own)) == "image_classification"
    assert family_of(imported("zoo.generation.gan.GAN")) == "generation"
    assert family_of(dict) == ""


def test_a_file_for_each_family():
    every = {path.parent.name for path in (ROOT / "zoo").glob("*/task.py")}
    assert set(families()) == every - {"optimization"}


@pytest.mark.parametrize("family", families())
def test_a_family_says_what_it_does_and_takes_the_options_that_it_adds(family):
    parser = ArgumentParser()
    families()[family].add_arguments(parser)
    assert vars(parser.parse_args([])).keys() == options(families()[family])
    assert families()[family].DOES


def test_labels_and_paths_are_printed_as_they_are(checkpoint, capsys, monkeypatch):
    """A label may look like the end of a style, which rich would not find a beginning for."""
    held = read(checkpoint("LeNet"))
    held["FashionMNIST"]["labels"] = ["[/b]", "[red]", *"abcdefgh"]
    torch.save(held, "saved.ckpt")
    Image.new("L", (28, 28)).save(":x:[i]shirt.png")
    likely = torch.arange(10, 0, -1).view(1, 10) / 55
    monkeypatch.setattr(LeNet, "predict_step", lambda *_: likely)
    argv = ["predict", ":x:[i]shirt.png", "--ckpt_path", "saved.ckpt", "--output", "[b].png"]
    assert main(argv) == 0
    out = capsys.readouterr().out
    assert all(text in out for text in ("[/b]", "[red]", ":x:[i]shirt.png", "written: [b].png"))
