"""Models and datamodules of others: named by --allow or installed, through every verb."""

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

import datamodules
import zoo
from tests.conftest import PLAIN, fails
from zoo.catalogue import corpora
from zoo.checkpoints.checkpoint import read
from zoo.cli.main import main

FIT = ["fit", "--model", "plain_net.Net", "--data", "plain_net.Squares"]
SHORT = ["--trainer.max_epochs", "2", "--trainer.accelerator", "cpu"]
ALLOW = ["--allow", "plain_net"]
LAST = "runs/net-squares/1/checkpoints/last.ckpt"


@pytest.fixture
def plain_net(monkeypatch):
    Path("plain_net.py").write_text(PLAIN)
    monkeypatch.syspath_prepend(Path.cwd())
    yield
    sys.modules.pop("plain_net", None)


@pytest.fixture
def trained(plain_net, capsys):
    assert main([*FIT, *ALLOW, *SHORT, "--data.count", "32"]) == 0
    return capsys.readouterr().out


def test_a_first_batch_is_shown_by_its_shapes(plain_net, capsys):
    assert main(["show", "plain_net.Squares", "--batch", *ALLOW]) == 0
    assert capsys.readouterr().out.splitlines() == [
        *("Squares", "batch[0]: 16 x 1, float32", "batch[1]: 16 x 1, float32"),
    ]
    assert "--allow plain_net" in fails(capsys, "show", "plain_net.Squares", "--batch")


def test_both_are_trained_and_used_again(trained, capsys):
    assert "net-squares, 2 epochs: Squares" in trained
    assert "epoch 2/2  train_loss 0." in trained
    noted = read(LAST)["zoo"]
    assert noted["data"]["init_args"] == {"count": 32, "batch_size": 16}
    (command,) = [line for line in trained.splitlines() if "zoo test" in line]
    assert main(command.partition("zoo ")[2].split()) == 0
    assert json.loads(Path("runs/net-squares/1/test.json").read_text())["corpus"] == "Squares"
    assert main(["validate", "--ckpt_path", LAST, *ALLOW]) == 0
    assert main([*FIT, *ALLOW, *SHORT[2:], "--trainer.max_epochs", "3", "--ckpt_path", LAST]) == 0
    assert read("runs/net-squares/2/checkpoints/last.ckpt")["global_step"] == 4 + 4
    assert main(["compare", "runs"]) == 0
    assert "test_loss" in capsys.readouterr().out
    model = zoo.load(LAST, allow=["plain_net"])
    assert model.hparams["hidden"] == 8


@pytest.mark.parametrize(
    ("kind", "ending"), [("numbers", ".csv"), ("maps", ".pt"), ("objects", ".jsonl")]
)
def test_rows_are_predicted(kind, ending, plain_net):
    assert main([*FIT, *ALLOW, *SHORT, "--model.predicts", kind]) == 0
    assert main(["predict", "--ckpt_path", LAST, *ALLOW]) == 0
    path = Path("predictions/1").with_suffix(ending)
    assert path.is_file()
    if kind == "numbers":
        rows = [*csv.DictReader(path.open())]
        assert [*rows[0]] == ["row", "prediction_0"]
        assert len(rows) == 64


def test_what_is_not_there_is_said(trained, capsys):
    bare = ["predict", "--ckpt_path", LAST]
    assert "not imported; where you trust it: --allow plain_net" in fails(capsys, *bare)
    assert "rows of its datamodule, not a.png" in fails(capsys, *bare, "a.png", *ALLOW)
    sizes = ["--model.in_features", "784", "--model.num_classes", "10"]
    pair = ["--model", "MLP", "--data", "plain_net.Pictures"]
    assert main(["fit", *pair, *sizes, *ALLOW, *SHORT]) == 0
    mlp = ["--ckpt_path", "runs/mlp-pictures/1/checkpoints/last.ckpt", *ALLOW]
    assert main(["test", *mlp]) == 0
    capsys.readouterr()
    assert "it holds no corpus, which predicting needs" in fails(capsys, "predict", "a.png", *mlp)


@pytest.mark.parametrize(
    ("model", "data", "said"),
    [
        ("plain_net.Other", "plain_net.Squares", "--model plain_net.Other is no LightningModule"),
        ("plain_net.Net", "plain_net.Net", "--data plain_net.Net is no LightningDataModule"),
        ("plain_net.nn", "plain_net.Squares", "--model plain_net.nn is no LightningModule"),
        ("plain_net.Nat", "plain_net.Squares", "has no attribute 'Nat'"),
    ],
)
def test_other_kinds_are_refused(model, data, said, plain_net, capsys):
    assert said in fails(capsys, "fit", "--model", model, "--data", data, *ALLOW)


def test_trials_and_jobs(plain_net, capsys):
    sweep = {
        "method": "grid",
        "metric": {"name": "val_loss", "goal": "minimize"},
        "command": ["zoo", *FIT, *SHORT, "${args}"],
        "parameters": {"model.lr": {"values": [0.1]}},
    }
    Path("s.yaml").write_text(yaml.safe_dump(sweep))
    assert main(["sweep", "s.yaml", *ALLOW]) == 0
    assert "val_loss" in capsys.readouterr().out
    assert main(["submit", *FIT[1:], *ALLOW, "--nodes", "1", "--gpus", "0", "--dry-run"]) == 0
    assert "--allow plain_net" in capsys.readouterr().out


def test_installed_classes_are_those_of_the_zoo(tmp_path):
    package, info = tmp_path / "site" / "plain", tmp_path / "site" / "plain-1.0.dist-info"
    package.mkdir(parents=True)
    info.mkdir()
    (package / "__init__.py").write_text('"""Nothing is imported to list what there is."""\n')
    (package / "net.py").write_text(PLAIN)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: plain\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[zoo.models]\nNet = plain.net:Net\nGone = plain.gone:Gone\nLeNet = plain.net:Nothing\n"
        "[zoo.corpora]\nSquares = plain.net:Squares\n"
    )
    path = os.pathsep.join([str(tmp_path / "site"), *sys.path])
    commands = [
        ["list", "models", "Net", "--json"],
        ["list", "corpora", "squares"],
        ["show", "Net", "--card"],
        ["fit", "--model", "net", "--data", "squares", *SHORT],
        ["test", "--ckpt_path", LAST],
        ["export", LAST, "--format", "safetensors"],
    ]
    code = f"from zoo.cli.main import main\nfor argv in {commands}: assert main(argv) == 0, argv"
    environment = {**os.environ, "PYTHONPATH": path}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=50
    )
    assert done.returncode == 0, done.stderr
    assert '"name": "Net"' in done.stdout
    assert "zoo test --ckpt_path runs/net-squares/1/checkpoints/best.ckpt\n" in done.stdout


# From Python


def test_models_by_name():
    assert zoo.create_model("resnet", num_classes=7, width_ratio=0.1).hparams.num_classes == 7
    assert zoo.create_model("LeNet", in_channels=1, num_classes=10).hparams.in_channels == 1
    assert isinstance(zoo.create_model("mlp", in_features=4, num_classes=2), zoo.MLP)
    with pytest.raises(zoo.errors.InputError, match="did you mean ResNet"):
        zoo.create_model("resnett", num_classes=7)


def test_corpora_are_listed():
    assert datamodules.list_corpora() == sorted(corpora(), key=datamodules.list_corpora().index)
    assert set(datamodules.list_corpora("*file")) == {"PairFile", "TextFile"}
    assert {"FashionMNIST", "list_corpora"} <= set(dir(datamodules))
