"""zoo fit --ckpt_path: what is said, what is handed over, which way out a message names."""

import csv
from pathlib import Path

import pytest
import torch
import yaml

from tests.conftest import fails
from zoo.cli.main import main

RECIPE = "softmax_regression-fashion_mnist"
QUICK = [
    *("--data.synthetic", "true", "--trainer.accelerator", "cpu", "--trainer.max_epochs", "1"),
    *("--trainer.limit_train_batches", "4", "--trainer.enable_progress_bar", "false"),
]
CONSTANT = [*QUICK, "--model.lr_scheduler", "null"]
CLIMB = ("--model.optimizer.maximize", "true")


def fit(*options, start=CONSTANT):
    """Trains; returns the run folder."""
    before = set(Path("runs").glob("*/*"))
    assert main(["fit", RECIPE, *start, *map(str, options)]) == 0
    (run,) = set(Path("runs").glob("*/*")) - before
    return run


def checkpoint(run, name="last"):
    return torch.load(run / "checkpoints" / f"{name}.ckpt", weights_only=True)


def go_on(run, *options, start=CONSTANT):
    path = run / "checkpoints" / "last.ckpt"
    return fit("--trainer.max_epochs", 2, *options, "--ckpt_path", path, start=start)


def refusal(capsys, run, *options, start=CONSTANT):
    path = str(run / "checkpoints" / "last.ckpt")
    before = set(Path("runs").glob("*/*"))
    line = fails(capsys, "fit", RECIPE, *start, *options, "--ckpt_path", path)
    assert set(Path("runs").glob("*/*")) == before
    return line


@pytest.fixture
def begun():
    return fit()


def test_what_differs_is_said(begun, capsys):
    capsys.readouterr()
    go_on(begun)
    assert "other settings" not in capsys.readouterr().out
    others = ["--seed_everything", 3, "--data.batch_size", 64, "--model.optimizer.lr", 0.1]
    others += ["--trainer.accumulate_grad_batches", 2]
    go_on(begun, *others, "+ema")
    (line,) = [line for line in capsys.readouterr().out.splitlines() if "other settings" in line]
    for words in (
        "seed_everything 0 -> 3",
        "data.batch_size 256 -> 64",
        "model.optimizer.lr 0.005 -> 0.1",
        "trainer.accumulate_grad_batches 1 -> 2",
        "with +ema",
    ):
        assert words in line
    averaged = fit("+ema")
    capsys.readouterr()
    go_on(averaged)
    assert "without +ema" in capsys.readouterr().out


def test_the_settings_are_those_that_were_used(begun):
    run = go_on(begun, "--model.optimizer.lr", 0.25)
    settings = yaml.safe_load((run / "config.yaml").read_text())
    assert settings["model"]["init_args"]["optimizer"]["init_args"]["lr"] == 0.25
    (group,) = checkpoint(run)["optimizer_states"][0]["param_groups"]
    assert group["lr"] == 0.25


def test_a_schedule_at_its_end_has_one_way_on(capsys):
    run = fit(start=QUICK)
    way = "--model.lr_scheduler null --model.optimizer.lr"
    line = refusal(capsys, run, start=QUICK)
    assert "at the end of its 1 epoch already: raise --trainer.max_epochs" in line
    assert way in line
    assert way in refusal(capsys, run, "--trainer.max_epochs", "2", start=QUICK)
    again = go_on(run, "--model.optimizer.lr", 0.25)
    assert checkpoint(again)["optimizer_states"][0]["param_groups"][0]["lr"] == 0.25
    assert checkpoint(again)["global_step"] == 8


def test_the_limit_that_ended_a_run_is_named(capsys):
    run = fit("--trainer.max_steps", 3)
    line = refusal(capsys, run, "--trainer.max_steps", "3")
    assert "has done its 3 steps already: raise --trainer.max_steps" in line
    again = go_on(run)
    assert checkpoint(again)["global_step"] == 8
    with (again / "metrics.csv").open() as file:
        ends = [row["epoch"] for row in csv.DictReader(file) if row["val/loss"]]
    assert ends == ["0", "1"]
    line = refusal(capsys, run, "--trainer.max_time", "00:00:00:00", "--trainer.max_epochs", "9")
    assert "has used its time already: raise --trainer.max_time" in line


@pytest.mark.parametrize("moved", [False, True])
def test_the_best_is_handed_over(moved, begun, capsys):
    """The epochs that climb are worse than the first; the run may have been moved."""
    if moved:
        begun = begun.rename("elsewhere")
    run = go_on(begun, *CLIMB)
    best, state = checkpoint(run, "best"), "state_dict"
    assert all(map(torch.equal, best[state].values(), checkpoint(begun)[state].values()))
    assert str(run / "checkpoints" / "best.ckpt") in capsys.readouterr().out.replace("\n", "")
    last = run / "checkpoints" / "last.ckpt"
    third = fit(*CLIMB, "--trainer.max_epochs", 3, "--ckpt_path", last)
    assert checkpoint(third, "best")["epoch"] == 0


def test_or_said_to_be_gone(begun, capsys):
    run = go_on(begun, *CLIMB)
    last = (run / "checkpoints" / "last.ckpt").rename("kept.ckpt")
    for each in (begun, run):
        (each / "checkpoints" / "best.ckpt").unlink()
    capsys.readouterr()
    again = fit(*CLIMB, "--trainer.max_epochs", 3, "--ckpt_path", last)
    assert "is not there any more" in capsys.readouterr().out
    assert checkpoint(again, "best")["epoch"] == 2


@pytest.mark.parametrize("name", ["ReduceLROnPlateau", "lightning.pytorch.cli.ReduceLROnPlateau"])
def test_a_plateau_by_its_short_name(name):
    options = ["--model.lr_scheduler", name, "--model.lr_scheduler.patience", "0"]
    options += ["--trainer.max_epochs", "3", "--trainer.check_val_every_n_epoch", "2"]
    (state,) = checkpoint(fit(*options, start=QUICK))["lr_schedulers"]
    assert (state["mode"], state["monitor"], state["last_epoch"]) == ("max", "val/accuracy", 1)
    options += ["--model.lr_scheduler.monitor", "val/loss"]
    (state,) = checkpoint(fit(*options, start=QUICK))["lr_schedulers"]
    assert state["mode"] == "min"
    options += ["--model.lr_scheduler.mode", "max"]
    (state,) = checkpoint(fit(*options, start=QUICK))["lr_schedulers"]
    assert state["mode"] == "max"


@pytest.mark.parametrize(
    ("options", "peak"),
    [
        (["--model.optimizer.lr", "0.5"], 0.5),
        (["--model.optimizer.init_args.lr=0.5"], 0.5),
        (["--model.optimizer.lr", "0.5", "--model.lr_scheduler.max_lr", "0.1"], 0.1),
        (["--model.optimizer", "SGD", "--model.optimizer.lr", "0.5"], 0.5),
    ],
)
def test_a_rate_is_the_peak_of_its_schedule(options, peak, capsys):
    run = fit(*options, start=QUICK)
    (group,) = checkpoint(run)["optimizer_states"][0]["param_groups"]
    assert group["max_lr"] == peak
    said = "--model.lr_scheduler.max_lr is 0.5, as --model.optimizer.lr" in capsys.readouterr().out
    assert said == (peak == 0.5)


@pytest.mark.parametrize(
    ("options", "length"),
    [
        (["--trainer.max_epochs", "9", "--trainer.max_steps", "8"], 2),
        (["--trainer.max_epochs", "-1", "--trainer.max_steps", "9"], 3),
        (["--trainer.max_epochs", "2", "--trainer.max_steps", "90"], 2),
        (
            [
                *("--trainer.max_epochs", "9", "--trainer.max_steps", "4"),
                *("--trainer.accumulate_grad_batches", "2"),
            ],
            2,
        ),
    ],
)
def test_a_schedule_by_epochs_ends_with_the_steps(options, length):
    schedule = ["--model.lr_scheduler", "LinearDecayLR", "--model.schedule_interval", "epoch"]
    (state,) = checkpoint(fit(*schedule, *options, start=QUICK))["lr_schedulers"]
    assert state["total_steps"] == length
