"""A grid of options without a sweep file, and W&B's order of the points of a grid."""

import json
from pathlib import Path

import pytest
import yaml

from tests.cli.conftest import results, write_sweep
from tests.conftest import fails
from zoo.cli.main import main
from zoo.cli.sweep.grid import seeds_of, split_grid
from zoo.errors import InputError

RECIPE = "softmax_regression-fashion_mnist"
FIT = ["fit", RECIPE, "--data.synthetic=true"]
FOLDER = Path(f"runs/{RECIPE}-grid-1")


@pytest.mark.parametrize(
    ("option", "values"),
    [
        ("--model.optimizer.lr=0.1,0.01", [0.1, 0.01]),
        ("--model.optimizer=SGD,Adam", ["SGD", "Adam"]),
        ("--model.hidden_sizes=[8],[16, 8]", [[8], [16, 8]]),
        ("--data.synthetic=true,false", [True, False]),
        ("--model.lr_scheduler=null,{class_path: X}", [None, {"class_path": "X"}]),
        ("--trainer.precision=32,bf16-mixed", [32, "bf16-mixed"]),
    ],
)
def test_values_are_parted_by_commas(option, values):
    parameters, rest = split_grid(None, ["--data.batch_size=8", option])
    name = option[2:].partition("=")[0]
    assert parameters == {name: {"values": values}}
    assert rest == ["--data.batch_size=8"]


@pytest.mark.parametrize(
    "option",
    [
        *("--trainer.devices=0,1", "--data.path=a,b.csv", "--data.target=price, net"),
        *("--model.hidden_sizes=[8,8]", "--data.augment=[{crop: {scale: [1, 2]}}, flip]"),
        *("--data.clean=a,,b", "--trainer.callbacks=X(1,2]", "--model.x=,"),
        *("--data.label_column=a,b", "--data.target_path=fr,1.txt", "--data.pictures=a,b"),
        *("--trainer.callbacks.filename={epoch},{step}", "--trainer.callbacks.dirpath=a,b"),
        *("--trainer.callbacks=A,B", "--model.metrics=F1Score,AUROC", "--data.categorical=a,b"),
        "--model.optimizer.lr='0.1,0.2'",
    ],
)
def test_other_commas_part_nothing(option):
    assert split_grid(None, [option]) == ({}, [option])


def test_seeds_are_numbers_and_ranges():
    assert seeds_of("0-2") == [0, 1, 2]
    assert seeds_of("7,1-2,1") == [7, 1, 2]
    with pytest.raises(InputError, match="a seed is from 0 to 4,294,967,295"):
        seeds_of("0,5000000000")
    for text in ("", "x", "2-1", "1-", "-1", "0-99999", "1.5"):
        with pytest.raises(InputError, match="wanted seeds: 0-4, or 1,3,5"):
            seeds_of(text)


def test_a_grid_is_a_sweep_and_goes_on_by_the_same_command(stand_in, capsys):
    grid = [*FIT, "--model.quality", "0.2,0.9", "--seeds", "0-1"]
    assert main(grid) == 0
    out = capsys.readouterr().out
    assert f"sweep: {FOLDER}, 4 trials" in out
    assert f"zoo compare {FOLDER} --seeds" in out
    rows = results(FOLDER)
    assert {(row["model.quality"], row["seed_everything"]) for row in rows} == {
        (quality, seed) for quality in ("0.2", "0.9") for seed in "01"
    }
    assert rows[0]["model.quality"] == "0.9"
    begun = Path("runs/begun.txt") if Path("runs/begun.txt").exists() else FOLDER / "begun.txt"
    before = begun.read_text()
    assert main(grid) == 0
    assert "4 have ended before" in capsys.readouterr().out
    assert begun.read_text() == before
    assert main(["sweep", str(FOLDER / "sweep.yaml")]) == 0
    assert "4 have ended before" in capsys.readouterr().out
    assert main([*grid[:-1], "0-2"]) == 0
    assert Path(f"runs/{RECIPE}-grid-2").is_dir()


def test_the_file_of_a_grid_has_all_options(stand_in):
    allowed = ["--model", "SoftmaxRegression", "--data", "FashionMNIST", "--data.batch_size=64"]
    assert main(["fit", *allowed, "+bf16", "--seeds", "3,4"]) == 0
    text = (FOLDER / "sweep.yaml").read_text()
    assert yaml.safe_load(text)["command"] == [
        *("zoo", "fit", "+bf16", "--model=SoftmaxRegression", "--data=FashionMNIST"),
        *("--data.batch_size=64", "${args}"),
    ]


@pytest.mark.parametrize(
    ("recipe", "option", "full"),
    [
        (RECIPE, "--lr", "model.lr_scheduler.max_lr"),
        ("linear_regression-airfoil", "--lr", "model.optimizer.lr"),
        (RECIPE, "--batch_size", "data.batch_size"),
    ],
)
def test_short_options_have_their_whole_names_in_a_grid(stand_in, recipe, option, full):
    assert main(["fit", recipe, "--data.synthetic=true", "--epochs", "3", option, "1,2"]) == 0
    sweep = yaml.safe_load(Path(f"runs/{recipe}-grid-1/sweep.yaml").read_text())
    assert sweep["parameters"] == {full: {"values": [1, 2]}}


def test_a_grid_of_two_rates_names_one(capsys):
    line = fails(capsys, "fit", "gan-gaussian2d", "--lr", "0.1,0.2")
    assert "a grid names one of them" in line


@pytest.mark.parametrize("option", [["--ckpt_path", "last"], ["--print_config"], ["--profile"]])
def test_what_is_for_a_single_run_is_refused(capsys, option):
    assert "is for a single run" in fails(capsys, *FIT, "--seeds", "0-1", *option)


def test_errors_of_a_grid_are_said_before_it_begins(capsys):
    assert "give one of them" in fails(capsys, *FIT, "--seeds=0-1", "--seed_everything=5")
    line = fails(capsys, *FIT, "--epochs=1,2", "--trainer.max_epochs=3,4")
    assert "--trainer.max_epochs" in line
    assert "--lr fast: wanted a number" in fails(capsys, *FIT, "--lr=0.1,fast")
    assert "*a is no value of a grid" in fails(capsys, *FIT, "--model.weight_decay=*a,b")
    assert "no recipe is called lenett" in fails(capsys, "fit", "lenett", "--seeds", "0-1")
    assert "no option model.lrr" in fails(capsys, *FIT, "--model.lrr=1", "--seeds=0-1")


# W&B's order

PARAMETERS = {
    "trainer.max_epochs": {"values": [1, 2]},
    "model": {"parameters": {"z": {"values": [1, 2]}, "b": {"values": [3, 4]}}},
    "data.batch_size": {"values": [8, 16]},
}


def wandbs_points(config: dict, number: int) -> list[dict]:
    """What W&B's own search gives, one run after the other."""
    sweeps = pytest.importorskip("sweeps", reason="W&B's package sweeps is not installed")
    runs: list = []
    for _ in range(number):
        run = sweeps.next_run(config, runs)
        runs.append(sweeps.SweepRun(config=run.config, state=sweeps.RunState.finished))
    return [{name: each["value"] for name, each in run.config.items()} for run in runs]


def points(stand_in, **changes) -> list[dict]:
    path = write_sweep({"parameters": PARAMETERS}, metric=None, **changes)
    assert main(["sweep", str(path)]) == 0
    rows = sorted(results(), key=lambda row: int(row["trial"]))
    return [
        {
            name: json.loads(row[name])
            for name in ("data.batch_size", "model.b", "model.z", "trainer.max_epochs")
        }
        for row in rows
    ]


def test_a_cap_takes_the_points_that_wandb_would_take(stand_in):
    tried = points(stand_in, run_cap=5)
    assert [tuple(point.values()) for point in tried] == [
        *((8, 3, 1, 1), (8, 3, 1, 2), (8, 3, 2, 1), (8, 3, 2, 2), (8, 4, 1, 1)),
    ]


def test_the_order_is_that_of_wandbs_own_package(stand_in):
    config = {"method": "grid", "parameters": PARAMETERS, "run_cap": 6}
    flat = [
        {
            f"{key}.{k}" if isinstance(v, dict) else key: w
            for key, v in point.items()
            for k, w in (v.items() if isinstance(v, dict) else [("", v)])
        }
        for point in wandbs_points(config, 6)
    ]
    assert points(stand_in, run_cap=6) == flat
