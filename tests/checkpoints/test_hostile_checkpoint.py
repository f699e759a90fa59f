"""A checkpoint of somebody else names a model and a corpus, and nothing else is called."""

import pkgutil
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import torch

import datamodules
import zoo
from datamodules.corpus import Corpus
from tests.cli.conftest import write_safetensors
from tests.conftest import fails
from zoo.catalogue import architectures, corpora
from zoo.checkpoints.checkpoint import read, refuse_foreign
from zoo.errors import InputError
from zoo.task import Task

MODEL = "zoo.image_classification.lenet.LeNet"
SIZES = {"in_channels": 1, "num_classes": 10}


def held(model: str, given: dict[str, Any] | None = None, /, **corpus: Any) -> dict[str, Any]:
    """The content of a checkpoint."""
    return {
        "zoo": {"class_path": model, "corpus": "Own" if corpus else None},
        "hyper_parameters": SIZES if given is None else given,
        "state_dict": {},
        "Own": corpus,
    }


def public_names() -> Iterator[tuple[str, Any]]:
    """Yields every public name of every module of both packages, with what it stands for."""
    for package in (zoo, datamodules):
        modules = pkgutil.walk_packages(package.__path__, f"{package.__name__}.")
        names = [package.__name__, *(module.name for module in modules)]
        for module in (import_module(name) for name in names):
            for name in dir(module):
                if not name.startswith("_"):
                    yield f"{module.__name__}.{name}", getattr(module, name)


def test_every_public_name_but_models_and_corpora_is_refused():
    """Whatever it is: function, class of another kind, or a class that a module has imported."""
    kinds = {"model": Task, "corpus": Corpus}
    accepted: dict[str, set[str]] = {"model": set(), "corpus": set()}
    refused = 0
    for name, found in public_names():
        for kind, base in kinds.items():
            content = held(name) if kind == "model" else held(MODEL, class_path=name)
            own = isinstance(found, type) and found.__module__ == name.rpartition(".")[0]
            if own and issubclass(found, base) and found is not base:
                refuse_foreign(content, "a.ckpt")
                accepted[kind].add(name)
                continue
            with pytest.raises(InputError) as caught:
                refuse_foreign(content, "a.ckpt")
            assert f"has no {name} as a {kind}" in str(caught.value)
            refused += 1
    assert {d.class_path for d in architectures().values()} <= accepted["model"]
    assert {d.class_path for d in corpora().values()} <= accepted["corpus"]
    assert refused > 5000


@pytest.mark.parametrize("suffix", ["ckpt", "safetensors"])
@pytest.mark.parametrize(
    ("class_path", "arguments"),
    [
        ("zoo.catalogue.import_module", {"name": "evil"}),
        ("zoo.catalogue.imported", {"class_path": "evil.C"}),
        ("zoo.cli.main.resolve_name", {"name": "evil"}),
        ("datamodules.import_module", {"name": "evil"}),
        ("zoo.LeNet", SIZES),
        ("evil.C", {}),
    ],
)
def test_what_a_checkpoint_names_is_not_called(class_path, arguments, suffix, evil, capsys):
    path = Path(f"hostile.{suffix}")
    for content in (
        held(class_path, arguments),
        held(MODEL, class_path=class_path, arguments=arguments),
    ):
        if suffix == "ckpt":
            torch.save(content, path)
        else:
            write_safetensors(content, path)
        with pytest.raises(InputError, match=r"not imported|has no"):
            zoo.load(path)
        for verb in (["predict", "x.png"], ["test"], ["validate", "--data", "FashionMNIST"]):
            fails(capsys, *verb, "--ckpt_path", str(path))
        fails(capsys, "export", str(path), "--format", "onnx")
        assert not evil.exists()


def test_a_backbone_is_an_architecture(evil):
    for backbone, arguments in (
        ("zoo.image_classification.graph.functional", {}),
        ("zoo.image_classification.fine_tuned_resnet.resnet_weights.read", {"weights": "w"}),
        ("zoo.image_classification.task.Task", {}),
    ):
        with pytest.raises(InputError, match="a backbone is a class below"):
            zoo.SSD(3, 1, backbone=backbone, backbone_args=arguments)


def test_a_package_that_is_allowed_defines_the_model(tmp_path, monkeypatch):
    Path(tmp_path / "defining.py").write_text(
        "from os import system\nfrom zoo import LeNet as Other\nclass Mine(Other): pass\nMAX = 1\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    weights = {"state_dict": zoo.LeNet(**SIZES).state_dict()}
    torch.save({**held("defining.Mine"), **weights}, "mine.ckpt")
    assert type(zoo.load("mine.ckpt", allow=["defining"])).__name__ == "Mine"
    for name in ("system", "Other", "MAX"):
        torch.save(held(f"defining.{name}"), "mine.ckpt")
        with pytest.raises(InputError, match=f"defining.{name} is no LightningModule"):
            zoo.load("mine.ckpt", allow=["defining"])


@pytest.mark.parametrize(
    "wrong",
    [
        {"hyper_parameters": [1]},
        {"hyper_parameters": {1: 2}},
        {"Own": 3},
        {"Own": {"arguments": "x"}},
        {"Own": {"arguments": {("a",): 1}}},
    ],
)
def test_other_things_than_names_are_no_checkpoint(wrong):
    torch.save({**held(MODEL, class_path="x"), **wrong}, "a.ckpt")
    with pytest.raises(InputError, match="not a checkpoint of the zoo"):
        read("a.ckpt")


def test_arguments_that_fit_no_model_are_said_in_a_line(capsys):
    torch.save(held(MODEL, {**SIZES, "nonsense": 1}), "a.ckpt")
    with pytest.raises(InputError, match="LeNet cannot be built as it says") as caught:
        zoo.load("a.ckpt")
    assert "\n" not in str(caught.value)
