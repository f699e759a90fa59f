"""compare on a screen: which runs, which columns, in which order, and what is left out."""

import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.cli.conftest import RECORD, cells, lines, settings, write_run
from tests.conftest import fails
from zoo.catalogue import recipes
from zoo.cli.compare_runs import compare
from zoo.cli.main import main

FAMILIES = (
    *("alexnet_small-fashion_mnist", "bag_of_embeddings-imdb", "dcgan-pokemon", "gru-time_machine"),
    *("bidirectional_tagger-word_boundaries", "linear_regression-house_prices", "ssd-pikachu"),
    *("surface-gradient_noise", "transformer-fra_eng", "cbow-penn_treebank_windows"),
)


def write_families(number, root="runs"):
    """Runs of ten families, in turn; each has another rate, batch size and seed."""
    for index in range(number):
        name = FAMILIES[index % 10]
        config = settings(lr=10 ** -(1 + index // 10 % 3), batch_size=2 << index // 30, seed=index)
        for group in ("model", "data"):
            config[group]["class_path"] = recipes()[name].config[group]["class_path"]
        started = f"2026-01-{1 + index // 20:02}T00:{index % 20:02}:00+00:00"
        accuracy = (index * 37 % 100) / 100
        rows, record = lines([accuracy / 2, accuracy]), {**RECORD, "started": started}
        write_run(f"{root}/{name}/{1 + index // 10}", rows, config, record=record)


def seen(columns, *argv):
    """What a command writes on a terminal."""
    main_end, other_end = pty.openpty()
    environment = {**os.environ, "COLUMNS": str(columns), "LINES": "24", "TERM": "xterm-256color"}
    process = subprocess.Popen(
        [sys.executable, "-m", "zoo.cli", *argv],
        stdin=other_end,
        stdout=other_end,
        stderr=other_end,
        env=environment,
    )
    os.close(other_end)
    text = b""
    while True:
        try:
            more = os.read(main_end, 1 << 16)
        except OSError:  # the other end is closed
            more = b""
        if not more:
            break
        text += more
    os.close(main_end)
    assert process.wait(60) == 0, text
    return re.sub(r"\x1b\[[\d;]*m", "", text.decode()).replace("\r\n", "\n").splitlines()


@pytest.mark.parametrize("columns", [80, 200])
def test_thirty_runs_of_ten_families_fit_on_a_screen(columns):
    write_families(30)
    found = seen(columns, "compare", "runs")
    assert len(found) < 60
    assert max(map(len, found)) <= columns
    names = {f"{name}/{number}" for name in FAMILIES for number in (1, 2, 3)}
    if columns == 200:
        assert {line.partition("  ")[0] for line in found} > names
        assert all("peak memory" in line for line in found if " val/accuracy " in line)
    headers = [line for line in found if " val/accuracy " in line]
    assert len(headers) == 10
    for header in headers:
        assert re.search(r" (lr|seed) .* val/accuracy  best \(epoch\)", header)
    assert sum(bool(re.search(r"/\d  .* 0\.\d{4} ", line)) for line in found) == 30


def test_of_many_runs_the_newest_of_each_family_are_shown(capsys):
    write_families(120)
    assert compare(["runs"]) is None
    text = capsys.readouterr().out
    assert len(text.splitlines()) < 60
    assert "ssd-pikachu/12 " in text
    assert "ssd-pikachu/1 " not in text
    assert text.count("... and 10 earlier") == 10
    assert "100 more runs" in text
    assert not Path("runs/compare.png").exists()
    assert compare(["runs"], Path("asked.png"), last=3) == Path("asked.png")


@pytest.mark.usefixtures("wide", "undrawn")
class TestChoice:
    def test_only_columns_that_differ_within_a_family_are_shown(self, capsys):
        write_families(10)
        for number, lr in ((2, 0.5), (3, 0.1)):
            config = yaml.safe_load(Path("runs/ssd-pikachu/1/config.yaml").read_text())
            config["model"]["init_args"]["optimizer"]["init_args"]["lr"] = lr
            write_run(f"runs/ssd-pikachu/{number}", config=config)
        compare(["runs"])
        text = capsys.readouterr().out
        assert cells(text, "lr") == ["0.1", "0.5", "0.1"]
        for other in ("model", "data", "seed", "batch_size"):
            assert not re.search(rf"  {other}(  |$)", text, re.MULTILINE)

    def test_runs_are_filtered_by_settings(self, capsys):
        write_families(30)
        compare(["runs"], filters=["lr=1e-1"])
        assert capsys.readouterr().out.startswith("runs: 10 runs\n")
        compare(["runs"], filters=["model=SSD", "seed=6"])
        assert "runs/ssd-pikachu" not in (text := capsys.readouterr().out)
        assert "ssd-pikachu/1" in text
        compare(["runs"], filters=["model=*RU", "model.optimizer.lr=0.01", "state=finished"])
        assert "gru-time_machine/2" in capsys.readouterr().out

    def test_runs_are_sorted_the_best_first(self, capsys):
        for number, (lr, accuracy) in enumerate([(0.1, 0.5), (1, 0.9), (0.01, 0.7)], 1):
            rows = lines([accuracy, 0.1], losses=[1 - accuracy, 2])
            write_run(f"runs/lenet/{number}", rows, settings(lr=lr))
        write_run("runs/lenet/4", [{"epoch": 0, "step": 0, "train/loss": 1}])
        for key in ("accuracy", "val/accuracy", "loss"):
            compare(["runs"], sort=key)
            assert cells(capsys.readouterr().out, "run") == ["2", "3", "1", "4"]
        compare(["runs"], sort="lr", filters=["run=[123]"])
        assert cells(capsys.readouterr().out, "lr") == ["0.01", "0.1", "1"]

    def test_the_last_are_those_that_began_last(self, capsys):
        days = {1: "2026-03-01", 2: "2026-01-01", 3: "2026-02-01"}
        for number, day in days.items():
            started = f"{day}T00:00:00+00:00"
            write_run(f"runs/lenet/{number}", record={**RECORD, "started": started})
        compare(["runs"], last=2)
        assert cells(capsys.readouterr().out, "run") == ["1", "3"]

    def test_metrics_are_chosen(self, capsys):
        write_run("runs/lenet/1", test={"test/accuracy": 0.25})
        compare(["runs"], metrics=["accuracy"], files={"csv": Path("a.csv")})
        header = capsys.readouterr().out.splitlines()[1].split()
        assert header[1:] == [
            *("val/accuracy", "best", "(epoch)", "test/accuracy", "train/accuracy")
        ]
        assert "loss" not in Path("a.csv").read_text()
        compare(["runs"], metrics=["val/loss", "test/accuracy"])
        header = capsys.readouterr().out.splitlines()[1].split()
        assert header[1:] == ["val/loss", "best", "(epoch)", "test/accuracy"]

    def test_runs_are_grouped_by_a_setting(self, capsys):
        for number, (lr, batch_size, accuracy) in enumerate(
            [(0.1, 64, 0.5), (0.1, 256, 0.7), (0.2, 64, 0.3)], 1
        ):
            write_run(f"runs/lenet/{number}", lines([accuracy]), settings(lr, batch_size))
        compare(["runs"], group="lr", files={"csv": Path("a.csv")})
        text = capsys.readouterr().out
        assert cells(text, "run") == ["lr 0.1 (2 runs)", "lr 0.2 (1 run)"]
        assert cells(text, "val/accuracy") == ["0.6000 ± 0.1414", "0.3000"]
        assert "lr 0.1 (2 runs)" in Path("a.csv").read_text()
        compare(["runs"], group="lr,batch_size")
        assert len(cells(capsys.readouterr().out, "run")) == 3

    def test_a_damaged_run_is_named_and_left_out(self, capsys):
        for number in (1, 2, 3):
            write_run(f"runs/lenet/{number}")
        Path("runs/lenet/2/metrics.csv").write_text("epoch,step,val/loss\n0,9,1\n0,19\n")
        assert main(["compare", "runs"]) == 0
        captured = capsys.readouterr()
        assert cells(captured.out, "run") == ["1", "3"]
        (line,) = captured.err.splitlines()
        assert line.startswith("zoo: left out: runs/lenet/2/metrics.csv: cannot be read (line 3")

    def test_of_damaged_runs_alone_there_is_one_line(self, capsys):
        for number in (1, 2):
            (write_run(f"runs/lenet/{number}") / "config.yaml").write_text("[")
        line = fails(capsys, "compare", "runs")
        assert line.startswith("zoo: runs/lenet/1/config.yaml: cannot be read")
        assert line.endswith("; nor can 1 others be read")

    @pytest.mark.parametrize(
        ("options", "said"),
        [
            (["--filter", "lr"], "--filter lr: wanted KEY=VALUE"),
            (["--filter", "learn=1"], "--filter learn: no run has that"),
            (["--filter", "batch_sise=1"], "(did you mean batch_size?)"),
            (["--filter", "lr=7"], "--filter lr=7: no such run; there are: 0.1, 0.2"),
            (["--filter", "model=Lenet"], "no such run; there are: LeNet"),
            (["--sort", "accurracy"], "--sort accurracy: no run has that"),
            (["--metric", "val/acuracy"], "(did you mean val/accuracy?)"),
            (["--group", "lrr"], "--group lrr: no run has that"),
            (["--last", "0"], "--last must be at least 1, not 0"),
        ],
    )
    def test_what_no_run_has_is_one_line(self, options, said, capsys):
        write_run("runs/lenet/1")
        write_run("runs/lenet/2", config=settings(lr=0.2))
        assert said in fails(capsys, "compare", "runs", *options)


def test_of_many_runs_no_picture_is_made_whose_library_takes_long():
    write_families(70)
    code = (
        "import sys; from zoo.cli.main import main; main(['compare', 'runs']);"
        "print([m for m in ('torch', 'matplotlib', 'pandas') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
