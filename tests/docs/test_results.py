"""scripts.results: what is measured, and that every table and header follows from it."""

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from scripts.results import records, rows, tables, words
from scripts.results.__main__ import main
from scripts.results.measure import Measurer, OutOfTimeError, kind_of
from scripts.results.rows import Prerequisite, Row
from zoo.catalogue import architectures, arguments, definitions, recipes
from zoo.errors import InputError

RESULT = records.Result(
    recipe="lenet-fashion_mnist",
    options=[],
    seed=0,
    settings="",
    corpus="Fashion-MNIST, 55,000 train + 5,000 val rows (400 of 60,000 training rows)",
    kind="real",
    epochs=10,
    steps=2150,
    metrics={"val/accuracy": 0.9},
    tested={"checkpoint": "best.ckpt", "epoch": 8, "metrics": {"test/accuracy": 0.88}},
    date="2026-11-28",
    commit="",
    machine="",
    seconds=60.0,
    rows_per_second=None,
    peak_memory_bytes=None,
)
ROW = Row(
    what="LeNet",
    topic=11,
    recipe="lenet-fashion_mnist",
    figures={"test/accuracy": "test accuracy"},
    bar={"test/accuracy": ">= 0.85"},
)


# What is committed


def test_everything_follows_from_the_results():
    for path, text in tables.files(records.load()).items():
        assert path.read_text(encoding="utf-8") == text, (
            f"{path.name} does not follow from results.json: python -m scripts.results"
        )


def test_results_are_of_the_recipes_as_they_are():
    for result in records.load().values():
        assert result.settings == records.digest(result.recipe), (
            f"{result.recipe} was changed since: python -m scripts.results {result.recipe}"
        )


def test_every_result_has_its_row_and_is_said_somewhere():
    known = {(row.recipe, row.options, seed) for row in rows.rows() for seed in row.seeds}
    assert set(records.load()) <= known
    said = tables.RESULTS.read_text(encoding="utf-8")
    for result in records.load().values():
        assert f"`zoo fit {result.recipe}" in said or f"cross-validate {result.recipe}" in said


def test_bars_are_met_or_it_is_said_why_not():
    results = records.load()
    for row in rows.rows():
        found = records.of(row, results)
        if isinstance(row.bar, dict) and found:
            assert [name for name in row.bar if found[0].value(name) is None] == []
            if not words.reached(row, found):
                assert row.reason, f"{row.name} misses its bar, and no reason is given"
        if row.tests:
            assert (tables.HOME / row.tests).is_file()


def test_every_recipe_has_a_row_and_every_topic():
    given = rows.rows()
    assert {row.recipe for row in given if row.plain} == set(recipes())
    assert {row.topic for row in given} - {0} == set(range(1, 31))
    assert len({(row.recipe, row.options) for row in given if row.recipe}) == len(
        [row for row in given if row.recipe]
    )


def test_what_a_row_needs_goes_to_an_option_of_its_model():
    known = definitions()
    for row in rows.rows():
        if row.after:
            model = known[recipes()[row.recipe].config["model"]["class_path"]]
            assert row.after.option.removeprefix("--model.") in arguments(model, known), row.name


# How it is said


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.88764, "0.8876"), (99.3456, "99.35"), (0.000651, "0.000651"), (-1.14881, "-1.1488")],
)
def test_numbers(value, text):
    assert words.number(value) == text


def test_a_header_line_says_epochs_corpus_seeds_and_commands():
    second = replace(RESULT, seed=1, tested=RESULT.tested | {"metrics": {"test/accuracy": 0.87}})
    assert words.header_line(ROW, [RESULT, second]) == (
        "lenet-fashion_mnist: test accuracy 0.8800 after 8 epochs (real corpus, 400 of 60,000 "
        "training rows, the best of 10 epochs by validation, seed 0, 2026-11-28: `zoo fit "
        "lenet-fashion_mnist`, `zoo test`); seed 1: 0.8700"
    )
    assert words.after(
        replace(ROW, recipe="surface-gradient_noise"), replace(RESULT, steps=20)
    ) == ("after 20 steps")


@pytest.mark.parametrize(
    ("bar", "text"),
    [
        ({"test/accuracy": ">= 0.88"}, "met"),
        ({"test/accuracy": "> 0.88"}, "not met: too few"),
        ({"test/accuracy": "<= 0.88", "val/accuracy": "< 0.9"}, "not met: too few"),
        ({"test/accuracy": "0.8 to 0.88"}, "met"),
        ({"test/accuracy": "0.881 to 0.9"}, "not met: too few"),
    ],
)
def test_verdicts(bar, text):
    assert words.verdict(replace(ROW, bar=bar, reason="too few"), [RESULT]) == text


def test_all_seeds_have_to_keep_a_bar():
    worse = replace(RESULT, seed=1, tested=RESULT.tested | {"metrics": {"test/accuracy": 0.84}})
    assert words.verdict(ROW, [RESULT]) == "met"
    assert words.verdict(ROW, [RESULT, worse]).startswith("not met")


def test_results_go_between_the_recipes_and_the_rest_of_a_header():
    header = "Config: a,\n        b\nResult: old\n        older\nNote:   kept\n"
    source = f'"""A network.\n\n{header}"""\n\nx = 1\n'
    lines = ["Result: new", "        newer"]
    once = words.with_results(source, lines)
    assert once == source.replace("old\n", "new\n").replace("older", "newer")
    assert words.with_results(once, lines) == once
    assert words.with_results(once, []) == source.replace("Result: old\n        older\n", "")


def test_every_header_can_be_rewritten_without_losing_a_line():
    for definition in architectures().values():
        source = definition.path.read_text(encoding="utf-8")
        rest = words.with_results(source, [])
        assert "Result:" not in rest.partition('"""\n\n')[0]
        kept = [line for line in rest.splitlines() if line not in source.splitlines()]
        assert not kept


# Bad input


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["lenet-fashion_minst"], "did you mean lenet-fashion_mnist"),
        (["--family", "regresion"], "did you mean regression"),
        (["--all", "--budget", "half"], "--budget is 'half'"),
        (["alexnet-fashion_mnist"], "needs a GPU"),
    ],
)
def test_bad_options(argv, said, capsys):
    assert main(argv) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert said in line


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ("{what: a, recipe: lenet}", "row 1: no recipe is called lenet"),
        ("{what: a, toppic: 3}", "there is no toppic (did you mean topic?)"),
        ("{what: a, bar: {x: about 3}}", "is no limit"),
        ("{what: [}", "cannot be read"),
    ],
)
def test_bad_rows(entry, said, tmp_path, monkeypatch):
    path = tmp_path / "rows.yaml"
    path.write_text(f"- {entry}\n")
    monkeypatch.setattr(rows, "FILE", path)
    rows.rows.cache_clear()
    try:
        with pytest.raises(InputError, match=re.escape(said)):
            rows.rows()
    finally:
        rows.rows.cache_clear()


def test_a_damaged_file_of_results_is_named(tmp_path, monkeypatch):
    path = tmp_path / "results.json"
    path.write_text('{"results": [{"recipe": 1}]}')
    monkeypatch.setattr(records, "FILE", path)
    with pytest.raises(InputError, match=r"results\.json: cannot be read"):
        records.load()


def test_a_table_without_its_place_is_named(tmp_path):
    path = tmp_path / "page.md"
    path.write_text("# 1 Nothing\n")
    with pytest.raises(InputError, match=r"page\.md: has no <!-- results 01 -->"):
        tables._filled(path, {"results 01": iter(())})


# Measuring


@pytest.fixture
def own_files(tmp_path, monkeypatch):
    """No results yet, and nobody's tables are written."""
    monkeypatch.setattr(records, "FILE", tmp_path / "results.json")
    monkeypatch.setattr("scripts.results.__main__.write", lambda results: [])
    return tmp_path


@pytest.mark.slow
def test_a_recipe_is_measured_once(own_files, capsys):
    folder = str(own_files / "runs")
    recipe = "linear_regression-synthetic_regression"
    assert main([recipe, "--folder", folder]) == 0
    assert "largest error of a weight" in capsys.readouterr().out
    (result,) = records.load().values()
    assert (result.kind, result.epochs, result.steps) == ("generated", 3, 300)
    assert result.value("weights/error") < 0.01
    assert result.value("test/loss") == result.tested["metrics"]["test/loss"] < 1e-4
    assert result.rows_per_second > 0
    assert result.versions["zoo"]
    before = json.loads((own_files / "results.json").read_text())
    assert main([recipe, "--folder", folder]) == 0
    assert "[1/1]" not in capsys.readouterr().out
    assert json.loads((own_files / "results.json").read_text()) == before


@pytest.mark.slow
def test_a_changed_recipe_is_trained_and_measured_again(own_files, monkeypatch, capsys):
    recipe, folder = "surface-gradient_noise", own_files / "runs"
    row = next(row for row in rows.rows() if row.recipe == recipe)
    assert main([recipe, "--folder", str(folder)]) == 0
    began = (folder / recipe / "0" / "run.json").stat().st_mtime_ns
    for module in ("__main__", "measure"):
        monkeypatch.setattr(f"scripts.results.{module}.digest", lambda name: "another")
    assert main([recipe, "--folder", str(folder)]) == 0
    assert capsys.readouterr().out.count(f"[1/1] {row.typed}") == 2
    assert (folder / recipe / "0" / "run.json").stat().st_mtime_ns > began
    (result,) = records.load().values()
    assert (result.steps, result.settings) == (20, "another")


@pytest.mark.slow
def test_a_run_that_is_out_of_time_goes_on(tmp_path, monkeypatch):
    row = Row(what="", recipe="polynomial_regression-polynomial")
    record = tmp_path / row.recipe / "0" / "run.json"
    begun = lambda: 1.0 if record.exists() else 0.0  # noqa: E731
    monkeypatch.setattr("scripts.results.measure.monotonic", begun)
    with pytest.raises(OutOfTimeError):
        Measurer(tmp_path, 0.5).measure(row, 0)
    assert json.loads(record.read_text())["state"] == "stopped"
    result = Measurer(tmp_path, float("inf")).measure(row, 0)
    assert result.epochs == 100
    assert json.loads(record.read_text())["tries"] == 2


@pytest.mark.slow
def test_a_failure_is_said_and_the_rest_goes_on(own_files, monkeypatch, capsys):
    bad = Row(what="", recipe="surface-gradient_noise", options=("--model.function=nonsense",))
    good = Row(what="", recipe="surface-gradient_noise")
    monkeypatch.setattr("scripts.results.__main__.rows", lambda: (bad, good))
    assert main(["surface-gradient_noise", "--folder", str(own_files / "runs")]) == 1
    assert "no function is called nonsense" in capsys.readouterr().out
    assert [key[1] for key in records.load()] == [()]


def test_what_a_run_needs_is_trained_before(tmp_path, monkeypatch):
    commands = []
    monkeypatch.setattr(Measurer, "do", lambda _, command, *rest: commands.append(list(command)))
    after = Prerequisite("resnet_small-cifar10", "--model.weights")
    row = Row(what="", recipe="fine_tuned_resnet_small-hot_dog", after=after)
    Measurer(tmp_path, float("inf")).fit(row, 1)
    before, command = commands
    assert "resnet_small-cifar10" in before
    assert "fine_tuned_resnet_small-hot_dog" in command
    checkpoint = tmp_path / "resnet_small-cifar10" / "0" / "checkpoints" / "best.ckpt"
    assert f"--model.weights={checkpoint}" in command


def test_a_corpus_that_is_not_there_is_stood_in_for(tmp_path, monkeypatch):
    monkeypatch.setenv("ZOO_DATA", str(tmp_path))
    kind_of.cache_clear()
    try:
        assert kind_of("lenet-fashion_mnist") == "synthetic"
        assert kind_of("gan-gaussian2d") == "generated"
    finally:
        kind_of.cache_clear()


@pytest.mark.slow
def test_cross_validation_is_measured_by_its_mean(own_files, monkeypatch):
    monkeypatch.setenv("ZOO_DATA", str(own_files / "nothing"))
    kind_of.cache_clear()
    row = Row(
        what="",
        recipe="linear_regression-house_prices",
        options=("--trainer.max_epochs=2",),
        folds=2,
    )
    try:
        result = Measurer(own_files / "runs", float("inf")).measure(row, 0)
    finally:
        kind_of.cache_clear()
    (kept,) = Path(own_files).glob("runs/**/cross_validation.json")
    mean = json.loads(kept.read_text())["mean"]
    assert result.value("val/rmse") == mean["val/rmse"]
    assert result.kind == "synthetic"
