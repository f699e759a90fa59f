"""Tab completion: what may follow, and what real shells make of it."""

import os
import shutil
import sys
import typing
from inspect import signature
from pathlib import Path

import pytest
from lightning.pytorch import Trainer
from lightning.pytorch.accelerators import AcceleratorRegistry
from lightning.pytorch.strategies import StrategyRegistry
from torch import optim

from tests.cli.conftest import RECIPE
from tests.conftest import ROOT
from tests.terminals import Terminal
from zoo.catalogue import architectures, corpora, recipes
from zoo.checkpoints.bundled import bundled
from zoo.cli import completion
from zoo.cli.foreign_signatures import torch_classes
from zoo.cli.main import VERBS, main
from zoo.cli.overlays import overlays

LENET = "zoo fit lenet-fashion_mnist"
WHOLE = [  # what is typed, and the line that it becomes
    ("zoo doc", "zoo doctor"),
    ("zoo fit lenet-f", LENET),
    (f"{LENET} +bf", f"{LENET} +bf16"),
    (f"{LENET} --pr", f"{LENET} --pr"),  # --precision, --print_config, --profile
    (f"{LENET} --prec", f"{LENET} --precision"),
    (f"{LENET} --model.act", f"{LENET} --model.activation"),
    (f"{LENET} --model.activation r", f"{LENET} --model.activation relu"),
    (f"{LENET} --model.activation=r", f"{LENET} --model.activation=relu"),
    (f"{LENET} --model.lr_scheduler.pct", f"{LENET} --model.lr_scheduler.pct_start"),
    (f"{LENET} --model.optimizer Yo", f"{LENET} --model.optimizer Yogi"),
    (f"{LENET} --data.scale sy", f"{LENET} --data.scale symmetric"),
    (f"{LENET} --data.synthetic=t", f"{LENET} --data.synthetic=true"),
    (f"{LENET} --trainer.acceler", f"{LENET} --trainer.accelerator"),
    (f"{LENET} --precision 64", f"{LENET} --precision 64-true"),
    ("zoo fit --model LeNet --model.poo", "zoo fit --model LeNet --model.pooling"),
    ("zoo fit --data Fashion", "zoo fit --data FashionMNIST"),
    ("zoo fit --config mi", "zoo fit --config mine.yaml"),
    ("zoo fit --config=mi", "zoo fit --config=mine.yaml"),
    ("zoo test --ckpt_path runs/le", "zoo test --ckpt_path runs/lenet/1/checkpoints/best.ckpt"),
    ("zoo test --ckpt_path=runs/le", "zoo test --ckpt_path=runs/lenet/1/checkpoints/best.ckpt"),
    ("zoo test --ckpt_path bag", "zoo test --ckpt_path bag_of_embeddings-imdb"),
    ("zoo test --ckpt_path my", "zoo test --ckpt_path my model.ckpt"),
    ("zoo predict --ckpt_path x pic", "zoo predict --ckpt_path x picture.png"),
    ("zoo compare ru", "zoo compare runs/"),
    ("zoo show LeN", "zoo show LeNet"),
    ("zoo prepare FashionM", "zoo prepare FashionMNIST"),
    ("zoo export x --format safe", "zoo export x --format safetensors"),
    ("zoo sweep mi", "zoo sweep mine.yaml"),
]


def offered(capsys, *words):
    """The candidates for the last word."""
    assert main(["completion", "fish", *words]) == 0
    return [line.partition("\t")[0] for line in capsys.readouterr().out.splitlines()]


@pytest.fixture
def files():
    """Files of a user: a run, a checkpoint, settings, a picture."""
    for path in ("runs/lenet/1/checkpoints/best.ckpt", "my model.ckpt", "mine.yaml", "picture.png"):
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).touch()


def test_names_follow_a_verb(capsys):
    assert set(offered(capsys, "")) == {*VERBS, "--help", "--version"}
    assert set(offered(capsys, "fit", "")) == set(recipes())
    assert set(offered(capsys, "fit", "+")) == {f"+{name}" for name in overlays()}
    assert set(offered(capsys, "tune", RECIPE, "")) == {f"+{name}" for name in overlays()}
    assert set(offered(capsys, "prepare", "")) == set(corpora())
    everything = {*architectures(), *corpora(), *recipes(), *(f"+{name}" for name in overlays())}
    assert set(offered(capsys, "show", "")) == everything
    assert offered(capsys, "completion", "") == ["bash", "zsh", "fish"]


def test_options_follow_what_is_named(capsys):
    options = offered(capsys, "fit", "lenet-fashion_mnist", "--")
    assert {"--lr", "--epochs", "--wandb", "--model.", "--data.", "--trainer."} <= set(options)
    named = offered(capsys, "fit", "lenet-fashion_mnist", "--model.")
    assert "--model.pooling" in named
    assert "--model.in_channels" not in named  # which the corpus sets
    assert "--model.lr_scheduler.max_lr" in named
    other = ["fit", "lenet-fashion_mnist", "--model.optimizer", "SGD", "--model.optimizer."]
    assert "--model.optimizer.nesterov" in offered(capsys, *other)
    trainer = {f"--trainer.{name}" for name in signature(Trainer).parameters}
    assert set(offered(capsys, "fit", "--trainer.")) == trainer
    assert set(offered(capsys, "sweep", "s.yaml", "--trainer.")) == trainer
    assert "--data.order_by" not in offered(capsys, "fit", "nothing_like_it", "--data.")
    assert {"--text", "--prompt"} <= set(offered(capsys, "predict", "--"))


def test_values_follow_an_option(capsys, files):
    assert offered(capsys, "list", "--task", "tr") == ["translation"]
    assert offered(capsys, "fit", "--wandb", "") == ["online", "offline", "disabled"]
    assert offered(capsys, "fit", "--wandb=o") == ["--wandb=online", "--wandb=offline"]
    assert offered(capsys, "fit", RECIPE, "--model.channels_last", "t") == ["true"]
    assert offered(capsys, "fit", RECIPE, "--model.lr_scheduler", "St") == ["StepLR"]
    assert offered(capsys, "fit", RECIPE, "--data.root", "") == [":files"]
    assert offered(capsys, "test", "--ckpt_path", "") == [
        *("runs/lenet/1/checkpoints/best.ckpt", *bundled(), ":files"),
    ]
    assert "last" in offered(capsys, "fit", RECIPE, "--ckpt_path", "")
    assert offered(capsys, "nothing_like_it", "") == [":files"]


def test_options_of_a_run_follow_its_checkpoint(trained, capsys):
    path = trained / "checkpoints" / "best.ckpt"
    assert "--data.augment" in offered(capsys, "test", "--ckpt_path", str(path), "--data.")


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("zoo fit le", ["fit", "le"]),
        ("zoo fit ", ["fit", ""]),
        ("zoo", [""]),
        ("zoo compare 'my ru", ["compare", "my ru"]),
        ('zoo compare "a b" my\\ r', ["compare", "a b", "my r"]),
    ],
)
def test_a_line_of_bash_is_split_as_it_is_typed(line, words):
    assert completion._words(line) == words


def test_values_are_those_of_lightning_and_torch():
    values = completion.VALUES
    known = typing.get_args(signature(Trainer).parameters["precision"].annotation)
    known = {value for each in known for value in typing.get_args(each)} | {*known}
    assert set(values["precision"]) <= known
    assert {"auto", "gpu", *AcceleratorRegistry.available_accelerators()} >= set(
        values["accelerator"]
    )
    assert {"auto", *StrategyRegistry.available_strategies()} >= set(values["strategy"])
    real = {n for n, v in vars(optim).items() if isinstance(v, type) and n != "Optimizer"}
    assert set(torch_classes("optimizer")) == real
    assert {"StepLR", "OneCycleLR", "ReduceLROnPlateau"} <= set(torch_classes("schedule"))
    assert all(hasattr(optim.lr_scheduler, name) for name in torch_classes("schedule"))


# In real shells

SHELLS = {  # how each starts, without the user's settings, and reads a script
    "bash": (["bash", "--norc", "--noprofile", "-i"], "source ./script"),
    "zsh": (["zsh", "-f", "-i"], "source ./script"),
    "fish": (["fish", "--no-config", "-i"], "source ./script"),
}


@pytest.mark.parametrize("columns", [80, 200])
@pytest.mark.parametrize("shell", SHELLS)
def test_a_real_shell_completes(shell, columns, files, tmp_path, capsys):
    start, source = SHELLS[shell]
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    (tmp_path / "bin").mkdir()
    program = tmp_path / "bin" / "zoo"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -P -m zoo.cli "$@"\n')
    program.chmod(0o755)
    assert main(["completion", shell]) == 0
    Path("script").write_text(capsys.readouterr().out)
    environment = {"PATH": f"{program.parent}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT)}
    environment |= {"HOME": str(tmp_path), "PS1": "> ", "HISTFILE": "/dev/null"}
    terminal = Terminal(start, columns, 50, environment)
    terminal.send(f"{source}; echo re''ady\n")
    terminal.until("ready")
    for number, (typed, line) in enumerate(WHOLE if columns == 80 else WHOLE[:4]):
        terminal.send(f"{typed}\t\x01echo \x05 >line; echo {number}''done\n")
        terminal.until(f"{number}done")
        assert Path("line").read_text().strip().rstrip("/") == line.rstrip("/"), typed
    terminal.send("exit\n")
    assert terminal.end()[0] == 0
