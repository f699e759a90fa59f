"""zoo predict of a language model: prompts."""

from pathlib import Path

import pytest

from tests.conftest import fails
from zoo.cli.main import main

FIT = [
    *("fit", "lstm-time_machine", "--data.synthetic", "true", "--trainer.max_epochs", "2"),
    *("--trainer.limit_train_batches", "3", "--trainer.limit_val_batches", "2"),
    *("--model.hidden_size", "16", "--trainer.accelerator", "cpu"),
]


CKPT = "runs/lstm-time_machine/1/checkpoints/best.ckpt"


@pytest.mark.drawn
def test_a_prompt_is_continued(capsys):
    assert main(FIT) == 0
    samples = Path("runs/lstm-time_machine/1/pictures/samples.txt").read_text().splitlines()
    assert [line.partition(":")[0] for line in samples] == ["epoch 0, step 3", "epoch 1, step 6"]
    assert all("|" in line for line in samples)
    assert Path("runs/lstm-time_machine/1/pictures/validation_surprise.png").exists()
    capsys.readouterr()
    ask = ["predict", "--ckpt_path", CKPT, "--length", "40", "--seed", "3", "--prompt"]
    assert main([*ask, "time traveller", "--temperature", "0.8", "--top_k", "5"]) == 0
    out = capsys.readouterr().out
    text = Path("predictions/1.txt").read_text()
    assert text.startswith("time traveller")
    assert len(text) == 14 + 40 + 1
    assert text in out
    assert "written: predictions/1.txt" in out
    assert main([*ask, "Time Traveller!"]) == 0
    assert "read as: time traveller \n" in capsys.readouterr().out
    ask[-2] = "5"
    assert main([*ask, "time traveller", "--output", "here.txt"]) == 0
    assert Path("here.txt").exists()
    for options, words in [
        ((), "say what the text is, or begins with: --prompt"),
        (("--prompt", ""), "nothing to read in the prompt ''"),
        (("--prompt", "a", "book.txt"), "takes a prompt, not book.txt"),
        (("--prompt", "a", "--trainer.devices", "2"), "a prompt, not --trainer.devices=2"),
        (("--prompt", "a", "--length", "0"), "length is 0"),
        (("--prompt", "a", "--top_p", "2"), "top_p is 2.0"),
        (("--prompt", "a", "--temperature", "-1"), "temperature is -1.0"),
    ]:
        assert words in fails(capsys, "predict", "--ckpt_path", CKPT, *options)


def test_unknown_tokens_of_a_prompt_are_named(capsys):
    Path("data.txt").write_text("one two three four five six seven eight nine ten\n" * 40)
    text = ["--data", "TextFile", "--data.path", "data.txt", "--data.num_steps", "4"]
    small = ["--data.batch_size", "2", "--model.hidden_size", "8", "--trainer.max_epochs", "1"]
    assert main(["fit", "--model", "RNN", *text, *small, "--trainer.accelerator", "cpu"]) == 0
    (path,) = Path("runs").glob("*/1/checkpoints/best.ckpt")
    capsys.readouterr()
    assert (
        main(["predict", "--ckpt_path", str(path), "--prompt", "one é two", "--length", "5"]) == 0
    )
    assert "not in the vocabulary, read as <unk>: é" in capsys.readouterr().out


def test_a_prompt_is_for_models_of_text(capsys):
    small = ["--data.synthetic", "true", "--trainer.limit_train_batches", "1"]
    name = "softmax_regression-fashion_mnist"
    options = ["--trainer.max_epochs", "1", "--trainer.accelerator", "cpu"]
    assert main(["fit", name, *small, *options]) == 0
    path = f"runs/{name}/1/checkpoints/last.ckpt"
    capsys.readouterr()
    line = fails(capsys, "predict", "--ckpt_path", path, "--prompt", "a")
    assert "labels pictures or rows of tables: --prompt is not for that" in line
