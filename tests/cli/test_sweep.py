"""Sweeps: runs, kills and resumption, pruning, failures.

Most of them run a stand-in for `zoo fit` that takes no time; LeNet itself is trained in the last.
"""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from filelock import FileLock
from PIL import Image

from tests.cli.conftest import results, write_sweep
from tests.conftest import fails
from zoo.cli.main import main
from zoo.cli.sweep.file import read_sweep
from zoo.runs.history import read

pytestmark = pytest.mark.usefixtures("stand_in")


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


# Runs


def test_a_grid_runs_whole_and_is_reported(capsys):
    assert main(["sweep", write_sweep(), "--jobs", "2", "--allow", "mine"]) == 0
    out = capsys.readouterr().out
    assert all("--allow=mine" in log.read_text() for log in Path("runs/s/logs").glob("*.txt"))
    rows = results()
    assert [row["trial"] for row in rows[:2]] == ["3", "4"]  # quality 0.9, by names
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
    path = write_sweep()
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
    process = start(stand_in, "sweep", write_sweep(), pace="60")
    until(lambda: Path("runs/s/begun.txt").exists() and begun())
    process.kill()
    process.wait()
    ((_, pid),) = begun()
    until(lambda: gone(pid), seconds=10)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_ends_the_trials_too_and_the_sweep_goes_on(number, code, stand_in):
    path = write_sweep(parameters={"model.quality": {"values": [0.2, 0.9, 0.5]}})
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
    path = write_sweep(parameters=parameters, early_terminate=hyperband)
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
    assert main(["sweep", write_sweep(early_terminate=hyperband)]) == 2
    assert "min_iter 5 is beyond the 4 epochs" in capsys.readouterr().err


def test_a_failed_trial_is_said_and_the_sweep_goes_on(capsys):
    parameters = {"model.quality": {"values": [0.13, 0.17, 0.5]}}
    assert main(["sweep", write_sweep(parameters=parameters)]) == 0
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
    assert main(["sweep", write_sweep(parameters=parameters)]) == 1
    assert capsys.readouterr().err == "zoo: all trials failed\n"
    assert len(results()) == 2


def test_a_metric_that_nothing_logs_ends_the_sweep(capsys):
    assert main(["sweep", write_sweep(metric={"name": "val/acuracy"})]) == 2
    line = capsys.readouterr().err
    assert "metric.name: trial 1 logged no val/acuracy (did you mean val/accuracy?)" in line
    assert line.count("\n") == 1
    assert len(begun()) == 1


def test_without_a_metric_the_models_own_counts():
    parameters = {"model.quality": {"values": [0.2, 0.9]}}
    assert main(["sweep", write_sweep(metric=None, parameters=parameters)]) == 0
    assert results()[0]["model.quality"] == "0.9"


def test_the_target_ends_the_sweep():
    metric = {"name": "val/accuracy", "goal": "maximize", "target": 0.6}
    parameters = {"model.quality": {"values": [0.2, 0.9, 0.5]}}
    assert main(["sweep", write_sweep(metric=metric, parameters=parameters)]) == 0
    assert len(results()) == 2


def test_a_sweep_grows_by_its_cap_and_by_nothing_else(capsys):
    random = {"method": "random", "parameters": {"model.quality": {"min": 0.0, "max": 1.0}}}
    assert main(["sweep", write_sweep(random), "--count", "2"]) == 0
    assert main(["sweep", write_sweep(random, run_cap=3)]) == 0
    assert len(results()) == len(begun()) == 3
    capsys.readouterr()
    for argv, word in (
        ([write_sweep(random, path="t.yaml", project="p"), "--count", "3"], "another sweep file"),
        (["s.yaml", "--seed", "1"], "another seed"),
        (["s.yaml", "--trainer.max_epochs", "1"], "another options"),
    ):
        line = fails(capsys, "sweep", *argv)
        assert word in line
        assert "give the sweep another name" in line


def test_a_folder_of_other_runs_and_one_at_work_are_refused(capsys):
    Path("runs/s/1").mkdir(parents=True)
    assert "runs/s holds other runs" in fails(capsys, "sweep", write_sweep())
    Path("runs/s/1").rmdir()
    with FileLock("runs/s/.lock"):
        assert "another zoo sweep is at work in it" in fails(capsys, "sweep", "s.yaml")


def test_a_damaged_study_gets_one_line(capsys):
    path = write_sweep(parameters={"model.quality": {"value": 0.5}})
    assert main(["sweep", path]) == 0
    capsys.readouterr()
    Path("runs/s/study.db").write_bytes(b"not a database" * 100)
    assert "study.db: cannot be read" in fails(capsys, "sweep", path)
    Path("runs/s/sweep.json").write_text("{")
    assert "sweep.json: cannot be read" in fails(capsys, "sweep", path)


def test_each_trial_has_a_gpu_of_its_own(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3,5")
    monkeypatch.setenv("PACE", "0.1")
    assert main(["sweep", write_sweep(parameters={"seed_everything": {"min": 1, "max": 4}})]) == 0
    seen = Path("runs/s/env.txt").read_text().split()
    assert set(seen) == {"3", "5"}
    assert set(seen[:2]) == {"3", "5"}
    one = write_sweep(path="one.yaml", name="one", parameters={"model.quality": {"value": 0.5}})
    assert main(["sweep", one, "--jobs", "1"]) == 0
    assert Path("runs/one/env.txt").read_text().split() == ["3,5"]


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
    return write_sweep(parameters=parameters, command=command)


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
