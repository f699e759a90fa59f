"""Sweeps: the file, the draws, the order and the picture of the results."""

import json
from pathlib import Path

import pytest

from tests.cli.conftest import write_sweep
from tests.conftest import ROOT, fails
from zoo.cli.main import main
from zoo.cli.sweep.file import Metric, read_sweep
from zoo.cli.sweep.parameters import read_parameters
from zoo.cli.sweep.picture import draw
from zoo.cli.sweep.report import ranked
from zoo.cli.sweep.study import Study, Trial
from zoo.runs.rounding import short_names

pytestmark = pytest.mark.usefixtures("stand_in")

EXAMPLES = sorted((ROOT / "scripts" / "sweeps").glob("*.yaml"))


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
        ({"command": ["zoo", "fit", "--allow", "os", "${args}"]}, ["--allow", "zoo sweep FILE"]),
        ({"command": ["zoo", "fit", "--allow=os", "${args}"]}, ["not for the file to say"]),
        ({"command": ["zoo", "fit", "l${envvar:WANDB_API_KEY}", "${args}"]}, ["would be kept"]),
        ({"parameters": None}, ["parameters: wanted names of options"]),
        ({"parameters": {"rate": {"values": [1]}}}, ["rate: no option of zoo fit"]),
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
    line = fails(capsys, "sweep", write_sweep(changes))
    assert line.startswith("zoo: s.yaml: ")
    for word in words:
        assert word in line


def test_what_is_no_file_gets_one_line(capsys):
    assert "nowhere.yaml: cannot be read" in fails(capsys, "sweep", "nowhere.yaml")
    Path("x.yaml").write_text("method: grid\ncommand: [zoo, fit, ${args}]\n")
    assert "x.yaml: not YAML in line 2" in fails(capsys, "sweep", "x.yaml")
    Path("x.yaml").write_text("- a list\n")
    assert "x.yaml: not a sweep file" in fails(capsys, "sweep", "x.yaml")
    assert "--jobs must be at least 1" in fails(capsys, "sweep", write_sweep(), "--jobs", "0")
    assert "needs a value" in fails(capsys, "sweep", write_sweep(), "--trainer.max_epochs")
    assert "did you mean --jobs?" in fails(capsys, "sweep", write_sweep(), "--job", "3")


def test_a_deep_file_gets_one_line(capsys):
    Path("s.yaml").write_text(f"method: {'[' * 2000}{']' * 2000}")
    assert fails(capsys, "sweep", "s.yaml") == "zoo: s.yaml: nested too deeply"


def test_options_are_checked_before_the_first_run(really, capsys):
    path = write_sweep(parameters={"model.activatoin": {"values": ["relu"]}})
    assert "did you mean activation?" in fails(capsys, "sweep", path)
    path = write_sweep(command=["zoo", "fit", "lenet-fashon_mnist", "${args}"])
    line = fails(capsys, "sweep", path)
    assert line.startswith("zoo: s.yaml: ")
    assert "did you mean lenet-fashion_mnist?" in line


def test_the_command_may_be_written_in_other_ways(monkeypatch):
    monkeypatch.setenv("CORPORA", "/data")
    command = [
        "${env}",
        "ZOO_DATA=d",
        "${interpreter}",
        "-m",
        "zoo.cli",
        "fit",
        "lenet-fashion_mnist",
    ]
    command += ["--wandb", "online", "--data.root=${envvar:CORPORA}", "${args}", "--runs=y"]
    plan = read_sweep(Path(write_sweep(command=command)))
    assert plan.options == ("lenet-fashion_mnist", "--data.root=/data")
    assert plan.environment == {"ZOO_DATA": "d"}
    plan = read_sweep(
        Path(write_sweep(program="zoo", command=["${program}", "fit", "${args}", "l"]))
    )
    assert plan.options == ("l",)


TRUSTED = (
    *("CUDA_VISIBLE_DEVICES", "OMP_NUM_THREADS", "WANDB_PROJECT", "WANDB_TAGS", "WANDB_MODE"),
    *("WANDB_SILENT", "ZOO_DATA", "ZOO_CACHE"),
)
UNTRUSTED = (
    *("PYTHONPATH", "LD_PRELOAD", "LD_LIBRARY_PATH", "PATH", "PYTHONSTARTUP", "BASH_ENV", "HOME"),
    *("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", "WANDB_BASE_URL", "WANDB_API_KEY", "WANDB_X_EXECUTABLE"),
    *("WANDB__EXECUTABLE", "WANDB_CONFIG_DIR", "WANDB_IDENTITY_TOKEN_FILE", "ZOO_RUN", "zoo_data"),
    *("WANDB_INSECURE_DISABLE_SSL", "ZOO_CHOSEN_RUN", "XWANDB_DIR", "WANDB_", "RANK"),
)


def test_only_known_variables_are_set_by_a_file(capsys):
    rest = ["zoo", "fit", "lenet-fashion_mnist", "${args}"]
    for name in TRUSTED:
        plan = read_sweep(Path(write_sweep(command=["${env}", f"{name}=x", *rest])))
        assert plan.environment == {name: "x"}
    for name in UNTRUSTED:
        path = write_sweep(command=["OMP_NUM_THREADS=1", f"{name}=x", *rest])
        line = fails(capsys, "sweep", path)
        assert line.startswith(f"zoo: s.yaml: command: {name} is no variable for a sweep file")


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
    plan = read_sweep(Path(write_sweep(method=method, parameters=parameters, run_cap=count)))
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
    main = figure.axes[0]
    assert [label.get_text() for label in main.get_xticklabels()] == ["val/loss", "a.x", "data.x"]
    ticks = {label.get_text() for axes in figure.axes for label in axes.get_yticklabels()}
    assert {"Adam", "SGD"} <= ticks
    (lines,) = main.collections
    assert [len(each) for each in lines.get_segments()] == [3, 3, 3]
    assert [dashes is not None for _, dashes in lines.get_linestyle()] == [True, False, False]
    assert list(lines.get_linewidth()) == [1.5, 1.5, 3.5]
    assert main.get_title() == (
        "a sweep: best val/loss 0.3000; dotted: pruned; without a result: 1"
    )


@pytest.mark.parametrize(
    ("values", "scale"),
    [
        ({"values": [16, 32, 64, 128]}, "log"),
        ({"values": [2, 3, 4, 5]}, "linear"),
        ({"min": 0.1, "max": 0.9}, "linear"),
        ({"min": 1e-4, "max": 1.0, "distribution": "log_uniform_values"}, "log"),
        ({"values": [True, False, True, False]}, "linear"),
        ({"values": ["1e-4", "1e-3", "0.1", "1"]}, "log"),
    ],
)
def test_an_axis_is_logarithmic_where_numbers_spread(values, scale):
    (parameter,) = read_parameters({"data.x": values}, "random")
    drawn = values.get("values") or [values["min"], 0.5, 0.6, values["max"]]
    some = [Trial(n, {"data.x": x}, "finished", [0.5], 1, 1.0) for n, x in enumerate(drawn, 1)]
    figure = draw(some, [parameter], Metric("m", maximize=True), "a sweep")
    (axes,) = [each for each in figure.axes[1:] if each.get_ylabel() != "m"]
    assert axes.get_yscale() == scale
