"""The live line of a run, and that of a sweep, on terminals of 80 and 200 columns."""

import os
import pty
import re
import subprocess
import sys
from io import StringIO
from types import SimpleNamespace

import pytest
from lightning.pytorch import Callback, Trainer
from rich.console import Console

from datamodules import FashionMNIST
from tests.cli.conftest import QUICK, RECIPE
from zoo.cli.main import main
from zoo.cli.report import plain_console
from zoo.cli.sweep.file import Metric
from zoo.cli.sweep.live import LiveTrials
from zoo.cli.sweep.study import Trial
from zoo.image_classification.softmax_regression import SoftmaxRegression
from zoo.training import live_line
from zoo.training.live_line import LiveLine, batches_left, clock, fitting

CONTROL = re.compile(r"\x1b\[[\d;?]*[A-Za-z]")


def drawn(text):
    """What stood in the line, one after the other, and what stays above it."""
    return [CONTROL.sub("", part).strip() for part in re.split(r"[\r\n]", text)]


def trained(monkeypatch, width, *callbacks, **options):
    """All that a run of epochs of eleven steps writes on a terminal."""
    monkeypatch.setattr(live_line, "PERIOD", 0.0)
    screen = StringIO()
    console = plain_console(file=screen, force_terminal=True, width=width, soft_wrap=True)
    trainer = Trainer(
        **{"max_epochs": 2, "limit_val_batches": 1, **options},
        limit_train_batches=11,
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_model_summary=False,
        callbacks=[LiveLine(console), *callbacks],
    )
    corpus = FashionMNIST(synthetic=True)
    model = SoftmaxRegression(in_features=corpus.in_features, num_classes=corpus.num_classes)
    trainer.fit(model, corpus)
    return screen.getvalue()


@pytest.mark.parametrize("width", [80, 200])
def test_the_line_says_how_far_the_whole_run_is(width, monkeypatch, capsys):
    lines = drawn(trained(monkeypatch, width))
    live = [line for line in lines if " left" in line]
    assert max(map(len, lines)) < width
    loss = "train/loss" if width == 200 else "(train/)?loss"
    pace = rf"{loss} \d\.\d{{4}}(  val/accuracy \d\.\d{{4}})?  [\d,.]+ rows/s  \d+:\d\d left"
    step = "step " if width == 200 else "(step )?"
    for epoch, done in ((1, 11), (2, 3)):
        pattern = rf"epoch {epoch}/2  {step}{done}/11  {pace}"
        (line,) = [line for line in live if re.fullmatch(pattern, line)]
        assert ("val/accuracy" in line) == (epoch == 2)
    assert any(re.fullmatch(r"epoch 1/2  validation 1/1  \d+:\d\d left", line) for line in live)
    assert "waiting for the first batch ..." in lines
    ends = [line for line in lines if line.startswith("epoch ") and line.endswith(" s")]
    assert [line.partition("  ")[0] for line in ends] == ["epoch 1/2", "epoch 2/2"]
    assert "  train/loss_epoch" in ends[0]


def test_the_line_goes_when_the_run_does(monkeypatch):
    class Broken(Callback):
        def on_train_batch_end(self, trainer, *rest):
            if trainer.global_step == 3:
                raise ZeroDivisionError

    screen = []
    monkeypatch.setattr(live_line.LiveLine, "close", lambda self: screen.append(self._live.stop()))
    with pytest.raises(ZeroDivisionError):
        trained(monkeypatch, 80, Broken())
    assert screen


def test_a_cursor_is_never_left_hidden(monkeypatch):
    text = trained(monkeypatch, 80, max_epochs=1)
    assert text.rfind("\x1b[?25h") > text.rfind("\x1b[?25l")
    assert drawn(text)[-1] == ""


def test_another_rank_shows_nothing():
    screen = StringIO()
    line = LiveLine(Console(file=screen, force_terminal=True, width=80))
    line.setup(SimpleNamespace(is_global_zero=False), None, "fit")
    line.say("reading")
    assert screen.getvalue() == ""


class Seen(Callback):
    """Notes how many batches are left after each."""

    def __init__(self):
        self.left = []

    def on_train_batch_end(self, trainer, *rest):
        self.left.append(batches_left(trainer))


@pytest.mark.parametrize(
    ("options", "first", "last"),
    [
        ({}, 21, 0),
        ({"max_steps": 15}, 14, 0),
        ({"max_steps": 15, "max_epochs": -1}, 14, 0),
        ({"max_epochs": 3, "accumulate_grad_batches": 4}, 32, 0),
    ],
    ids=str,
)
def test_what_is_left_is_that_of_the_whole_run(options, first, last, monkeypatch):
    seen = Seen()
    trained(monkeypatch, 80, seen, **options)
    assert (seen.left[0], seen.left[-1]) == (first, last)
    assert seen.left == sorted(seen.left, reverse=True)


def test_of_a_run_without_an_end_nothing_is_left(monkeypatch):
    trainer = SimpleNamespace(max_epochs=-1, max_steps=-1, num_training_batches=10)
    assert batches_left(trainer) == float("inf")
    text = trained(monkeypatch, 80, max_time="00:00:00:30", max_epochs=1)
    assert re.search(r"0:\d\d left", text)


def test_narrow_lines_have_fewer_words_and_keep_their_end():
    parts = ("epoch 3/10", "step 120/215", "train/loss 0.4321", "val/accuracy 0.8712")
    parts += ("12,345 rows/s", "2:10 left")
    assert fitting(parts, 200) == "  ".join(parts)
    for width in range(20, 100):
        line = fitting(parts, width)
        assert len(line) <= width
        assert line.startswith("epoch 3/10")
        assert line.endswith("2:10 left") or width < 21
    assert fitting(parts, 79).split("  ")[2:5] == [
        *("loss 0.4321", "val/accuracy 0.8712", "12,345 rows/s")
    ]


def test_the_line_of_an_epoch_is_one_line():
    line = LiveLine(Console(file=StringIO(), force_terminal=True, width=80)).line
    parts = ["epoch 10/100", "train/loss_epoch 2.2364", "val/accuracy 0.2940", "val/loss 2.0993"]
    assert line(parts) == "  ".join(parts)
    shorter = [parts[0], "train/loss 2.2364", *parts[2:], "10.5 s"]
    assert line([*parts, "10.5 s"]) == "  ".join(shorter)


def test_times_are_those_of_a_clock():
    assert [clock(s) for s in (0, 7.4, 60, 750, 3599.6, 11045)] == [
        *("0:00", "0:07", "1:00", "12:30", "1:00:00", "3:04:05")
    ]


@pytest.mark.parametrize("name", ["TQDMProgressBar", "RichProgressBar"])
def test_a_bar_of_the_users_own_is_the_one(name, capsys):
    options = [*QUICK, "--trainer.limit_train_batches", "2", "--trainer.callbacks", name]
    assert main(["fit", RECIPE, *options]) == 0
    assert "epoch 1/1" not in capsys.readouterr().out


@pytest.mark.parametrize("width", [80, 200])
def test_a_sweep_shows_the_trials_that_run(width, monkeypatch):
    screen = StringIO()
    console = plain_console(file=screen, force_terminal=True, width=width)
    trials = [
        Trial(1, {"model.lr": 0.1, "data.batch_size": 64}, "finished", [0.5, 0.75, 0.625], 3, 30.0),
        Trial(2, {"model.lr": 0.2, "data.batch_size": 64}, "running", [0.25, 0.125], 2, 12.0),
        Trial(3, {"model.lr": 0.3, "data.batch_size": 64}, "running"),
    ]
    study = SimpleNamespace(total=12, trials=trials)
    names = {"model.lr": "lr", "data.batch_size": "batch_size"}
    metric = Metric("val/accuracy", True)
    with LiveTrials(console, study, metric, names, 3, 2) as live:
        live.look(trials[2:0:-1])
        live.look(trials[:1])  # not yet due
    lines = [line for line in drawn(screen.getvalue()) if line]
    assert [line.split() for line in lines[:3]] == [
        ["trial", "lr", "batch_size", "epoch", "val/accuracy", "best", "time"],
        ["2/12", "0.2", "64", "2/3", "0.1250", "0.2500", "12.0", "s"],
        ["3/12", "0.3", "64", "0/3", "-", "-", "0.0", "s"],
    ]
    # Eleven of 30 seconds each, but for 12 that are done, two at a time.
    assert lines[3] == "1 of 12 ended  best val/accuracy 0.7500 (trial 1)  2 min 39 s left"
    quiet = Console(file=StringIO())
    with LiveTrials(quiet, study, metric, names, 3, 2) as live:
        live.look(trials)
    assert quiet.file.getvalue() == ""


def test_a_run_in_a_terminal_says_what_it_waits_for():
    main_end, other_end = pty.openpty()
    options = ["--trainer.max_epochs", "12", *(QUICK[i] for i in (0, 1, 4, 5))]
    process = subprocess.Popen(
        [sys.executable, "-m", "zoo.cli", "fit", RECIPE, *options],
        stdin=other_end,
        stdout=other_end,
        stderr=other_end,
        env={**os.environ, "COLUMNS": "80", "TERM": "xterm-256color"},
    )
    os.close(other_end)
    content = b""
    while True:
        try:
            more = os.read(main_end, 1 << 16)
        except OSError:  # the other end is closed
            break
        content += more
    os.close(main_end)
    assert process.wait(60) == 0, content
    lines = drawn(content.decode())
    waits = [line for line in lines if line.endswith(" ...")]
    assert list(dict.fromkeys(waits))[:3] == [
        "loading torch and Lightning ...",
        "building SoftmaxRegression on FashionMNIST ...",
        "reading FashionMNIST ...",
    ]
    assert any(re.search(r"^epoch \d+/12  .* rows/s  0:\d\d left$", line) for line in lines)
    assert sum(bool(re.search(r"^epoch \d+/12  .* s$", line)) for line in lines) == 12
    assert content.rfind(b"\x1b[?25h") > content.rfind(b"\x1b[?25l")
