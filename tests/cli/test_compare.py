"""compare: run folders written by hand, what is said of them, what is refused."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import RECORD, cells, lines, settings, write_run, write_seeds
from tests.conftest import one_line
from zoo.cli.compare_runs import compare
from zoo.errors import InputError

pytestmark = pytest.mark.usefixtures("wide")


def test_only_settings_that_differ_are_shown(capsys, undrawn):
    write_run("runs/lenet/1")
    write_run("runs/lenet/2", config=settings(lr=0.2, augment=["flip"]))
    compare(["runs/lenet/1", "runs/lenet/2"])
    text = capsys.readouterr().out
    assert cells(text, "lr") == ["0.1", "0.2"]
    assert cells(text, "augment") == ["-", '["flip"]']
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
    assert cells(text, "val/accuracy, best") == ["0.7000 (2)", "0.8000 (2)"]
    assert cells(text, "val/loss, best") == ["0.3000 (2)", "0.2500 (1)"]
    assert cells(text, "train/loss") == ["0.4010", "0.7510"]
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
    assert cells(capsys.readouterr().out, "val/loss, best") == ["0.4000 (2)"]


def test_a_log_without_epochs_is_read(capsys, undrawn):
    run = write_run("runs/lenet/1")
    (run / "metrics.csv").write_text("step,val/loss\n9,0.5\n19,0.25\n29,0.75\n")
    compare([run])
    assert cells(capsys.readouterr().out, "val/loss, best") == ["0.2500"]


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
    assert cells(capsys.readouterr().out, "lr") == ["1", "9", "10"]


def test_runs_of_two_recipes_are_named_by_both_and_stand_ins_marked(capsys, undrawn):
    write_run("runs/lenet/1", config=settings(synthetic=True))
    write_run("runs/mlp/1", config=settings(synthetic=False))
    assert compare(["runs/lenet/1", "runs/mlp/1"]) == Path("runs/compare.png")
    text = capsys.readouterr().out
    assert "lenet/1 (synthetic)" in text
    assert "mlp/1 (synthetic)" not in text
    assert cells(text, "synthetic") == ["true", "false"]


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
    write_run("runs/wandb/6", config=settings(lr=6))
    compare(["runs"])
    assert cells(capsys.readouterr().out, "lr") == ["1", "2", "3", "4"]


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
        assert f"  {equal}" not in text


def test_how_runs_ended_and_on_what_is_shown_where_it_differs(capsys, undrawn):
    write_run("runs/lenet/1", record={**RECORD, "state": "failed"})
    other = {"device": "H100", "versions": {"torch": "3", "zoo": "1"}}
    write_run("runs/lenet/2", record={**RECORD, **other})
    compare(["runs/lenet"])
    text = capsys.readouterr().out
    assert cells(text, "state") == ["failed", "finished"]
    assert cells(text, "device") == ["cpu", "H100"]
    assert cells(text, "versions") == ["torch 2, zoo 1", "torch 3, zoo 1"]


def test_runs_that_differ_in_the_seed_alone_have_a_mean_and_a_spread(capsys, undrawn):
    write_seeds()
    compare(["runs/lenet"])
    single, _, text = capsys.readouterr().out.partition("over seeds")
    assert cells(single, "val/accuracy") == ["0.5000", "0.7000", "0.6000", "0.3000"]
    assert cells(text, "run") == ["1, 2, 3 (3 seeds)", "4"]
    assert cells(text, "val/accuracy") == ["0.6000 ± 0.1000", "0.3000"]
    assert cells(text, "val/loss, best") == ["0.4000 ± 0.1000", "0.7000 (1)"]
    assert cells(text, "epochs") == ["2", "1"]
    assert cells(text, "wall time") == ["10.0 s ± 10.0 s", "-"]


def test_means_alone_are_shown_where_they_are_asked_for(capsys, undrawn):
    write_seeds()
    compare(["runs/lenet"], seeds=True)
    text = capsys.readouterr().out
    assert cells(text, "val/accuracy") == ["0.6000 ± 0.1000", "0.3000"]
    assert cells(text, "lr") == ["0.1", "0.5"]
    assert cells(text, "seed") == ["0, 1, 2", "0"]


def test_a_seed_counts_once_by_its_longest_run(capsys, undrawn):
    write_seeds()
    write_run("runs/lenet/5", lines([0.9]), settings(seed=2))  # shorter than that which there is
    write_run("runs/lenet/6", lines([0.9, 0.9]), settings(seed=0))  # as long, and later
    compare(["runs/lenet"], seeds=True)
    text = capsys.readouterr().out
    assert cells(text, "run") == ["1", "2, 3, 6 (3 seeds)", "4", "5"]
    assert cells(text, "val/accuracy")[1] == "0.7333 ± 0.1528"
    assert cells(text, "seed")[1] == "0, 1, 2"


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
    with one_line(InputError, match=message):
        compare(["runs/lenet/1"])
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
