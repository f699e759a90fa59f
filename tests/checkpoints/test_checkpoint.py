"""Checkpoints are whole or absent: kills, full disks, and what a loaded one may do."""

import os

import pytest
import torch

import zoo
from tests.conftest import one_line
from zoo import LeNet
from zoo.checkpoints.checkpoint import DurableCheckpointIO, load, read
from zoo.errors import InputError


def save(path, value=1.0):
    checkpoint = {"zoo": {}, "state_dict": {"w": torch.full((1000,), value)}}
    DurableCheckpointIO().save_checkpoint(checkpoint, path)


def test_a_failed_save_keeps_the_old_checkpoint(tmp_path, monkeypatch):
    path = tmp_path / "last.ckpt"
    save(path, 1.0)

    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(InputError, match=r"last.ckpt: cannot be written \(No space"):
        save(path, 2.0)
    assert read(path)["state_dict"]["w"][0] == 1
    assert [p.name for p in tmp_path.iterdir()] == ["last.ckpt"]


def test_the_forbidden_switch_is_refused(tmp_path, monkeypatch):
    save(tmp_path / "a.ckpt")
    monkeypatch.setenv("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", "1")
    with pytest.raises(InputError, match="unset it"):
        read(tmp_path / "a.ckpt")


def test_weights_that_do_not_fit_are_named(tmp_path):
    checkpoint = {
        "zoo": {"class_path": "zoo.image_classification.lenet.LeNet"},
        "hyper_parameters": {"in_channels": 1, "num_classes": 10},
        "state_dict": LeNet(in_channels=3, num_classes=10).state_dict(),
    }
    torch.save(checkpoint, tmp_path / "a.ckpt")
    with one_line(InputError, match="do not fit this LeNet: size mismatch"):
        zoo.load(tmp_path / "a.ckpt")
    checkpoint["zoo"]["class_path"] = "zoo.image_classification.gone.Gone"
    torch.save(checkpoint, tmp_path / "a.ckpt")
    with pytest.raises(InputError, match=r"has no zoo\.image_classification\.gone"):
        zoo.load(tmp_path / "a.ckpt")


def test_a_users_own_class_loads_when_its_package_is_allowed(tmp_path, monkeypatch):
    (tmp_path / "mine.py").write_text(
        "from zoo.image_classification.lenet import LeNet\nclass Mine(LeNet): pass\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    model = LeNet(in_channels=1, num_classes=10)
    checkpoint = {
        "zoo": {"class_path": "mine.Mine"},
        "hyper_parameters": {"in_channels": 1, "num_classes": 10},
        "state_dict": model.state_dict(),
    }
    torch.save(checkpoint, tmp_path / "a.ckpt")
    with pytest.raises(InputError, match=r"mine\.Mine is not of the zoo"):
        zoo.load(tmp_path / "a.ckpt")
    assert type(load(tmp_path / "a.ckpt", allow=["mine"])).__name__ == "Mine"


@pytest.mark.parametrize("wrong", [{"format": "1"}, {"class_path": 3}, {"corpus": ["Mine"]}])
def test_what_does_not_say_what_it_holds_is_no_checkpoint(tmp_path, wrong):
    torch.save({"zoo": wrong, "state_dict": {}}, tmp_path / "a.ckpt")
    with pytest.raises(InputError, match="not a checkpoint of the zoo"):
        read(tmp_path / "a.ckpt")


@pytest.mark.parametrize(
    "held",
    [{"zoo": {}, "state_dict": {}}, {"zoo": {"class_path": "zoo.LeNet"}}],
)
def test_a_checkpoint_without_a_model_is_refused(tmp_path, held):
    torch.save(held, tmp_path / "a.ckpt")
    with pytest.raises(InputError, match="holds no trained model"):
        zoo.load(tmp_path / "a.ckpt")
