"""Small models, texts and weights that the tests of several architectures begin with."""

from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch import Callback
from safetensors.torch import save_file
from torch import nn
from torch.utils.data import DataLoader
from torchvision.models.vgg import cfgs, make_layers

from datamodules import FashionMNIST
from tests.conftest import imported, quiet_trainer
from zoo.catalogue import arguments, definitions
from zoo.checkpoints.checkpoint import DurableCheckpointIO
from zoo.examples import build
from zoo.image_classification.lenet import LeNet
from zoo.image_classification.resnet import ResNet
from zoo.language_modeling.ngram import NGram

VOCAB = 7
SIZES = {"vocab_size": VOCAB, "hidden_size": 8}


class Text:
    """Consecutive batches of a random text, one stream a row; Lightning takes any iterable."""

    trainer = None

    def __init__(self, rows=3, batches=5, steps=4, seed=0):
        generator = torch.Generator().manual_seed(seed)
        text = torch.randint(VOCAB, (rows, steps * batches + 1), generator=generator)
        places = range(0, steps * batches, steps)
        self.whole = text[:, :-1], text[:, 1:]
        self.batches = [(text[:, i:][:, :steps], text[:, i + 1 :][:, :steps]) for i in places]

    def __len__(self):
        return len(self.batches)

    def __iter__(self):
        done = self.trainer.fit_loop.epoch_loop.batch_progress.total.ready if self.trainer else 0
        return iter(self.batches[done % len(self) :])


def fit_text(trainer, model, text, held_out=None, **options):
    """Trains on a text, or on where in it a checkpoint was."""
    text.trainer = trainer
    trainer.fit(model, text, held_out, **options)
    text.trainer = None


def initialised(kind, seed=0, **options):
    torch.manual_seed(seed)
    return kind(**{**SIZES, **options})


def rows_of(tokens):
    return torch.tensor(tokens)


class SaveEachStep(Callback):
    """A checkpoint after each batch, named by how many there were in this run."""

    def __init__(self, folder=None):
        self.folder, self.done = folder, 0

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        self.done += 1
        if self.folder:
            trainer.save_checkpoint(self.folder / f"{self.done}.ckpt")


LINE = "the cat sat on the mat and the rat sat on the cat and the mat sat on the rat ."
WORDS = LINE.split() + LINE.split()[:4]


def counted(order, words=WORDS, **options):
    """A model that has counted words, and the index of each."""
    index = {word: place for place, word in enumerate(sorted(set(words)))}
    tokens = rows_of([[index[word] for word in words]])
    model = NGram(len(index), order=order, **options)
    for piece in (slice(0, 7), slice(7, None)):
        model.step((tokens[:, :-1][:, piece], tokens[:, 1:][:, piece]))
        model.count()
    return model.eval(), index


SMALL_DCGAN = {"in_channels": 1, "image_size": 28, "latent_dim": 6, "width_ratio": 1 / 16}


def small_classifier(folder: Path) -> Path:
    """The checkpoint of a classifier that saw two batches."""
    torch.manual_seed(0)
    run = quiet_trainer(limit_train_batches=2, limit_val_batches=1, plugins=[DurableCheckpointIO()])
    run.fit(LeNet(1, 10, activation="relu"), FashionMNIST(synthetic=True))
    run.save_checkpoint(folder / "lenet.ckpt")
    return folder / "lenet.ckpt"


TINY: dict[str, Any] = {"in_channels": 3, "num_classes": 4, "width_ratio": 1 / 16}
PLAIN = {"in_channels": 3, "num_classes": 4}
BATCHES, EPOCHS = 3, 4


def labelled_batches(count=BATCHES, side=32):
    generator = torch.Generator().manual_seed(0)
    return [
        (torch.randn(6, 3, side, side, generator=generator), torch.arange(6) % 4)
        for _ in range(count)
    ]


def loader(rows):
    return DataLoader(rows, batch_size=None, collate_fn=tuple)


def fit_batches(model, ckpt_path=None, rows=None, **options):
    run = quiet_trainer(**{"max_epochs": EPOCHS, **options})
    run.fit(model, loader(rows or labelled_batches()), ckpt_path=ckpt_path)
    return run


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """A trained small ResNet: its checkpoint."""
    path = tmp_path_factory.mktemp("weights") / "small.ckpt"
    torch.manual_seed(3)
    fit_batches(
        ResNet(in_channels=3, num_classes=7, width_ratio=0.1), max_epochs=1
    ).save_checkpoint(path)
    return path


JUDGE = {  # of paintings; small, its weights drawn at random
    "features": "zoo.image_classification.vgg.VGG",
    "features_args": {"depth": 11, "width_ratio": 1 / 16},
}


def vgg19(seed=0):
    torch.manual_seed(seed)
    network = make_layers(cfgs["E"])
    for layer in network:
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
            nn.init.normal_(layer.bias, std=0.1)
    return network


def saved_features(network, path):
    state = {f"features.{name}": value for name, value in network.state_dict().items()}
    state["classifier.0.bias"] = torch.zeros(3)
    (save_file if path.suffix == ".safetensors" else torch.save)(state, path)
    return path


@pytest.fixture(scope="module")
def torchvision_19(tmp_path_factory):
    network = vgg19()
    return network, saved_features(network, tmp_path_factory.mktemp("weights") / "vgg19.pth")


def narrow(definition, **options):
    """The architecture with few channels, where it can be so: its form is what is tested."""
    known = arguments(definition, definitions())
    if "negative_ratio" in known:
        options["negative_ratio"] = None  # so that all anchors count
    if "features" in known:
        options |= JUDGE
    if "width_ratio" in known:
        options["width_ratio"] = 1 / 16
    model = build(imported(definition.class_path), **options)
    if definition.family == "word_embedding":
        model.word_counts.fill_(1)  # as a corpus would
        if "num_negatives" in known:
            torch.nn.init.normal_(model.output.weight)  # from zeros no gradient comes
    return model
