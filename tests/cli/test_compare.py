"""compare: run folders written by hand, what is said of them, what is drawn, what is refused."""

import csv
import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from matplotlib.figure import Figure
from PIL import Image

from tests.conftest import fails
from zoo.cli.compare_runs import compare, draw
from zoo.errors import InputError
from zoo.runs.comparison.series import Curve, _averaged

COLUMNS = [
    *("epoch", "step", "train/accuracy", "train/accuracy_epoch"),
    *("train/loss", "train/loss_epoch", "val/accuracy", "val/loss"),
]


def settings(lr=0.1, batch_size=256, seed=0, **data):
    model = {"class_path": "zoo.LeNet", "init_args": {"optimizer": {"init_args": {"lr": lr}}}}
    return {
        "seed_everything": seed,
        "trainer": {"max_epochs": 3, "default_root_dir": f"/run/{lr}", "logger": {"name": lr}},
        "model": model,
        "data": {"class_path": "d.FashionMNIST", "init_args": {"batch_size": batch_size, **data}},
    }


def lines(accuracies, start=0, losses=None):
    """What Lightning logs in epochs of 100 steps, a window of 50 steps, one validation each."""
    rows = []
    for epoch, accuracy in enumerate(accuracies, start):
        loss = losses[epoch - start] if losses else 1 - accuracy
        for step in (49, 99):
            window = {"train/loss": loss, "train/accuracy": accuracy}
            rows.append({"epoch": epoch, "step": 100 * epoch + step, **window})
        end = {"epoch": epoch, "step": 100 * epoch + 99}
        rows.append({**end, "val/loss": loss, "val/accuracy": accuracy})
        rows.append({**end, "train/loss_epoch": loss + 0.001, "train/accuracy_epoch": accuracy})
    return rows


def write_csv(path, rows, columns=COLUMNS):
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, columns)
        writer.writeheader()
        writer.writerows(rows)


def write_run(folder, rows=None, config=None, test=None, record=None):
    folder = Path(folder)
    folder.mkdir(parents=True)
    (folder / "config.yaml").write_text("# lightning\n" + yaml.safe_dump(config or settings()))
    write_csv(folder / "metrics.csv", lines([0.5, 0.7, 0.6]) if rows is None else rows)
    if test:
        (folder / "test.json").write_text(json.dumps({"metrics": test, "epoch": 3}))
    if record:
        (folder / "run.json").write_text(json.dumps(record))
    return folder


@pytest.fixture(autouse=True)
def _wide(monkeypatch):
    monkeypatch.setenv("COLUMNS", "140")


@pytest.fixture
def undrawn(monkeypatch):
    """Leaves the slow part out of tests that look at the tables."""
    monkeypatch.setattr("zoo.cli.compare_runs.draw", lambda runs, title: Figure((1, 1)))


def cells(text, title):
    """The cells of the table row that begins with `title`."""
    lines = [line.strip("│┃").replace("┃", "│") for line in text.splitlines()]
    rows = [[cell.strip() for cell in line.split("│")] for line in lines]
    found = [row[1:] for row in rows if row[0] == title]
    assert len(found) == 1, f"{title} in {len(found)} rows of:\n{text}"
    return found[0]


def test_only_settings_that_differ_are_shown(capsys, undrawn):
    write_run("runs/lenet/1")
    write_run("runs/lenet/2", config=settings(lr=0.2, augment=["flip"]))
    compare(["runs/lenet/1", "runs/lenet/2"])
    text = capsys.readouterr().out
    assert cells(text, "model.optimizer.lr") == ["0.1", "0.2"]
    assert cells(text, "data.augment") == ["-", '["flip"]']
    for same_or_per_run in ("max_epochs", "batch_size", "default_root_dir", "logger"):
        assert same_or_per_run not in text


def test_equal_settings_are_said_to_be_equal(capsys, undrawn):
    write_run("runs/lenet/1")
    write_run("runs/lenet/2", rows=lines([0.9]))
    compare(["runs/lenet/1", "runs/lenet/2"])
    assert "no settings differ" in capsys.readouterr().out


def test_metrics_are_the_last_the_best_and_the_tested(capsys, undrawn):
    write_run("runs/lenet/1", lines([0.5, 0.7, 0.6]), test={"test/accuracy": 0.88})
    write_run("runs/lenet/2", lines([0.4, 0.8], losses=[0.25, 0.75]))
    compare(["runs/lenet/1", "runs/lenet/2"])
    text = capsys.readouterr().out
    assert cells(text, "epochs") == ["3", "2"]
    assert cells(text, "val/accuracy") == ["0.6000", "0.8000"]
    assert cells(text, "val/accuracy, best (epoch)") == ["0.7000 (2)", "0.8000 (2)"]
    assert cells(text, "val/loss, best (epoch)") == ["0.3000 (2)", "0.2500 (1)"]
    assert cells(text, "train/loss_epoch") == ["0.4010", "0.7510"]
    assert cells(text, "test/accuracy") == ["0.8800", "-"]


def test_the_best_run_is_bold(capsys, monkeypatch, undrawn):
    monkeypatch.setenv("FORCE_COLOR", "1")
    write_run("runs/lenet/1", lines([0.25]))
    write_run("runs/lenet/2", lines([0.875]))
    compare(["runs/lenet"])
    text = capsys.readouterr().out
    bold = "\x1b[1m"
    assert f"{bold}0.8750" in text  # the higher accuracy
    assert f"{bold}0.1250" in text  # the lower loss
    assert f"{bold}0.2500" not in text
    assert f"{bold}0.7500" not in text


def test_a_loss_that_is_no_number_is_never_the_best(capsys, undrawn):
    write_run("runs/lenet/1", lines([0.5, 0.6], losses=[float("nan"), 0.4]))
    compare(["runs/lenet/1"])
    assert cells(capsys.readouterr().out, "val/loss, best (epoch)") == ["0.4000 (2)"]


def test_a_log_without_epochs_is_read(capsys, undrawn):
    run = write_run("runs/lenet/1")
    (run / "metrics.csv").write_text("step,val/loss\n9,0.5\n19,0.25\n29,0.75\n")
    compare([run])
    assert cells(capsys.readouterr().out, "val/loss, best (epoch)") == ["0.2500"]


def test_curves_are_a_readable_png(capsys):
    write_run("runs/lenet/1")
    write_run("runs/lenet/2")
    path = compare(["runs/lenet/1", "runs/lenet/2"])
    assert path == Path("runs/lenet/compare.png")
    assert f"curves:   {path}" in capsys.readouterr().out
    with Image.open(path) as picture:
        assert picture.format == "PNG"
        assert picture.width >= 1000
        assert picture.height >= 400
        # Both runs' colours: the first two of tab10.
        colors = {color for _, color in picture.convert("RGB").getcolors(1 << 20)}
    assert {(31, 119, 180), (255, 127, 14)} <= colors


@pytest.fixture
def panels(monkeypatch):
    """Compares runs; the lines of each panel, x and y, by title, and the figure."""

    def _panels(*runs):
        drawn = []
        monkeypatch.setattr(
            "zoo.cli.compare_runs.draw", lambda *given: drawn.append(draw(*given)) or Figure((1, 1))
        )
        compare(runs)
        return {
            axes.get_title(): [(list(x.get_xdata()), list(x.get_ydata())) for x in axes.lines]
            for axes in drawn[0].axes
        }, drawn[0]

    return _panels


def test_curves_run_over_epochs_in_a_panel_a_quantity(panels):
    write_run("runs/lenet/1", lines([0.5, 0.7]))
    drawn, figure = panels("runs/lenet/1")
    assert list(drawn) == ["loss", "accuracy"]
    train, val = drawn["accuracy"]
    assert train == ([0.5, 1, 1.5, 2], [0.5, 0.5, 0.7, 0.7])
    assert val == ([1, 2], [0.5, 0.7])
    assert figure.axes[0].get_xlabel() == "epoch"
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["1", "train", "val"]


def test_curves_run_over_steps_before_an_epoch_is_finished(panels):
    write_run("runs/lenet/1", lines([0.5, 0.7]))
    write_run("runs/lenet/2", lines([0.5])[:2])
    drawn, figure = panels("runs/lenet")
    assert figure.axes[0].get_xlabel() == "step"
    assert drawn["loss"][2][0] == [50, 100]


def test_a_learning_rate_has_its_own_panel_and_no_best(panels, capsys):
    rows = [*lines([0.5]), {"step": 99, "lr-Adam": 0.00025}]
    run = write_run("runs/lenet/1")
    write_csv(run / "metrics.csv", rows, [*COLUMNS, "lr-Adam"])
    drawn, _ = panels(run)
    assert drawn["lr-Adam"][0] == ([1], [0.00025])
    assert cells(capsys.readouterr().out, "lr-Adam") == ["0.00025"]


def test_earlier_tries_come_before_and_repeated_steps_count_once(panels, capsys):
    run = write_run("runs/lenet/job-7", lines([0.8], start=2))
    write_csv(run / "metrics-1.csv", lines([0.5, 0.99]))
    write_csv(run / "metrics-2.csv", lines([0.6], start=1))  # epoch 2 again, from a checkpoint
    write_csv(run / "metrics-10.csv", lines([0.7], start=1))
    drawn, _ = panels("runs/lenet")
    assert drawn["accuracy"][1] == ([1, 2, 3], [0.5, 0.7, 0.8])
    assert cells(capsys.readouterr().out, "epochs") == ["3"]


def test_a_try_that_logged_nothing_yet_hides_no_earlier_one(capsys, undrawn):
    run = write_run("runs/lenet/1")
    (run / "metrics.csv").rename(run / "metrics-1.csv")
    compare([run])
    assert cells(capsys.readouterr().out, "epochs") == ["3"]


def test_a_recipe_folder_stands_for_its_runs_in_order(capsys, undrawn):
    for number in (10, 9, 1):
        write_run(f"runs/lenet/{number}", config=settings(lr=number))
    unfinished = write_run("runs/lenet/11")
    (unfinished / "metrics.csv").unlink()
    write_run("runs/lenet/notes")
    compare(["runs/lenet", "runs/lenet/9"])
    assert cells(capsys.readouterr().out, "model.optimizer.lr") == ["1", "9", "10"]


def test_runs_of_two_recipes_are_named_by_both_and_stand_ins_marked(capsys, undrawn):
    write_run("runs/lenet/1", config=settings(synthetic=True))
    write_run("runs/mlp/1", config=settings(synthetic=False))
    assert compare(["runs/lenet/1", "runs/mlp/1"]) == Path("runs/compare.png")
    text = capsys.readouterr().out
    assert "lenet/1 (synthetic)" in text
    assert "mlp/1 (synthetic)" not in text
    assert cells(text, "data.synthetic") == ["true", "false"]


def test_runs_that_do_not_fit_go_into_further_tables(capsys, undrawn, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    for number in range(1, 9):
        write_run(f"runs/lenet/{number}", lines([number / 16]))
    compare(["runs/lenet"])
    text = capsys.readouterr().out
    assert max(map(len, text.splitlines())) <= 80
    rows = [line.strip("│").split("│") for line in text.splitlines() if "val/accuracy  " in line]
    values = [cell.strip() for row in rows for cell in row[1:]]
    assert values == [f"{number / 16:.4f}" for number in range(1, 9)]


def test_output_and_pictures_are_named(tmp_path, capsys):
    run = write_run(tmp_path / "runs/lenet/1")
    other = write_run(tmp_path / "runs/lenet/2")
    (run / "pictures").mkdir()
    (run / "pictures/test_confusion.png").write_bytes(b"")
    path = compare([str(run), other], tmp_path / "new/curves.png")
    text = capsys.readouterr().out
    assert path.stat().st_size > 10_000
    assert f"curves:   {path}" in text
    assert f"pictures: {run / 'pictures'}" in text
    assert str(other / "pictures") not in text


def test_an_output_that_cannot_be_written_is_refused():
    run = write_run("runs/lenet/1")
    Path("taken").write_text("")
    with pytest.raises(InputError, match=r"taken/x.png: cannot be written .*--output"):
        compare([run], Path("taken/x.png"))


def test_any_folder_stands_for_the_runs_in_it(capsys, undrawn):
    write_run("runs/lenet/2", config=settings(lr=1))
    write_run("runs/lenet/10", config=settings(lr=2))
    write_run("runs/mlp/1/fold-1", config=settings(lr=3))
    write_run("runs/sweep/4", config=settings(lr=4))
    write_run("runs/lenet/2/copy/5", config=settings(lr=5))  # within a run: none of its own
    compare(["runs"])
    assert cells(capsys.readouterr().out, "model.optimizer.lr") == ["1", "2", "3", "4"]


RECORD = {
    "state": "finished",
    "seconds": 245.0,
    "rows_per_second": 1234.5,
    "device": "cpu",
    "peak_memory_bytes": 3 << 29,
    "versions": {"zoo": "1", "torch": "2"},
}


def test_costs_are_shown_where_a_run_recorded_them(capsys, undrawn):
    write_run("runs/lenet/1", record=RECORD)
    write_run("runs/lenet/2", record={**RECORD, "seconds": 8000, "peak_memory_bytes": 500 << 20})
    write_run("runs/lenet/3")
    compare(["runs/lenet"])
    text = capsys.readouterr().out
    assert cells(text, "wall time") == ["4 min 05 s", "2 h 13 min", "-"]
    assert cells(text, "samples/s") == ["1,234", "1,234", "-"]
    assert cells(text, "peak memory") == ["1.50 GiB", "500 MiB", "-"]
    for equal in ("state", "device", "versions"):
        assert f"│ {equal}" not in text


def test_how_runs_ended_and_on_what_is_shown_where_it_differs(capsys, undrawn):
    write_run("runs/lenet/1", record={**RECORD, "state": "failed"})
    other = {"device": "H100", "versions": {"torch": "3", "zoo": "1"}}
    write_run("runs/lenet/2", record={**RECORD, **other})
    compare(["runs/lenet"])
    text = capsys.readouterr().out
    assert cells(text, "state") == ["failed", "finished"]
    assert cells(text, "device") == ["cpu", "H100"]
    assert cells(text, "versions") == ["torch 2, zoo 1", "torch 3, zoo 1"]


def write_seeds():
    """Three seeds of one setting and one of another."""
    for seed, accuracy in enumerate((0.5, 0.7, 0.6)):
        rows, record = lines([0.25, accuracy]), {**RECORD, "seconds": 10.0 * seed}
        write_run(f"runs/lenet/{seed + 1}", rows, settings(seed=seed), record=record)
    write_run("runs/lenet/4", lines([0.3]), settings(lr=0.5))


def test_runs_that_differ_in_the_seed_alone_have_a_mean_and_a_spread(capsys, undrawn):
    write_seeds()
    compare(["runs/lenet"])
    single, _, text = capsys.readouterr().out.partition("over seeds")
    assert cells(single, "val/accuracy") == ["0.5000", "0.7000", "0.6000", "0.3000"]
    assert cells(text, "metric") == ["1, 2, 3 (3 seeds)", "4"]
    assert cells(text, "val/accuracy") == ["0.6000 ± 0.1000 (3)", "0.3000"]
    assert cells(text, "val/loss, best (epoch)") == ["0.4000 ± 0.1000 (3)", "0.7000 (1)"]
    assert cells(text, "epochs") == ["2", "1"]
    assert cells(text, "wall time") == ["10.0 s ± 10.0 s (3)", "-"]


def test_means_alone_are_shown_where_they_are_asked_for(capsys, undrawn):
    write_seeds()
    compare(["runs/lenet"], seeds=True)
    text = capsys.readouterr().out
    assert cells(text, "val/accuracy") == ["0.6000 ± 0.1000 (3)", "0.3000"]
    assert cells(text, "model.optimizer.lr") == ["0.1", "0.5"]
    assert cells(text, "seed_everything") == ["0, 1, 2", "0"]


def test_a_seed_counts_once_by_its_longest_run(capsys, undrawn):
    write_seeds()
    write_run("runs/lenet/5", lines([0.9]), settings(seed=2))  # shorter than that which there is
    write_run("runs/lenet/6", lines([0.9, 0.9]), settings(seed=0))  # as long, and later
    compare(["runs/lenet"], seeds=True)
    text = capsys.readouterr().out
    assert cells(text, "metric") == ["1", "2, 3, 6 (3 seeds)", "4", "5"]
    assert cells(text, "val/accuracy")[1] == "0.7333 ± 0.1528 (3)"
    assert cells(text, "seed_everything")[1] == "0, 1, 2"


@pytest.mark.parametrize("seed", [None, True, 0])
def test_runs_of_one_seed_or_none_are_not_averaged(seed, capsys, undrawn):
    write_run("runs/lenet/1", config=settings(seed=seed))
    write_run("runs/lenet/2", config=settings(seed=seed))
    compare(["runs/lenet"])
    assert "over seeds" not in capsys.readouterr().out


def test_a_value_of_one_run_of_a_group_has_no_spread(capsys, undrawn):
    write_run("runs/lenet/1", config=settings(seed=1), test={"test/loss": 0.5})
    write_run("runs/lenet/2", lines([0.5]), settings(seed=2))
    compare(["runs/lenet"], seeds=True)
    text = capsys.readouterr().out
    assert cells(text, "test/loss") == ["0.5000 (1)"]
    assert cells(text, "epochs") == ["1 to 3"]


def test_curves_of_seeds_are_a_mean_in_a_band(panels):
    write_seeds()
    drawn, figure = panels("runs/lenet")
    train, *faint, mean, _, other = drawn["accuracy"]
    assert [values for _, values in faint] == [[0.25, 0.5], [0.25, 0.7], [0.25, 0.6]]
    assert mean == ([1, 2], [0.25, pytest.approx(0.6)])
    assert train[1] == pytest.approx([0.25, 0.25, 0.6, 0.6])
    assert other == ([1], [0.3])
    (band,) = figure.axes[1].collections
    heights = band.get_paths()[0].vertices[:, 1]
    assert heights.min() == pytest.approx(0.25)
    assert heights.max() == pytest.approx(0.7)
    texts = [text.get_text() for text in figure.legends[0].get_texts()]
    assert texts == ["1, 2, 3 (3 seeds)", "4", "train", "val"]


def test_losses_of_opposed_networks_have_a_panel_each_and_no_best(panels, capsys):
    names = ["loss", "loss_d", "loss_g", "real_score", "frechet_distance"]
    rows = [
        {"epoch": epoch, "step": 99 + 100 * epoch, **{f"val/{name}": 1 + epoch for name in names}}
        for epoch in range(2)
    ]
    run = write_run("runs/dcgan/1")
    write_csv(run / "metrics.csv", rows, ["epoch", "step", *(f"val/{name}" for name in names)])
    drawn, _ = panels(run)
    assert list(drawn)[:5] == ["loss", "loss_d", "loss_g", "frechet_distance", "real_score"]
    text = capsys.readouterr().out
    assert cells(text, "val/loss_g") == ["2.0000"]
    assert cells(text, "val/frechet_distance, best (epoch)") == ["1.0000 (1)"]
    assert "loss_d, best" not in text
    assert "val/loss, best" not in text


def written(kind, **options):
    compare(["runs/lenet"], files={kind: Path("out")}, **options)
    return Path("out").read_text(encoding="utf-8")


def test_csv_has_a_line_a_run_and_all_digits(undrawn):
    config = settings(lr="1e-3, or so")
    write_run("runs/lenet/1", lines([1 / 3]), config, record={**RECORD, "seconds": 1.25})
    write_run("runs/lenet/2", lines([0.5, 0.25]), test={"test/loss": float("nan")})
    first, second = csv.DictReader(written("csv").splitlines())
    assert (first["run"], second["run"]) == ("1", "2")
    assert first["model.optimizer.lr"] == "1e-3, or so"
    assert float(first["val/accuracy"]) == 1 / 3
    assert (second["val/accuracy, best"], second["val/accuracy, best epoch"]) == ("0.5", "1")
    assert (first["wall time"], first["peak memory"]) == ("1.25", str(3 << 29))
    assert (second["wall time"], first["test/loss"], second["test/loss"]) == ("", "", "nan")


def test_csv_over_seeds_has_columns_for_the_spread(undrawn):
    write_seeds()
    group, single = csv.DictReader(written("csv", seeds=True).splitlines())
    assert group["run"] == "1, 2, 3 (3 seeds)"
    assert float(group["val/accuracy"]) == pytest.approx(0.6)
    assert float(group["val/accuracy, std"]) == pytest.approx(0.1)
    assert group["val/accuracy, n"] == "3"
    assert (single["val/accuracy, std"], single["val/accuracy, n"]) == ("", "1")


def test_markdown_has_a_line_a_run_with_the_best_in_bold(undrawn):
    write_run("runs/lenet/1", lines([0.5]), settings(augment="a|b<script>"))
    write_run("runs/lenet/2", lines([0.75]))
    text = written("markdown")
    table = [line.split(" | ") for line in text.splitlines() if line.startswith("|")]
    assert len({len(row) for row in table}) == 1
    assert table[0][1] == "data.augment"
    assert table[2][1] == "a\\|b&lt;script>"
    columns = dict(zip(table[0], table[3], strict=True))
    assert columns["val/accuracy"] == "**0.7500**"
    assert columns["train/loss\\_epoch"] == "**0.2510**"


def test_a_table_can_be_printed_alone(capsys, undrawn):
    write_run("runs/lenet/1")
    compare(["runs/lenet"], files={"csv": Path("-")})
    captured = capsys.readouterr()
    assert captured.out.startswith("run,epochs,")
    assert len(captured.out.splitlines()) == 2
    assert "curves:" in captured.err
    assert not Path("-").exists()


def test_outputs_are_written_together_or_not_at_all(capsys):
    write_run("runs/lenet/1")
    Path("folder").mkdir()
    before = sorted(Path().rglob("*"))
    for option, path in (("--html", "folder"), ("--markdown", "/dev/null/x"), ("--csv", "/proc/x")):
        options = {"--csv": "new/a.csv", "--markdown": "b.md", option: path}
        argv = [word for pair in options.items() for word in pair]
        assert f"{path}: cannot be written" in (line := fails(capsys, "compare", "runs", *argv))
        assert f"choose {option} FILE" in line
    assert "both --csv and --html" in fails(
        *(capsys, "compare", "runs", "--csv", "a", "--html", "./a")
    )
    assert "cannot both be printed" in fails(
        *(capsys, "compare", "runs", "--csv", "-", "--markdown", "-")
    )
    assert sorted(Path().rglob("*")) == before


def test_a_full_disk_leaves_what_was_there(monkeypatch):
    write_run("runs/lenet/1")
    Path("a.csv").write_text("old")

    def _full(path, text, encoding):
        path.write_bytes(text[:9].encode())
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_text", _full)
    with pytest.raises(InputError, match=r"^a.csv: cannot be written \(No space"):
        compare(["runs"], files={"csv": Path("a.csv")})
    assert Path("a.csv").read_bytes() == b"old"
    assert sorted(path.name for path in Path().iterdir()) == ["a.csv", "runs"]
    assert not Path("runs/lenet/compare.png").exists()


BAD = {
    "no folder": (lambda run: run.rename("elsewhere"), r"^runs/lenet/1: there is no such"),
    "no config": (lambda run: (run / "config.yaml").unlink(), r"^runs/lenet/1: .*config.yaml"),
    "no metrics": (
        lambda run: (run / "metrics.csv").unlink(),
        r"^runs/lenet/1: metrics.csv is mis",
    ),
    "empty metrics": (
        lambda run: (run / "metrics.csv").write_text(""),
        r"^runs/lenet/1/metrics.csv: empty",
    ),
    "header alone": (
        lambda run: (run / "metrics.csv").write_text("epoch,step,val/loss\n"),
        r"^runs/lenet/1/metrics.csv: empty",
    ),
    "ragged": (
        lambda run: (run / "metrics.csv").write_text("epoch,step,val/loss\n0,9,1\n0,19\n"),
        r"^runs/lenet/1/metrics.csv: .*line 3 has 2 cells, the header has 3",
    ),
    "a word": (
        lambda run: (run / "metrics.csv").write_text("epoch,step,val/loss\n0,9,low\n"),
        r"^runs/lenet/1/metrics.csv: .*line 2: .*'low'",
    ),
    "no step": (
        lambda run: (run / "metrics.csv").write_text("epoch,val/loss\n0,1\n"),
        r"^runs/lenet/1/metrics.csv: .*line 2 has no step",
    ),
    "not text": (
        lambda run: (run / "metrics.csv").write_bytes(b"\xff\xfe"),
        r"^runs/lenet/1/metrics.csv: cannot be read",
    ),
    "bad yaml": (
        lambda run: (run / "config.yaml").write_text("model:\n  a: [1\n"),
        r"^runs/lenet/1/config.yaml: .*not YAML in line 3",
    ),
    "empty yaml": (
        lambda run: (run / "config.yaml").write_text("# nothing\n"),
        r"^runs/lenet/1/config.yaml: .*no settings",
    ),
    "bad json": (
        lambda run: (run / "test.json").write_text('{"metrics": '),
        r"^runs/lenet/1/test.json: .*line 1",
    ),
    "bad record": (
        lambda run: (run / "run.json").write_text("{"),
        r"^runs/lenet/1/run.json: cannot be read",
    ),
    "no tested metrics": (
        lambda run: (run / "test.json").write_text("[1]"),
        r"^runs/lenet/1/test.json: .*no metrics",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_run_is_one_line_that_names_it(case):
    spoil, message = BAD[case]
    spoil(write_run("runs/lenet/1"))
    with pytest.raises(InputError, match=message) as caught:
        compare(["runs/lenet/1"])
    assert "\n" not in str(caught.value)
    assert not Path("runs/lenet/compare.png").exists()


def test_no_run_at_all_is_refused():
    with pytest.raises(InputError, match="name the runs"):
        compare([])


def test_neither_torch_nor_pyplot_is_imported():
    code = (
        "import sys, zoo.cli.compare_runs;"
        "print([m for m in ('torch', 'pandas', 'matplotlib.pyplot') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_mean_is_of_the_epochs_that_two_runs_share_in_their_order():
    curves = [
        Curve(0, "val", epochs, [value] * len(epochs))
        for epochs, value in (([3.0, 4.0], 1.0), ([2.0, 3.0], 3.0), ([1.0, 2.0, 4.0], 5.0))
    ]
    found = _averaged(curves)
    assert found.x == [2, 3, 4]
    assert found.y == [4, 2, 3]
