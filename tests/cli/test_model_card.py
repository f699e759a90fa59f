"""Model cards: what a model is and how good, without places."""

import hashlib
import json
from pathlib import Path

import torch

from tests.cli.conftest import exported
from tests.conftest import fails
from zoo.checkpoints.checkpoint import corpus_state, read
from zoo.cli.export.model_card import Card, text_of
from zoo.cli.main import main


def test_the_card_says_what_a_model_is_and_how_good(capsys):
    quick = ["--trainer.limit_train_batches", "2", "--trainer.max_epochs", "1"]
    assert main(["fit", "lenet-fashion_mnist", "--data.synthetic", "true", *quick]) == 0
    run = Path("runs/lenet-fashion_mnist/1")
    path = run / "checkpoints" / "best.ckpt"
    assert main(["test", "--ckpt_path", str(path)]) == 0
    assert main(["export", str(path), "--format", "safetensors"]) == 0
    file, card = run / "exports" / "best.safetensors", run / "exports" / "best.safetensors.md"
    assert str(card) in capsys.readouterr().out
    text = card.read_text()
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    record = json.loads((run / "test.json").read_text())["metrics"]
    for words in (
        "# LeNet on FashionMNIST",
        "61,706 parameters",
        "10.1109/5.726791",
        "its generated stand-in",
        "`lenet-fashion_mnist`, run 1",
        f"SHA-256 `{digest}`",
        f"| test/accuracy | {record['test/accuracy']:.4f} |",
        "| val/accuracy |",
        "max_lr: 0.01",
        "9. ankle boot",
        "mean [0.286]",
        "MIT",
    ):
        assert words in text
    assert str(Path.cwd()) not in text
    (run / "test.json").write_text("{}")
    line = fails(capsys, "export", str(path), "--format", "safetensors")
    assert "test.json: cannot be read" in line


def test_the_card_of_a_table_names_its_features(checkpoint):
    exported(checkpoint("MLPRegressor"), "onnx", "a.onnx")
    text, state = Path("a.onnx.md").read_text(), corpus_state(read(checkpoint("MLPRegressor")))
    assert "the natural logarithm of SalePrice" in text
    assert all(f"| {name} |" in text for name in state["encoder"]["scales"])
    assert all(f"- {name}: " in text for name in state["encoder"]["words"])


def test_the_card_hides_places_and_bars_markup(checkpoint):
    held = read(checkpoint("GRU"))
    held["hyper_parameters"]["kernel"] = "/home/somebody/secret/net.ckpt"
    held["TimeMachine"]["labels"] = ["<script>alert(1)</script>", "a|b", "two\nlines"]
    torch.save(held, "a.ckpt")
    text = text_of(Card(held, Path("a.ckpt"), Path("a.onnx"), "0" * 64, 1, []))
    assert "somebody" not in text
    assert "net.ckpt" in text
    assert "<script>" not in text
    assert "1. a\\|b\n2. two lines\n" in text
