"""Smoke sets of what scripts/durability tries many times."""

from importlib import import_module

import pytest

from scripts.durability import __main__ as command
from scripts.durability.resume import CASES, same
from zoo.catalogue import RECIPES
from zoo.checkpoints.checkpoint import DurableCheckpointIO


@pytest.mark.parametrize(
    ("name", "count"),
    [
        ("kills", 40),
        ("full", 20),
        ("mutations", 700),
        ("archives", 100),
        ("configs", 450),
        pytest.param("signals", 5, marks=pytest.mark.slow),
        pytest.param("resume", 5, marks=pytest.mark.slow),
    ],
)
def test_nothing_fails(name, count, tmp_path):
    outcome = import_module(f"scripts.durability.{name}").check(count, tmp_path)
    assert outcome.failures == []
    assert outcome.tries >= min(count, 100) or name == "kills"


def test_every_family_is_resumed():
    families = {path.name for path in RECIPES.iterdir() if path.is_dir()}
    assert set(CASES) == families - {"overlays"}


def test_the_checks_would_notice(tmp_path, monkeypatch):
    """A plain save is torn by kills, and a reader without a checksum loads what is damaged."""
    import torch

    from scripts.durability import kills, mutations

    def plain(self, checkpoint, path, storage_options=None):
        torch.save(checkpoint, path)

    with monkeypatch.context() as patch:
        patch.setattr(DurableCheckpointIO, "save_checkpoint", plain)
        assert kills.check(20, tmp_path).failures

    def careless(path):
        return torch.load(path, weights_only=True)

    monkeypatch.setattr(mutations, "read", careless)
    assert mutations.check(200, tmp_path).failures


def test_equal_to_the_bit():
    import torch

    value = {"a": [1, (torch.zeros(2), "x")], "b": None}
    assert same(value, {"b": None, "a": [1, (torch.zeros(2), "x")]})
    assert not same(value, {"b": None, "a": [1, (torch.tensor([0.0, 1e-45]), "x")]})
    assert not same(value, {"a": [1, (torch.zeros(2), "x")]})


def test_the_command(capsys):
    assert command.main(["archives", "--count", "3"]) == 0
    assert "archives   3 tries, 0 failures" in capsys.readouterr().out
    assert command.main(["archive"]) == 2
    assert command.main(["archives", "--count", "0"]) == 2
    assert capsys.readouterr().err.count("durability: ") == 2
