"""Every recipe builds and runs: plainly, and in bfloat16 and clipped; a few on two processes."""

import csv
import math
import os
import re
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest
import torch
import yaml

from tests.conftest import SMALL, all_recipes, fails, imported, shrunk
from zoo.catalogue import Recipe, recipes
from zoo.cli.compose import compose
from zoo.cli.foreign_errors import in_one_line
from zoo.cli.lightning import ZooCLI
from zoo.cli.main import main
from zoo.errors import InputError

NO_KERNEL = "this processor cannot compute a layer in this precision"
# A recipe of each model draws
DRAWN = {recipe.model: recipe.name for recipe in reversed(all_recipes())}.values()
RUNS = [
    pytest.param(recipe, id=recipe.name, marks=[pytest.mark.drawn] * (recipe.name in DRAWN))
    for recipe in all_recipes()
]
A_FEW = ["lenet_relu-fashion_mnist", "linear_regression-house_prices"]


def metrics(run: Path) -> dict[str, float]:
    """The last value of each metric in metrics.csv."""
    with (run / "metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    return {name: float(row[name]) for row in rows for name in row if row[name]}


@pytest.fixture(scope="session")
def trained(tmp_path_factory):
    """The best checkpoint of a recipe that others begin with: trained once."""

    @cache
    def of(name: str) -> Path:
        folder = tmp_path_factory.mktemp("first")
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(folder)
            assert main(["fit", name, *shrunk(recipes()[name])]) == 0
        return folder / "runs" / name / "1" / "checkpoints" / "best.ckpt"

    return of


def prepare_weights(recipe: Recipe, torchvisions: Path, trained, monkeypatch) -> None:
    """What a recipe begins with: torchvision's weights, or another recipe's run."""
    given = recipe.config["model"].get("init_args") or {}
    weights = given.get("weights") or given.get("features")
    if weights == "torchvision":
        monkeypatch.setenv("TORCH_HOME", str(torchvisions))
    elif weights:
        path = Path(weights)
        path.parent.mkdir(parents=True)
        shutil.copy(trained(path.parts[1]), path)


@pytest.mark.parametrize("recipe", RUNS)
def test_runs_two_batches_and_leaves_a_whole_run(
    recipe, capsys, torchvisions, trained, monkeypatch
):
    task = imported(recipe.config["model"]["class_path"])
    prepare_weights(recipe, torchvisions, trained, monkeypatch)
    assert main(["fit", recipe.name, *shrunk(recipe)]) == 0
    run = Path("runs") / recipe.name / "1"
    measured = metrics(run)
    holds_out = (recipe.config["data"].get("init_args") or {}).get("num_val") != 0
    holds_out = holds_out and task.monitor is not None
    stages = ("train", "val") if holds_out else ("train",)
    wanted = {f"{stage}/{name}" for stage in stages for name in ("loss", *task.metric_names)}
    assert wanted | ({task.monitor} if holds_out else set()) <= set(measured)
    assert all(math.isfinite(value) for value in measured.values())
    for name in ("best", "last"):
        torch.load(run / "checkpoints" / f"{name}.ckpt", weights_only=True)
    least = 1_000 if recipe.path.parent.name == "generation" else 5_000  # samples are grey at first
    assert all(path.stat().st_size > least for path in (run / "pictures").glob("*.png"))
    draws = recipe.model != "Seq2Seq"  # which looks nowhere: its translations are text
    assert (recipe.name in DRAWN) == any(
        (run / "pictures").glob("*.png" if draws else "translations.txt")
    )
    saved = yaml.safe_load((run / "config.yaml").read_text())
    assert saved["model"]["class_path"] == recipe.config["model"]["class_path"]
    assert saved["trainer"]["max_epochs"] == 1
    out = capsys.readouterr().out
    verb = "test|validate" if holds_out else "predict"
    assert re.search(f"zoo ({verb}) --ckpt_path {run}/checkpoints/best.ckpt", out)
    formula = "root" not in saved["data"]["init_args"]  # which needs no stand-in
    assert formula or "synthetic stand-in" in out


@pytest.mark.parametrize("recipe", all_recipes(), ids=lambda r: r.name)
def test_trains_in_bfloat16_and_clipped(recipe, capsys, torchvisions, trained, monkeypatch):
    """Two batches and one of validation, without a run folder."""
    prepare_weights(recipe, torchvisions, trained, monkeypatch)
    options = [*shrunk(recipe), "--trainer.precision", "bf16-mixed"]
    options += ["--trainer.limit_val_batches", "1", "--trainer.num_sanity_val_steps", "0"]
    clip = ["--trainer.gradient_clip_val", "1"]
    if "RowSGD" in str(recipe.config["model"]):
        assert "RowSGD clips nothing" in fails(capsys, "fit", recipe.name, *options, *clip)
        clip = []
    if recipe.path.parent.name == "generation":
        refusal = fails(capsys, "fit", recipe.name, *options, *clip)
        assert "clip by --model.gradient_clip_val" in refusal
        clip = ["--model.gradient_clip_val", "1"]
    options += clip
    given = [f"{name}={value}" for name, value in zip(options[::2], options[1::2], strict=True)]
    cli = ZooCLI(compose(recipe.name, None, None, None, given), None, logs=False)
    try:
        with in_one_line():
            cli.trainer.fit(cli.model, cli.datamodule)
    except InputError as error:
        if NO_KERNEL not in str(error):
            raise
        pytest.skip("this processor has no kernel in this precision")
    measured = cli.trainer.callback_metrics
    assert "train/loss_epoch" in measured
    assert all(value.isfinite() for value in measured.values())
    assert cli.trainer.global_step > 0


def launch(folder: Path, *arguments: str) -> subprocess.CompletedProcess:
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.run(
        [sys.executable, "-m", "zoo.cli", *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=180,
    )


@pytest.mark.slow
@pytest.mark.parametrize("name", A_FEW)
def test_two_processes_train_and_measure_as_one(name, tmp_path):
    """Weights after training and every metric: within 1e-6 of one process with twice the batch."""
    sizes = [("1", "64", "auto"), ("2", "32", "ddp")]
    results = []
    for devices, batch_size, strategy in sizes:
        options = [*SMALL, "--trainer.devices", devices, "--trainer.strategy", strategy]
        # Adam would make much of a rounding in a gradient near zero
        options += ["--model.optimizer", "SGD", "--model.optimizer.lr", "0.1"]
        options += ["--model.lr_scheduler", "null"]
        options += ["--data.batch_size", batch_size, "--trainer.limit_train_batches", "3"]
        options += ["--trainer.limit_val_batches", "1.0"]
        done = launch(tmp_path, "fit", name, *options)
        assert done.returncode == 0, done.stderr
        assert "Traceback" not in done.stderr
        run = tmp_path / "runs" / name / str(len(results) + 1)
        weights = torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"]
        results.append((weights, metrics(run)))
    (one, measured), (two, measured_by_two) = results
    for key, value in one.items():
        torch.testing.assert_close(two[key], value, rtol=0, atol=1e-6)
    assert measured_by_two == pytest.approx(measured, abs=1e-6)
    assert sorted(p.name for p in (tmp_path / "runs" / name).iterdir()) == ["1", "2"]
