"""--profile: a trace of ten steps that a browser reads, shares that add up, no noise."""

import gzip
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import fails
from zoo.cli.main import main

RECIPE = "mlp_dropout-fashion_mnist"
QUICK = ["--data.synthetic", "true", "--trainer.max_epochs", "1", "--trainer.accelerator", "cpu"]
FOLDER = Path("runs") / RECIPE / "1" / "profile"


def traced(folder=FOLDER):
    with gzip.open(folder / "trace.json.gz", "rt") as file:
        return [event.get("name", "") for event in json.load(file)["traceEvents"]]


def shares(report, title):
    """The rows of one of the two tables: milliseconds and share by name."""
    lines = report.split(title)[1].splitlines()[1:]
    rows = {}
    for line in lines:
        match = re.fullmatch(r"(.{48}) +(-?[\d.]+) +(-?[\d.]+)%.*", line)
        if not match:
            break
        rows[match.group(1).strip()] = float(match.group(2)), float(match.group(3))
    return rows


def test_a_run_of_several_steps(capfd):
    assert main(["fit", RECIPE, "--profile", *QUICK]) == 0
    out, err = capfd.readouterr()
    report = (FOLDER / "report.txt").read_text()
    assert report in out
    assert "profile:  " in out
    assert "kineto" not in err.lower()
    assert "profil" not in err.lower()
    assert "10 steps from step 11 on" in report
    parts, operators = shares(report, "part of a step"), shares(report, "operator, on the CPU")
    assert {"data", "forward: training_step", "backward", "optimizer"} <= parts.keys()
    assert sum(share for _, share in parts.values()) == pytest.approx(100, abs=0.5)
    assert all(time >= 0 for time, _ in parts.values())
    assert "aten::addmm" in operators
    steps = [name for name in traced() if name.startswith("ProfilerStep")]
    assert len(set(steps)) == 10


@pytest.mark.parametrize(("batches", "seen"), [(5, 2), (2, 1)])
def test_a_short_run_is_seen_by_its_later_half(batches, seen, capsys):
    argv = ["fit", RECIPE, "--profile", *QUICK, "--trainer.limit_train_batches", str(batches)]
    assert main(argv) == 0
    assert f"{seen} steps from step {batches - seen + 1} on" in capsys.readouterr().out
    assert sum(name.startswith("ProfilerStep") for name in traced()) == seen


def test_of_a_single_step_there_is_none(capsys):
    assert main(["fit", RECIPE, "--profile", *QUICK, "--trainer.max_steps", "1"]) == 0
    assert "profile:  of a run of a single step there is none" in capsys.readouterr().out
    assert not FOLDER.exists()


@pytest.mark.parametrize("recipe", ["gan-gaussian2d", "surface_newton-gradient_noise"])
def test_optimization_by_hand_and_of_the_second_order(recipe, capsys):
    assert main(["fit", recipe, "--profile", *QUICK]) == 0
    report = capsys.readouterr().out
    assert all(time >= 0 for time, _ in shares(report, "part of a step").values())


def test_it_is_not_there_unasked(capsys):
    assert main(["fit", RECIPE, *QUICK, "--trainer.limit_train_batches", "3"]) == 0
    assert "profile" not in capsys.readouterr().out
    assert not FOLDER.exists()


def test_two_profilers_are_refused(capsys):
    line = fails(capsys, "fit", RECIPE, "--profile", *QUICK, "--trainer.profiler", "simple")
    assert "--profile and --trainer.profiler" in line


@pytest.mark.slow
def test_of_two_processes_the_first_is_seen():
    options = ["--trainer.devices", "2", "--trainer.strategy", "ddp"]
    subprocess.run(
        [sys.executable, "-m", "zoo.cli", "fit", RECIPE, "--profile", *QUICK, *options],
        check=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        timeout=300,
    )
    assert sorted(path.name for path in FOLDER.iterdir()) == ["report.txt", "trace.json.gz"]
    assert "5 steps from step 7 on" in (FOLDER / "report.txt").read_text()
