"""Arguments are read from checkpoints and configurations under their names of earlier versions."""

from pathlib import Path

import pytest
import torch
import yaml

import zoo
from zoo.catalogue import RENAMED, architectures, arguments, definitions, renamed
from zoo.checkpoints.checkpoint import read
from zoo.cli.compose import compose, from_checkpoint
from zoo.errors import InputError

OLD = Path(__file__).parent / "0.1.0" / "tiny_ssd-pikachu.ckpt"
CHANGED = {"match_overlap": 0.25, "least_score": 0.125, "nms_overlap": 0.375, "most": 7}
NAMES = RENAMED["object_detection"]


def checkpoint(path):
    """One that was trained with settings of its own, under the old names."""
    held = torch.load(OLD, weights_only=True)
    given = held["hyper_parameters"].items()
    held["hyper_parameters"] = {n: v for n, v in given if n not in NAMES.values()} | CHANGED
    torch.save(held, path)
    return path


def test_a_checkpoint_of_an_earlier_version(tmp_path):
    path = checkpoint(tmp_path / "old.ckpt")
    model = zoo.load(path)
    assert {old: getattr(model, NAMES[old]) for old in CHANGED} == CHANGED
    given = from_checkpoint(read(path), str(path), None, []).config["model"]["init_args"]
    assert {old: given[NAMES[old]] for old in CHANGED} == CHANGED
    assert not set(CHANGED) & set(given)


def test_a_configuration_of_an_earlier_version():
    model = {"class_path": "zoo.object_detection.tiny_ssd.TinySSD", "init_args": dict(CHANGED)}
    data = {"class_path": "datamodules.pikachu.Pikachu"}
    Path("config.yaml").write_text(yaml.safe_dump({"model": model, "data": data}))
    found = compose(None, "config.yaml", None, None, []).config["model"]["init_args"]
    assert found == {NAMES[old]: value for old, value in CHANGED.items()}


def test_folds_that_had_no_effect():
    path = OLD.with_name("skip_gram-penn_treebank_windows.ckpt")
    held = read(path)
    assert "fold" in held["datamodule_hyper_parameters"]
    given = from_checkpoint(held, str(path), None, []).config["data"]["init_args"]
    assert given == {"batch_size": 8192, **given}
    assert not {"fold", "num_folds", "split_seed", "validation_fraction"} & set(given)


@pytest.mark.parametrize("old", CHANGED)
def test_an_option_of_an_earlier_version(old):
    with pytest.raises(
        InputError, match=rf"no option model.{old} \(it is now called {NAMES[old]}\)"
    ):
        compose("tiny_ssd-pikachu", None, None, None, [f"--model.{old}=1"])


def test_other_models_keep_their_arguments():
    for definition in architectures().values():
        known = arguments(definition, definitions())
        assert renamed(definition.class_path, known) == known
    assert renamed("mine.Net", dict(CHANGED)) == CHANGED
    assert renamed("", dict(CHANGED)) == CHANGED
