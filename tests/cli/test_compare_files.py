"""compare: CSV and Markdown, written together or not at all."""

import csv
import os
from pathlib import Path

import pytest

from tests.cli.conftest import RECORD, lines, settings, write_run, write_seeds
from tests.conftest import fails
from zoo.cli.compare_runs import compare
from zoo.errors import InputError

pytestmark = pytest.mark.usefixtures("wide")


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

    def _full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", _full)
    with pytest.raises(InputError, match=r"^a.csv: cannot be written \(No space"):
        compare(["runs"], files={"csv": Path("a.csv")})
    assert Path("a.csv").read_bytes() == b"old"
    assert sorted(path.name for path in Path().iterdir()) == ["a.csv", "runs"]
    assert not Path("runs/lenet/compare.png").exists()
