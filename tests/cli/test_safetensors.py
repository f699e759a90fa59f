"""Safetensors: all of a checkpoint but its training, and files that are bad."""

import random
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

import zoo
from tests.cli.conftest import CASES, assert_same, exported, write_safetensors
from tests.conftest import fails, one_line
from zoo.checkpoints import safetensors_file
from zoo.checkpoints.checkpoint import read
from zoo.cli.main import main
from zoo.errors import InputError


@pytest.mark.parametrize("name", CASES)
def test_safetensors_hold_all_of_a_checkpoint_but_its_training(name, checkpoint):
    path = checkpoint(name)
    whole, found = read(path), read(exported(path, "safetensors", "a.safetensors"))
    training = {"callbacks", "loops", "optimizer_states", "lr_schedulers"}
    assert training <= set(whole) - set(found)
    assert not [key for key in set(whole) - set(found) - training if key[:10] != "datamodule"]
    assert_same({key: dict(whole)[key] for key in found}["zoo"], found["zoo"])
    for key in found:
        one = whole[key]
        assert_same(dict(one) if key == "state_dict" else one, found[key], key)
    model, again = zoo.load(path), zoo.load("a.safetensors")
    assert type(model) is type(again)
    assert not again.training
    assert_same(dict(model.state_dict()), dict(again.state_dict()))
    assert {n for n, v in whole["state_dict"].items() if isinstance(v, torch.Tensor)} <= set(
        load_file("a.safetensors")  # for other programs, under their own names
    )


def test_equal_checkpoints_are_equal_files_and_export_again(checkpoint):
    one = exported(checkpoint("GRU"), "safetensors", "a.safetensors")
    other = exported(one, "safetensors", "b.safetensors")
    assert one.read_bytes() == other.read_bytes()


ASKED = {
    "LeNet": ["x.png"],
    "GRU": ["--prompt", "time traveller", "--length", "20"],
    "BidirectionalTagger": ["--prompt", "thetimetraveller"],
    "BidirectionalRNN": ["--text", "a great film"],
    "Seq2Seq": ["--text", "i am here ."],
    "MLPRegressor": [],
    "FastText": ["--nearest", "the"],
    "DCGAN": ["--num", "4"],
    "NeuralStyle": [],
    "FastStyle": ["x.png"],
}


@pytest.mark.parametrize("name", ASKED)
def test_predict_takes_safetensors_for_the_checkpoint(name, checkpoint):
    pixels = np.random.default_rng(0).integers(0, 255, (40, 40, 3), dtype=np.uint8)
    Image.fromarray(pixels).save("x.png")
    path = exported(checkpoint(name), "safetensors", "a.safetensors")
    ending = ".png" if name in ("LeNet", "FastStyle", "NeuralStyle", "DCGAN") else ".csv"
    for number, given in enumerate((checkpoint(name), path)):
        argv = ["predict", "--ckpt_path", str(given), *ASKED[name], "--output", f"{number}{ending}"]
        assert main(argv) == 0
    assert Path(f"0{ending}").read_bytes() == Path(f"1{ending}").read_bytes()


def test_other_values_than_plain_ones_survive(tmp_path):
    shared = torch.arange(6.0)
    held = {
        "zoo": {"class_path": "zoo.x.X", "corpus": "Mine"},
        "Mine": {
            "tuple": (1, (2.5, None)),
            "keys": {1: "one", (2, 3): "pair", None: torch.tensor(5)},
            "$tensor": {"$": "no kind"},
            "floats": [float("nan"), float("inf"), -float("inf"), -0.0, 0.1, 1e-320],
            "text": '\ud800 é \n <eos> "sha256":"' + "0" * 64,
            "large": 2**70,
            "halves": torch.tensor([1.5, float("nan")], dtype=torch.bfloat16),
            "empty": [torch.zeros(0), torch.zeros(0, 3, dtype=torch.int64)],
            "bits": torch.tensor([[True], [False]]),
        },
        "state_dict": {"a": shared, "tied": shared, "part": shared[2:4], "b": shared.view(2, 3).T},
        "optimizer_states": ["left out"],
    }
    write_safetensors(held, tmp_path / "a.safetensors")
    found = safetensors_file.read(tmp_path / "a.safetensors")
    del held["optimizer_states"]
    assert_same({key: held[key] for key in found}, found)
    assert set(held) == set(found)
    with pytest.raises(InputError, match=r"cannot hold it: Mine.what is a complex"):
        write_safetensors({**held, "Mine": {"what": 1j}}, tmp_path / "b.safetensors")
    assert [path.name for path in tmp_path.iterdir()] == ["a.safetensors"]


def test_no_changed_byte_of_safetensors_is_read(checkpoint, tmp_path):
    path = exported(checkpoint("GRU"), "safetensors", "a.safetensors")
    whole, draw = path.read_bytes(), random.Random(0)
    end = 8 + int.from_bytes(whole[:8], "little")
    places = [*range(8), *draw.sample(range(8, end), 150), *draw.sample(range(end, len(whole)), 50)]
    changed = [
        whole[:n] + bytes([whole[n] ^ 1 << draw.randrange(8)]) + whole[n + 1 :] for n in places
    ]
    cut = [whole[: draw.randrange(len(whole))] for _ in range(50)]
    for data in (*changed, *cut, whole + b"\0", b"", whole[:8], whole[:9]):
        path.write_bytes(data)
        with one_line(InputError):
            read(path)


def test_bad_safetensors_are_said_in_one_line(checkpoint, capsys):
    path = exported(checkpoint("GRU"), "safetensors", "a.safetensors")
    Path("cut.safetensors").write_bytes(path.read_bytes()[:-1])
    save_file({"w": torch.zeros(2)}, "plain.safetensors")
    Path("deep.safetensors").write_bytes((10**5).to_bytes(8, "little") + b"[" * 10**5)
    Path("zip.safetensors").write_bytes(checkpoint("GRU").read_bytes())
    for name, words in {
        "cut": "damaged, cut or changed",
        "plain": "weights alone, not a model that `zoo export",
        "deep": "not a whole file of safetensors",
        "zip": "not a whole file of safetensors",
        "none": "there is no such checkpoint",
    }.items():
        for verb in (["predict", "--prompt", "a"], ["test"]):
            line = fails(capsys, *verb, "--ckpt_path", f"{name}.safetensors")
            assert f"{name}.safetensors" in line
            assert words in line
    line = fails(capsys, "fit", "gru-time_machine", "--ckpt_path", str(path))
    assert "weights alone, to predict with: go on from a .ckpt" in line


def test_safetensors_of_foreign_code_are_not_imported(checkpoint, tmp_path, monkeypatch, capsys):
    (tmp_path / "foreign.py").write_text("open('ran', 'w')\nclass Net: pass")
    monkeypatch.syspath_prepend(tmp_path)
    held = read(checkpoint("GRU"))
    held["zoo"]["class_path"] = "foreign.Net"
    write_safetensors(held, Path("foreign.safetensors"))
    line = fails(capsys, "predict", "--prompt", "a", "--ckpt_path", "foreign.safetensors")
    assert "foreign.Net is not of the zoo" in line
    assert not Path("ran").exists()


def test_a_test_of_safetensors_measures_as_the_checkpoint(checkpoint, capsys):
    path = exported(checkpoint("LeNet"), "safetensors", "a.safetensors")
    tables = []
    for given in (checkpoint("LeNet"), path):
        capsys.readouterr()
        assert main(["test", "--ckpt_path", str(given)]) == 0
        tables.append(capsys.readouterr().out.partition("\n")[2])
    assert "accuracy" in tables[0]
    assert tables[0] == tables[1]
