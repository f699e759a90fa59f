"""Sweeps: the file, the draws, kills and resumption, pruning, failures, W&B, the picture.

Most of them run a stand-in for `zoo fit` that takes no time; LeNet itself is trained in the last.
"""

import csv
import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml
from filelock import FileLock
from PIL import Image

from tests.conftest import ROOT, fails
from zoo.cli.main import main
from zoo.cli.sweep import online, runner, verb
from zoo.cli.sweep.file import Metric, read_sweep
from zoo.cli.sweep.parameters import read_parameters, short_names
from zoo.cli.sweep.picture import draw
from zoo.cli.sweep.report import ranked
from zoo.cli.sweep.study import Study, Trial
from zoo.runs import wandb_logger
from zoo.runs.history import read

EXAMPLES = sorted((ROOT / "scripts" / "sweeps").glob("*.yaml"))
STAND_IN = """
import os, sys, time
from pathlib import Path
from zoo.cli import trial
from zoo.runs import folder as run_folder

def fit(argv):
    given = dict(t[2:].split("=", 1) for t in argv if "=" in t)
    quality = float(given.get("model.quality", 0.5))
    epochs = int(given.get("trainer.max_epochs", 2))
    folder = run_folder.create(Path(), "x")
    (folder.parent / "begun.txt").open("a").write(f"{folder.name} {os.getpid()}\\n")
    (folder.parent / "env.txt").open("a").write(os.environ.get("CUDA_VISIBLE_DEVICES", "-") + "\\n")
    if quality == 0.13:
        print("zoo: nobody likes 0.13", file=sys.stderr)
        return 3
    (folder / "config.yaml").write_text("data: {synthetic: true}\\nmodel: {quality: %s}" % quality)
    lines = ["epoch,step,val/accuracy,train/loss_epoch"]
    for epoch in range(epochs):
        time.sleep(float(os.environ.get("PACE", 0)))
        value = "nan" if quality == 0.17 else quality * (1 - 0.5 ** (epoch + 1))
        lines.append(f"{epoch},{epoch},{value},{1 - quality}")
        (folder / "metrics.csv").write_text("\\n".join(lines) + "\\n")
    return 0

if "--print_config" in sys.argv:
    print("trainer: {max_epochs: 4}\\nmodel: {class_path: zoo.image_classification.lenet.LeNet}")
else:
    trial.zoo = fit
    raise SystemExit(trial.main(sys.argv[1:]))
"""
GRID = {
    "name": "s",
    "method": "grid",
    "metric": {"name": "val/accuracy", "goal": "maximize"},
    "parameters": {
        "model.quality": {"values": [0.2, 0.9, 0.5]},
        "data.batch_size": {"values": [64, 256]},
        "seed_everything": {"values": [0, 1]},
    },
    "command": ["zoo", "fit", "lenet-fashion_mnist", "${args}"],
}


@pytest.fixture(autouse=True)
def stand_in(tmp_path_factory, monkeypatch):
    """Trials that take no time."""
    path = tmp_path_factory.mktemp("stand_in") / "fit.py"
    path.write_text(STAND_IN)
    monkeypatch.setattr(verb, "FIT", (sys.executable, str(path)))
    monkeypatch.setattr(runner, "COMMAND", (sys.executable, str(path)))
    monkeypatch.setattr(runner, "PAUSE", 0.02)
    return path


@pytest.fixture
def really(monkeypatch):
    """Trials that train, on the CPU."""
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    monkeypatch.setattr(verb, "FIT", (sys.executable, "-m", "zoo.cli"))
    command = (sys.executable, "-m", "zoo.cli.trial")
    monkeypatch.setattr(runner, "COMMAND", command)


def write(changes=None, path="s.yaml", **more):
    config = {**GRID, **(changes or {}), **more}
    Path(path).write_text(
        yaml.safe_dump({k: v for k, v in config.items() if v is not None}, sort_keys=False)
    )
    return path


def results(folder="runs/s"):
    with (Path(folder) / "results.csv").open() as file:
        return list(csv.DictReader(file))


def begun(folder="runs/s"):
    return [line.split() for line in (Path(folder) / "begun.txt").read_text().splitlines()]


def start(stand_in, *argv, pace="0", real=False):
    """The command in a process of its own, that can be killed."""
    code = (
        "import sys; from zoo.cli.main import main; from zoo.cli.sweep import runner, verb\n"
        f"verb.FIT = (sys.executable, {str(stand_in)!r})\n"
        f"if not {real}: runner.COMMAND = verb.FIT\n"
        f"sys.exit(main({list(argv)!r}))"
    )
    return subprocess.Popen(
        [sys.executable, "-c", code], env={**os.environ, "PACE": pace}, stdout=subprocess.DEVNULL
    )


def until(condition, seconds=60.0):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


def gone(pid):
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return True
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"


# The file


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_is_what_an_agent_of_wandb_can_run(path, capsys):
    """Its command, with the macros filled in as the agent does it, is a `zoo fit` that parses."""
    from wandb.sdk.launch.sweeps.utils import create_sweep_command_args

    plan = read_sweep(path)
    as_grid = plan.method == "grid"
    values = {p.name: p.example(as_grid=as_grid) for p in plan.parameters}
    filled = create_sweep_command_args({"args": {n: {"value": v} for n, v in values.items()}})
    tokens = []
    for token in plan.config["command"]:
        tokens += filled["args"] if token == "${args}" else [token]
    assert tokens[:2] == ["zoo", "fit"]
    assert main([*tokens[1:], "--print_config"]) == 0
    by_agent = capsys.readouterr().out
    assert main([*plan.arguments(values), "--print_config"]) == 0
    assert capsys.readouterr().out == by_agent


def test_the_grid_example_has_twelve_runs():
    plan = read_sweep(ROOT / "scripts" / "sweeps" / "lenet_grid.yaml")
    study = Study(Path(), plan, plan.metric, epochs=2, seed=0, cap=None)
    assert study.total == 12


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"methd": "grid"}, ["methd", "did you mean method?"]),
        ({"method": "gird"}, ["method:", "grid, random, bayes", "did you mean grid?"]),
        ({"method": None}, ["method:", "not None"]),
        ({"job": "x"}, ["job: is not supported"]),
        ({"scheduler": {"engine": "optuna"}}, ["scheduler: is not supported"]),
        ({"run_cap": 0}, ["run_cap:", "at least 1"]),
        ({"name": "../x"}, ["name:", "cannot name a folder"]),
        ({"description": 3}, ["description: wanted a text"]),
        ({"metric": "val/loss"}, ["metric: wanted name:"]),
        ({"metric": {"name": "x", "gaol": "minimize"}}, ["gaol", "did you mean goal?"]),
        ({"metric": {"name": "x", "goal": "min"}}, ["metric.goal", "minimize"]),
        ({"metric": {"name": "x", "target": "high"}}, ["metric.target"]),
        ({"metric": {"name": "x", "impute": "worst"}}, ["metric.impute: is not supported"]),
        ({"method": "bayes", "metric": None, "run_cap": 3}, ["metric: wanted by method: bayes"]),
        ({"early_terminate": {"type": "envelope"}}, ["early_terminate.type", "hyperband"]),
        ({"early_terminate": {"type": "hyperband"}}, ["wanted min_iter, or max_iter and s"]),
        (
            {"early_terminate": {"type": "hyperband", "min_iter": 1, "etta": 2}},
            ["etta", "did you mean eta?"],
        ),
        (
            {"early_terminate": {"type": "hyperband", "min_iter": 1, "eta": 1.5}},
            ["early_terminate.eta", "whole number"],
        ),
        (
            {"early_terminate": {"type": "hyperband", "min_iter": 1, "strict": True}},
            ["early_terminate.strict: is not supported"],
        ),
        (
            {"early_terminate": {"type": "hyperband", "min_iter": 9, "max_iter": 3}},
            ["early_terminate.min_iter: 9 is beyond max_iter, 3"],
        ),
        ({"command": None}, ["command: wanted a list"]),
        ({"command": ["python", "train.py", "${args}"]}, ["command: must begin with zoo, fit"]),
        ({"command": ["zoo", "fit", "lenet-fashion_mnist"]}, ["command: wants ${args} once"]),
        ({"command": ["zoo", "fit", "x", "${args_json}"]}, ["${args_json} is not supported"]),
        ({"command": ["zoo", "fit", "--ckpt_path=x", "${args}"]}, ["--ckpt_path", "not for a"]),
        ({"parameters": None}, ["parameters: wanted names of options"]),
        ({"parameters": {"lr": {"values": [1]}}}, ["lr: no option of zoo fit"]),
        ({"parameters": {"model.lr": 0.1}}, ["model.lr: wanted value, values, or min and max"]),
        ({"parameters": {"model.lr": {}}}, ["model.lr: wanted value, values, or min and max"]),
        ({"parameters": {"model.lr": {"vals": [1], "value": 1}}}, ["vals", "it has"]),
        ({"parameters": {"model.lr": {"values": 3}}}, ["model.lr: values: wanted a list"]),
        ({"parameters": {"model.lr": {"min": 1}}}, ["model.lr: int_uniform wants max"]),
        ({"parameters": {"model.lr": {"min": 2, "max": 1}}}, ["min must be below max"]),
        ({"parameters": {"model.lr": {"min": "1e-4", "max": 1}}}, ["a text to YAML; write 1.0e-4"]),
        ({"parameters": {"model.lr": {"min": 0.1, "max": 1}}}, ["a grid has no uniform"]),
        ({"parameters": {"model": {"parameters": {"lr": {"vals": 1}}}}}, ["model.lr: wanted"]),
        (
            {
                "parameters": {
                    "model": {"parameters": {"lr": {"value": 1}}},
                    "model.lr": {"value": 2},
                }
            },
            ["model.lr: stands twice"],
        ),
        (
            {"parameters": {"model.lr": {"distribution": "log_unifrm", "min": 1, "max": 2}}},
            ["there is no distribution log_unifrm", "did you mean log_uniform?"],
        ),
        ({"parameters": {"model.lr": {"distribution": "beta"}}}, ["beta is not supported"]),
        (
            {
                "method": "random",
                "parameters": {
                    "model.lr": {"distribution": "log_uniform_values", "min": 0, "max": 1}
                },
            },
            ["wants min above 0"],
        ),
        (
            {
                "method": "random",
                "parameters": {"model.lr": {"values": [1, 2], "probabilities": [0.5, 0.6]}},
            },
            ["probabilities: wanted one for each value"],
        ),
        (
            {
                "method": "bayes",
                "parameters": {"model.lr": {"values": [1, 2], "probabilities": [0.5, 0.5]}},
            },
            ["probabilities are for method: random"],
        ),
        ({"method": "random"}, ["method: random has no end", "run_cap:"]),
    ],
    ids=lambda value: json.dumps(value)[:60] if isinstance(value, dict) else "",
)
def test_a_bad_key_gets_one_line(changes, words, capsys):
    line = fails(capsys, "sweep", write(changes))
    assert line.startswith("zoo: s.yaml: ")
    for word in words:
        assert word in line


def test_what_is_no_file_gets_one_line(capsys):
    assert "nowhere.yaml: cannot be read" in fails(capsys, "sweep", "nowhere.yaml")
    Path("x.yaml").write_text("method: grid\ncommand: [zoo, fit, ${args}]\n")
    assert "x.yaml: not YAML in line 2" in fails(capsys, "sweep", "x.yaml")
    Path("x.yaml").write_text("- a list\n")
    assert "x.yaml: not a sweep file" in fails(capsys, "sweep", "x.yaml")
    assert "--jobs must be at least 1" in fails(capsys, "sweep", write(), "--jobs", "0")
    assert "needs a value" in fails(capsys, "sweep", write(), "--trainer.max_epochs")
    assert "did you mean --jobs?" in fails(capsys, "sweep", write(), "--job", "3")


def test_options_are_checked_before_the_first_run(really, capsys):
    path = write(parameters={"model.activatoin": {"values": ["relu"]}})
    assert "did you mean activation?" in fails(capsys, "sweep", path)
    path = write(command=["zoo", "fit", "lenet-fashon_mnist", "${args}"])
    line = fails(capsys, "sweep", path)
    assert line.startswith("zoo: s.yaml: ")
    assert "did you mean lenet-fashion_mnist?" in line


def test_the_command_may_be_written_in_other_ways(monkeypatch):
    monkeypatch.setenv("CORPORA", "/data")
    command = ["${env}", "X=1", "${interpreter}", "-m", "zoo.cli", "fit", "lenet-fashion_mnist"]
    command += ["--wandb", "online", "--data.root=${envvar:CORPORA}", "${args}", "--runs=y"]
    plan = read_sweep(Path(write(command=command)))
    assert plan.options == ("lenet-fashion_mnist", "--data.root=/data")
    assert plan.environment == {"X": "1"}
    plan = read_sweep(Path(write(program="zoo", command=["${program}", "fit", "${args}", "l"])))
    assert plan.options == ("l",)


# Draws


def drawn(kind, count=200, **settings):
    """Values that optuna draws for a parameter."""
    import optuna

    (parameter,) = read_parameters({"model.x": {"distribution": kind, **settings}}, "random")
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    return [parameter.suggest(study.ask(), as_grid=False) for _ in range(count)]


def share_below(values, limit):
    return sum(value < limit for value in values) / len(values)


@pytest.mark.parametrize(
    ("kind", "settings", "low", "high", "median"),
    [
        ("uniform", {"min": 2, "max": 4}, 2, 4, 3),
        ("int_uniform", {"min": 1, "max": 9}, 1, 9, 5),
        ("q_uniform", {"min": 0.0, "max": 1.0, "q": 0.25}, 0, 1, 0.5),
        ("log_uniform_values", {"min": 0.01, "max": 1}, 0.01, 1, 0.1),
        ("inv_log_uniform_values", {"min": 0.01, "max": 1}, 0.01, 1, 0.1),
        ("log_uniform", {"min": -4.6052, "max": 0}, 0.0099, 1.0001, 0.1),
        ("inv_log_uniform", {"min": 0, "max": 4.6052}, 0.0099, 1.0001, 0.1),
        ("q_log_uniform_values", {"min": 16, "max": 1024, "q": 16}, 16, 1024, 128),
        ("q_log_uniform", {"min": 2.7726, "max": 6.9315, "q": 16}, 16, 1024, 128),
        ("normal", {"mu": 3, "sigma": 0.5}, 1, 5, 3),
        ("q_normal", {"mu": 10, "sigma": 3, "q": 2}, -2, 22, 10),
        ("log_normal", {"mu": 0, "sigma": 0.5}, 0.1, 8, 1),
        ("q_log_normal", {"mu": 3, "sigma": 0.5, "q": 1}, 2, 150, 20),
    ],
)
def test_a_distribution_is_drawn_as_wandb_has_it(kind, settings, low, high, median):
    values = drawn(kind, **settings)
    assert low <= min(values) <= max(values) <= high
    assert 0.35 < share_below(values, median) < 0.6
    if "q" in settings:
        assert all(
            abs(value / settings["q"] - round(value / settings["q"])) < 1e-9 for value in values
        )
        assert all(isinstance(value, type(settings["q"])) for value in values)
    if kind == "int_uniform":
        assert set(values) == set(range(1, 10))


def test_probabilities_are_kept():
    values = drawn("categorical", values=["a", "b", "c"], probabilities=[0.1, 0.7, 0.2])
    shares = [values.count(letter) / len(values) for letter in "abc"]
    assert shares == pytest.approx([0.1, 0.7, 0.2], abs=0.08)


def test_a_grid_is_that_of_wandb():
    group = {
        "model.a": {"min": 1, "max": 3},
        "model.b": {"distribution": "q_uniform", "min": 0.0, "max": 0.5, "q": 0.1},
        "model.c": {"values": [True, None, "x", [1, 2], True]},
        "model": {"parameters": {"d": {"value": 3}, "e": {"parameters": {"f": {"value": 4}}}}},
    }
    found = {p.name: p.grid() for p in read_parameters(group, "grid")}
    assert found == {
        "model.a": [1, 2, 3],
        "model.b": [0.0, 0.1, 0.2, 0.3, 0.4],
        "model.c": [True, None, "x", [1, 2]],
        "model.d": [3],
        "model.e.f": [4],
    }


def search(folder, method, seed, count=12, reopen=()):
    """The values that a study draws where the best is at 0.3, perhaps opened anew in between."""
    folder.mkdir()
    parameters = {"model.x": {"min": 0.0, "max": 1.0}, "model.kind": {"values": ["a", "b"]}}
    plan = read_sweep(Path(write(method=method, parameters=parameters, run_cap=count)))
    metric, values = Metric("val/loss", maximize=False), []
    study = Study(folder, plan, metric, epochs=1, seed=seed, cap=count)
    while trial := study.next():
        if trial.number in reopen:  # killed while it ran
            study = Study(folder, plan, metric, epochs=1, seed=seed, cap=count)
            again = study.next()
            assert again == trial
        values.append(dict(trial.values))
        trial.history = [abs(trial.values["model.x"] - 0.3)]
        study.report(trial)
        trial.state = "finished"
        study.finish(trial)
    return values


def test_random_draws_follow_from_the_seed_also_after_a_kill(tmp_path):
    values = search(tmp_path / "a", "random", 0, count=5)
    assert len({value["model.x"] for value in values}) == 5
    assert search(tmp_path / "b", "random", 0, count=4, reopen=(3,)) == values[:4]
    assert search(tmp_path / "c", "random", 1, count=2) != values[:2]


def test_bayes_searches_where_it_found_something_also_after_a_kill(tmp_path):
    values = search(tmp_path / "a", "bayes", 0, count=16)
    distances = [abs(value["model.x"] - 0.3) for value in values]
    assert sum(distances[10:]) / 6 < 0.6 * sum(distances[:10]) / 10
    assert search(tmp_path / "b", "bayes", 0, count=12, reopen=(11,)) == values[:12]


# Runs


def test_a_grid_runs_whole_and_is_reported(capsys):
    assert main(["sweep", write(), "--jobs", "2"]) == 0
    out = capsys.readouterr().out
    rows = results()
    assert [row["trial"] for row in rows[:2]] == ["5", "6"]  # quality 0.9, in the file's order
    accuracies = [float(row["val/accuracy"]) for row in rows]
    assert accuracies == sorted(accuracies, reverse=True)
    assert accuracies[0] == pytest.approx(0.9 * 0.75)
    assert {(r["model.quality"], r["data.batch_size"], r["seed_everything"]) for r in rows} == {
        (q, b, s) for q in ("0.2", "0.9", "0.5") for b in ("64", "256") for s in ("0", "1")
    }
    assert all(row["state"] == "finished" and row["epochs"] == "2" for row in rows)
    assert out.count("\ntrial ") == 12
    assert "next:     zoo compare runs/s" in out
    with Image.open("runs/s/parallel_coordinates.png") as picture:
        assert picture.size[0] > 600
    assert Path("runs/s/sweep.yaml").read_text() == Path("s.yaml").read_text()
    assert main(["compare", "runs/s"]) == 0
    assert "12" in capsys.readouterr().out
    before = begun()
    assert main(["sweep", "s.yaml"]) == 0  # nothing is left to do
    assert "12 have ended before" in capsys.readouterr().out
    assert begun() == before


def test_a_killed_grid_ends_with_twelve_results(stand_in):
    """kill -9 of the sweep and of its trial; what had ended is not repeated."""
    path = write()
    process = start(stand_in, "sweep", path, pace="0.2")
    until(lambda: Path("runs/s/begun.txt").exists() and len(begun()) > 5)
    process.kill()
    _, pid = begun()[-1]
    os.kill(int(pid), signal.SIGKILL)
    process.wait()
    assert main(["sweep", path]) == 0
    rows = results()
    assert sorted(int(row["trial"]) for row in rows) == list(range(1, 13))
    assert {row["state"] for row in rows} == {"finished"}
    assert len({tuple(list(row.values())[1:4]) for row in rows}) == 12
    numbers = [number for number, _ in begun()]
    assert len(numbers) == 13  # one was killed
    assert numbers.count("6") == 2
    assert sorted(p.name for p in Path("runs/s").iterdir() if p.name.isdigit()) == sorted(
        {str(number) for number in range(1, 13)}
    )


def test_a_trial_does_not_outlive_a_killed_sweep(stand_in):
    process = start(stand_in, "sweep", write(), pace="60")
    until(lambda: Path("runs/s/begun.txt").exists() and begun())
    process.kill()
    process.wait()
    ((_, pid),) = begun()
    until(lambda: gone(pid), seconds=10)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_ends_the_trials_too_and_the_sweep_goes_on(number, code, stand_in):
    path = write(parameters={"model.quality": {"values": [0.2, 0.9, 0.5]}})
    process = start(stand_in, "sweep", path, "--jobs", "2", pace="60")
    until(lambda: Path("runs/s/begun.txt").exists() and len(begun()) == 2)
    process.send_signal(number)
    assert process.wait(timeout=20) == code
    assert all(gone(pid) for _, pid in begun())
    assert main(["sweep", path]) == 0
    assert [row["state"] for row in results()] == ["finished"] * 3


def test_what_lags_behind_is_stopped(monkeypatch, capsys):
    monkeypatch.setenv("PACE", "0.15")
    hyperband = {"type": "hyperband", "min_iter": 1, "max_iter": 4, "eta": 2}
    values = [0.9, 0.1, 0.8, 0.05, 0.02, 0.03]
    parameters = {"model.quality": {"values": values}, "trainer.max_epochs": {"value": 4}}
    path = write(parameters=parameters, early_terminate=hyperband)
    assert main(["sweep", path]) == 0
    rows = results()
    pruned = [row for row in rows if row["state"] == "pruned"]
    assert pruned
    assert all(1 <= int(row["epochs"]) < 4 for row in pruned)
    assert rows[0]["state"] == "finished"
    assert rows[0]["model.quality"] == "0.9"
    assert len(rows) == 6
    assert capsys.readouterr().out.count("  pruned\n") == len(pruned)


def test_hyperband_that_begins_after_the_end_gets_one_line(capsys):
    hyperband = {"type": "hyperband", "min_iter": 5}
    assert main(["sweep", write(early_terminate=hyperband)]) == 2
    assert "min_iter 5 is beyond the 4 epochs" in capsys.readouterr().err


def test_a_failed_trial_is_said_and_the_sweep_goes_on(capsys):
    parameters = {"model.quality": {"values": [0.13, 0.17, 0.5]}}
    assert main(["sweep", write(parameters=parameters)]) == 0
    out = capsys.readouterr().out
    assert "failed (exit 3: nobody likes 0.13): see runs/s/logs/1.txt" in out
    assert "failed (val/accuracy was never finite)" in out
    rows = {row["model.quality"]: row for row in results()}
    assert rows["0.13"]["state"] == rows["0.17"]["state"] == "failed"
    assert rows["0.13"]["reason"] == "exit 3: nobody likes 0.13"
    assert rows["0.5"]["state"] == "finished"
    assert main(["sweep", "s.yaml"]) == 0
    assert len(begun()) == 3, "a failed trial is not repeated"


def test_where_all_trials_fail_the_sweep_does(capsys):
    parameters = {"model.quality": {"value": 0.13}, "seed_everything": {"values": [1, 2]}}
    assert main(["sweep", write(parameters=parameters)]) == 1
    assert capsys.readouterr().err == "zoo: all trials failed\n"
    assert len(results()) == 2


def test_a_metric_that_nothing_logs_ends_the_sweep(capsys):
    assert main(["sweep", write(metric={"name": "val/acuracy"})]) == 2
    line = capsys.readouterr().err
    assert "metric.name: trial 1 logged no val/acuracy (did you mean val/accuracy?)" in line
    assert line.count("\n") == 1
    assert len(begun()) == 1


def test_without_a_metric_the_models_own_counts():
    parameters = {"model.quality": {"values": [0.2, 0.9]}}
    assert main(["sweep", write(metric=None, parameters=parameters)]) == 0
    assert results()[0]["model.quality"] == "0.9"


def test_the_target_ends_the_sweep():
    metric = {"name": "val/accuracy", "goal": "maximize", "target": 0.6}
    parameters = {"model.quality": {"values": [0.2, 0.9, 0.5]}}
    assert main(["sweep", write(metric=metric, parameters=parameters)]) == 0
    assert len(results()) == 2


def test_a_sweep_grows_by_its_cap_and_by_nothing_else(capsys):
    random = {"method": "random", "parameters": {"model.quality": {"min": 0.0, "max": 1.0}}}
    assert main(["sweep", write(random), "--count", "2"]) == 0
    assert main(["sweep", write(random, run_cap=3)]) == 0
    assert len(results()) == len(begun()) == 3
    capsys.readouterr()
    for argv, word in (
        ([write(random, path="t.yaml", project="p"), "--count", "3"], "another sweep file"),
        (["s.yaml", "--seed", "1"], "another seed"),
        (["s.yaml", "--trainer.max_epochs", "1"], "another options"),
    ):
        line = fails(capsys, "sweep", *argv)
        assert word in line
        assert "give the sweep another name" in line


def test_a_folder_of_other_runs_and_one_at_work_are_refused(capsys):
    Path("runs/s/1").mkdir(parents=True)
    assert "runs/s holds other runs" in fails(capsys, "sweep", write())
    Path("runs/s/1").rmdir()
    with FileLock("runs/s/.lock"):
        assert "another zoo sweep is at work in it" in fails(capsys, "sweep", "s.yaml")


def test_a_damaged_study_gets_one_line(capsys):
    path = write(parameters={"model.quality": {"value": 0.5}})
    assert main(["sweep", path]) == 0
    capsys.readouterr()
    Path("runs/s/study.db").write_bytes(b"not a database" * 100)
    assert "study.db: cannot be read" in fails(capsys, "sweep", path)
    Path("runs/s/sweep.json").write_text("{")
    assert "sweep.json: cannot be read" in fails(capsys, "sweep", path)


def test_each_trial_has_a_gpu_of_its_own(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3,5")
    monkeypatch.setenv("PACE", "0.1")
    assert main(["sweep", write(parameters={"seed_everything": {"min": 1, "max": 4}})]) == 0
    seen = Path("runs/s/env.txt").read_text().split()
    assert set(seen) == {"3", "5"}
    assert set(seen[:2]) == {"3", "5"}
    one = write(path="one.yaml", name="one", parameters={"model.quality": {"value": 0.5}})
    assert main(["sweep", one, "--jobs", "1"]) == 0
    assert Path("runs/one/env.txt").read_text().split() == ["3,5"]


# What is shown


def trials():
    return [
        Trial(1, {"model.a.x": 1, "data.x": "p.q.Adam"}, "finished", [0.3, 0.5], 2, 1.0),
        Trial(2, {"model.a.x": 2, "data.x": "SGD"}, "failed", [], 0, 1.0, "x"),
        Trial(3, {"model.a.x": 2, "data.x": "SGD"}, "pruned", [0.9, float("nan")], 2, 1.0),
        Trial(4, {"model.a.x": 4, "data.x": "SGD"}, "finished", [0.7], 1, 1.0),
    ]


def test_the_best_come_first():
    up, down = Metric("m", maximize=True), Metric("m", maximize=False)
    assert [trial.number for trial in ranked(trials(), up)] == [3, 4, 1, 2]
    assert [trial.number for trial in ranked(trials(), down)] == [1, 4, 3, 2]


def test_names_are_as_short_as_they_can_be():
    names = ["model.optimizer.init_args.lr", "data.lr", "data.batch_size"]
    short = ["optimizer.lr", "data.lr", "batch_size"]
    assert list(short_names(names).values()) == short


def test_the_picture_has_an_axis_for_each_parameter():
    parameters = list(
        read_parameters(
            {
                "model.a.x": {"values": [1, 2, 4]},
                "data.x": {"values": ["p.q.Adam", "SGD"]},
            },
            "grid",
        )
    )
    metric = Metric("val/loss", maximize=False)
    figure = draw(ranked(trials(), metric), parameters, metric, "a sweep")
    texts = [text.get_text() for text in figure.axes[0].texts]
    assert {"a.x", "data.x", "val/loss", "Adam", "SGD", "1", "2", "4"} <= set(texts)
    assert len(figure.axes[0].patches) == 4
    assert "best val/loss 0.3" in figure.get_suptitle()
    labels = [text.get_text() for text in figure.legends[0].get_texts()]
    assert labels == ["best", "pruned", "failed"]


# W&B


@pytest.fixture
def logged_in(monkeypatch):
    """A key for a server; what W&B remembers of another is forgotten."""
    for name in ("HTTPS_PROXY", "https_proxy", "WANDB_MODE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("WANDB_API_KEY", "0" * 40)
    wandb_logger.finish()
    yield
    wandb_logger.finish()


ONE = {"parameters": {"model.quality": {"value": 0.5}}}


@pytest.mark.parametrize("asked", ["option", pytest.param("variable", marks=pytest.mark.slow)])
def test_a_dead_server_is_said_and_optuna_draws(asked, logged_in, monkeypatch, capsys):
    monkeypatch.setenv("WANDB_BASE_URL", "http://127.0.0.1:9")
    argv = ["--wandb", "online"] if asked == "option" else []
    if asked == "variable":
        monkeypatch.setenv("WANDB_MODE", "online")
    assert main(["sweep", write(ONE), *argv]) == 0
    first = capsys.readouterr().out.splitlines()[0]
    assert first.startswith("the sweep runs on this machine, W&B offline: ")
    assert "does not answer" in first
    assert len(results()) == 1


@pytest.mark.parametrize(
    "listens",
    [pytest.param(False, id="dead"), pytest.param(True, id="silent", marks=pytest.mark.slow)],
)
def test_a_server_is_not_waited_for_longer_than_ten_seconds(listens, logged_in, monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as server:
        monkeypatch.setenv("WANDB_BASE_URL", f"http://127.0.0.1:{server.getsockname()[1]}")
        if not listens:
            server.close()
        plan = read_sweep(Path(write(ONE)))
        begun_at = time.perf_counter()
        sweep_id, reason = online.create(plan, [], Path("runs"), None)
        assert time.perf_counter() - begun_at < 10
    assert sweep_id == ""
    assert "not answer" in reason


def test_no_login_is_said(logged_in, monkeypatch, tmp_path, capsys):
    monkeypatch.delenv("WANDB_API_KEY")
    monkeypatch.setenv("NETRC", str(tmp_path / "none"))
    assert main(["sweep", write(ONE), "--wandb", "online"]) == 0
    assert "wandb login" in capsys.readouterr().out.splitlines()[0]


def test_online_the_server_draws_and_agents_run(logged_in, monkeypatch):
    import wandb

    asked = {}

    def create(config, entity=None, project=None):
        asked.update(config=config, entity=entity, project=project)
        return "abc"

    script = "import json, os, sys; json.dump([sys.argv[1:], dict(os.environ)], open('agent', 'w'))"
    monkeypatch.setattr(wandb, "sweep", create)
    monkeypatch.setattr(wandb_logger, "unreachable", lambda: None)
    monkeypatch.setattr(online, "AGENT", (sys.executable, "-c", script))
    nested = {"model": {"parameters": {"optimizer.init_args.lr": {"values": [1, 2]}}}}
    path = write(parameters=nested, entity="me", run_cap=5)
    argv = ["--wandb", "online", "--count", "3", "--trainer.max_epochs", "1", "--jobs", "1"]
    assert main(["sweep", path, *argv]) == 0
    config = asked["config"]
    assert config["parameters"] == {"model.optimizer.init_args.lr": {"values": [1, 2]}}
    assert config["command"] == [
        *("zoo", "fit", "lenet-fashion_mnist", "--trainer.max_epochs=1"),
        *("--wandb", "online", "--runs", "runs", "${args}"),
    ]
    assert (config["program"], config["run_cap"], config["name"]) == ("zoo", 3, "s")
    assert (asked["entity"], asked["project"]) == ("me", "zoo")
    arguments, environment = json.loads(Path("agent").read_text())
    assert arguments == ["--forward-signals", "--project", "zoo", "--entity", "me", "abc"]
    assert environment["WANDB_MODE"] == "online"
    assert environment["PATH"].split(os.pathsep)[0] == str(Path(sys.executable).parent)
    assert not Path("runs").exists()


# LeNet itself

SMALL = ["--trainer.limit_train_batches", "3", "--trainer.limit_val_batches", "1"]
SMALL += ["--trainer.accelerator", "cpu"]


def lenet(**changes):
    parameters = {
        "model.optimizer.init_args.lr": {"values": [0.001, 0.003]},
        "data.batch_size": {"values": [32, 64]},
        "trainer.max_epochs": {"value": 2},
        **changes,
    }
    command = ["zoo", "fit", "lenet_relu-fashion_mnist", "--data.synthetic=true"]
    command += ["--model.lr_scheduler=null", "${args}"]
    return write(parameters=parameters, command=command)


def killed_and_resumed(stand_in, path, total, at):
    """The results of a sweep whose trial `at` was killed after its first epoch, the sweep too."""
    process = start(stand_in, "sweep", path, *SMALL, real=True)
    last = Path(f"runs/s/{at}/checkpoints/last.ckpt")
    until(last.exists, seconds=300)
    (child,) = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    process.kill()
    os.kill(int(child), signal.SIGKILL)
    process.wait()
    assert main(["sweep", path, *SMALL]) == 0
    rows = results()
    assert [(row["state"], row["reason"]) for row in rows] == [("finished", "")] * total
    assert sorted(int(row["trial"]) for row in rows) == list(range(1, total + 1))
    return {int(row["trial"]): row for row in rows}


@pytest.mark.slow
def test_a_killed_sweep_of_lenet_ends_as_one_that_was_not(stand_in, really, capsys):
    path = lenet(**{"data.batch_size": {"value": 32}})
    rows = killed_and_resumed(stand_in, path, 2, at=1)
    assert "goes on from runs/s/1/checkpoints/last.ckpt" in capsys.readouterr().out
    plan = read_sweep(Path(path))
    values = {p.name: p.grid()[0] for p in plan.parameters}
    assert main([*plan.arguments(values), *SMALL, "--runs", "alone"]) == 0
    (alone,) = Path("alone").glob("*/1")
    logged = [line["val/accuracy"] for line in read(alone, "alone").logged("val/accuracy")]
    again = [line["val/accuracy"] for line in read(Path("runs/s/1"), "1").logged("val/accuracy")]
    assert again == logged
    assert float(rows[1]["val/accuracy"]) == max(logged)


@pytest.mark.slow
def test_twelve_runs_of_lenet_killed_and_resumed(stand_in, really):
    path = lenet(
        **{
            "model.optimizer.init_args.lr": {"values": [0.001, 0.003, 0.01]},
            "seed_everything": {"values": [0, 1]},
        }
    )
    rows = killed_and_resumed(stand_in, path, 12, at=6)
    assert len({tuple(row.values())[1:5] for row in rows.values()}) == 12
