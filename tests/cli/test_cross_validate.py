"""k folds by the command: each held out once, means that are means, several processes."""

import json
import os
import subprocess
import sys
from pathlib import Path
from statistics import mean, stdev

import pytest
import torch
import yaml

from datamodules import HousePrices
from zoo.cli.main import main
from zoo.regression.linear_regression import least_squares
from zoo.runs.history import read

RECIPE = "linear_regression-house_prices"
QUICK = [
    *("--data.synthetic", "true", "--trainer.max_epochs", "2"),
    *("--trainer.accelerator", "cpu", "--trainer.enable_model_summary", "false"),
]


@pytest.fixture(scope="module")
def validated(tmp_path_factory):
    """A folder in which one recipe has been cross-validated on three folds."""
    folder = tmp_path_factory.mktemp("validated")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        assert main(["cross-validate", RECIPE, "--folds", "3", *QUICK]) == 0
    return folder / "runs" / RECIPE / "1"


def test_each_fold_is_a_whole_run(validated):
    folders = sorted(path.name for path in validated.iterdir() if path.is_dir())
    assert folders == ["fold-1", "fold-2", "fold-3"]
    for fold in (1, 2, 3):
        run = validated / f"fold-{fold}"
        config = yaml.safe_load((run / "config.yaml").read_text())
        assert config["data"]["init_args"]["fold"] == fold
        assert config["data"]["init_args"]["num_folds"] == 3
        checkpoint = torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)
        assert checkpoint["HousePrices"]["arguments"]["fold"] == fold
        assert (run / "pictures" / "validation_predictions.png").is_file()


def test_the_record_holds_the_last_epochs_and_their_means(validated):
    record = json.loads((validated / "cross_validation.json").read_text())
    assert record["synthetic"] is True
    assert record["epochs"] == 2
    for fold, metrics in enumerate(record["folds"], start=1):
        lines = read(validated / f"fold-{fold}", "fold").logged("val/rmse")
        assert metrics["val/rmse"] == pytest.approx(lines[-1]["val/rmse"])
        assert lines[-1]["epoch"] == 1
        assert [*metrics] == sorted(metrics)
    values = [metrics["val/rmse"] for metrics in record["folds"]]
    assert len(set(values)) == 3
    assert record["mean"]["val/rmse"] == pytest.approx(mean(values))
    assert record["std"]["val/rmse"] == pytest.approx(stdev(values))


def test_the_folds_can_be_compared(validated, monkeypatch, capsys):
    monkeypatch.chdir(validated.parents[2])
    assert main(["compare", str(validated.relative_to(Path.cwd()))]) == 0
    out = capsys.readouterr().out
    assert "  fold  " in out
    assert "fold-3" in out


def test_another_run_gets_the_next_number_and_one_line_a_fold(validated, monkeypatch, capsys):
    monkeypatch.chdir(validated.parents[2])
    options = ["--trainer.max_epochs", "1", "--seed_everything", "1"]
    assert main(["cross-validate", RECIPE, "--folds", "2", *QUICK, *options]) == 0
    assert (validated.parent / "2" / "cross_validation.json").is_file()
    out = capsys.readouterr().out
    assert sum(line.startswith("fold ") for line in out.splitlines()) == 2
    assert "epoch 1/1" not in out
    assert os.environ.get("ZOO_RUN") is None


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["linear_regresion-house_prices"], "did you mean"),
        (["surface-gradient_noise"], "GradientNoise offers no folds"),
        (["linear_regression-synthetic_regression"], "SyntheticRegression offers no folds"),
        (["skip_gram-penn_treebank_windows"], "PennTreebankWindows offers no folds"),
        (["--model", "SkipGram", "--data", "TextFileWindows"], "TextFileWindows offers no folds"),
        ([RECIPE, *QUICK, "--folds", "5000"], "5,000 folds of 600 rows"),
        ([RECIPE, *QUICK, "--folds", "1"], "num_folds must be at least 2"),
        ([RECIPE, *QUICK, "--folds", "many"], "--folds: wanted a whole number, not many"),
        ([RECIPE, *QUICK, "--data.fold", "2"], "--data.fold is set by --folds"),
        ([RECIPE, *QUICK, "--ckpt_path", "x.ckpt"], "does not know --ckpt_path"),
    ],
    ids=lambda value: " ".join(value[-2:]) if isinstance(value, list) else "",
)
def test_bad_words_get_one_line(argv, words, capsys):
    assert main(["cross-validate", *argv]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert words in line
    assert not Path("runs").exists()


def test_pictures_offer_folds_too():
    options = ["--data.synthetic", "true", "--trainer.max_epochs", "1", "--folds", "2"]
    options += ["--trainer.limit_train_batches", "2", "--trainer.accelerator", "cpu"]
    assert main(["cross-validate", "softmax_regression-fashion_mnist", *options]) == 0
    record = json.loads(
        Path("runs/softmax_regression-fashion_mnist/1/cross_validation.json").read_text()
    )
    assert set(record["mean"]) >= {"val/accuracy", "val/loss"}


@pytest.mark.slow
def test_two_processes_measure_what_one_does(tmp_path):
    """Each fold's processes form a group of their own; no process is left at the end."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    records = []
    for devices, batch_size, strategy in (("1", "64", "auto"), ("2", "32", "ddp")):
        options = ["--trainer.devices", devices, "--trainer.strategy", strategy, "--folds", "2"]
        done = subprocess.run(
            [sys.executable, "-m", "zoo.cli", "cross-validate", RECIPE, *QUICK, *options,
             "--data.batch_size", batch_size],
            cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=180,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert "Traceback" not in done.stderr
        assert done.stdout.count("\nfold ") == 2
        run = tmp_path / "runs" / RECIPE / str(len(records) + 1)
        records.append(json.loads((run / "cross_validation.json").read_text()))
    for one, two in zip(records[0]["folds"], records[1]["folds"], strict=True):
        assert two == pytest.approx(one, abs=1e-5)
    assert sorted(path.name for path in (tmp_path / "runs" / RECIPE).iterdir()) == ["1", "2"]


@pytest.mark.real
@pytest.mark.slow
def test_the_linear_recipe_beats_the_course(real_data):
    """0.1703 is the mean of the course's five folds, less its stray factor under the root."""
    options = ["--data.root", str(real_data), "--trainer.accelerator", "cpu"]
    options += ["--trainer.check_val_every_n_epoch", "100"]  # the last epoch is what counts
    assert main(["cross-validate", RECIPE, *options]) == 0
    record = json.loads(Path(f"runs/{RECIPE}/1/cross_validation.json").read_text())
    assert record["mean"]["val/rmse"] < 0.1703
    assert record["synthetic"] is False


@pytest.mark.real
@pytest.mark.slow
def test_the_best_recipe(real_data):
    options = ["--data.root", str(real_data), "--trainer.accelerator", "cpu"]
    assert main(["cross-validate", "mlp_regressor-house_prices", *options]) == 0
    record = json.loads(Path("runs/mlp_regressor-house_prices/1/cross_validation.json").read_text())
    assert record["mean"]["val/rmse"] < 0.135


@pytest.mark.real
def test_the_linear_recipe_comes_near_the_closed_form(real_data):
    """Its mean is what ridge regression with the same weight decay gets."""
    errors = []
    for fold in range(1, 6):
        corpus = HousePrices(root=real_data, split_seed=None, fold=fold)
        corpus.setup("fit")
        (x, y), (held_out, truth) = (corpus.data[s].tensors for s in ("train", "val"))
        scaled = (y.double() - corpus.target_mean) / corpus.target_std
        weights, bias = least_squares(x.double(), scaled, weight_decay=0.003)
        outputs = (held_out.double() @ weights + bias) * corpus.target_std + corpus.target_mean
        errors.append(((outputs - truth) ** 2).mean().sqrt().item())
    assert mean(errors) == pytest.approx(0.14, abs=0.006)
