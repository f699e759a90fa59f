"""Trains and tests recipes in processes of their own, and reads what they leave."""

import json
import signal
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path
from time import monotonic, sleep
from typing import Any

from scripts.machine import processor
from scripts.results.records import Result, commit, digest
from scripts.results.rows import Row
from scripts.results.words import counted
from zoo.catalogue import corpora, definitions, imported, recipes
from zoo.cli.names import class_path
from zoo.errors import InputError
from zoo.runs.history import Line, read

TRAIN = (sys.executable, "-m", "zoo.cli.trial")  # zoo, in the folder that it is given
ZOO = (sys.executable, "-m", "zoo.cli")
STOPPED = (128 + signal.SIGTERM, -signal.SIGTERM)  # with what was done saved; before any was
LOOK = 0.5  # seconds between two looks at a training
QUIET = ("--wandb", "disabled", "--trainer.enable_progress_bar", "false")


class OutOfTimeError(Exception):
    """The budget is used up; the run has been saved and goes on the next time."""


@dataclass(frozen=True)
class Measurer:
    """Measures rows.

    Attributes:
        folder: Where the run folders go: `<folder>/<recipe and options>/<seed>`.
        end: When to stop, by `time.monotonic()`; infinity where it does not matter.
    """

    folder: Path
    end: float

    def measure(self, row: Row, seed: int) -> Result:
        """Trains, and tests where the corpus has a test, one run of a row.

        Raises:
            OutOfTimeError: See there.
            InputError: A command failed; says which, and what its last line was.
        """
        if row.folds:
            return self._cross_validate(row, seed)
        run = self.fit(row, seed)
        tested = self._test(row, run) if has_test(row.recipe) else {}
        record, history = _read(run / "run.json"), read(run, run.name)
        lines = history.lines
        metrics: dict[str, float] = {}
        for line in lines:
            metrics |= {k: v for k, v in line.items() if k.startswith(("train/", "val/"))}
        metrics |= extremes(row, lines) | weights_of(row.recipe, run / "checkpoints" / "last.ckpt")
        kind = _kind(row.recipe, synthetic=bool(history.marks))
        found: dict[str, Any] = {"metrics": metrics, "tested": tested}
        return self._result(row, seed, kind, record, **found, steps=int(lines[-1]["step"]) + 1)

    def run(self, row: Row, seed: int) -> Path:
        """The folder of a run: of the recipe, and of its options as a file may be called."""
        options = "_".join(option.lstrip("-") for option in row.options)
        name = "".join(c if c.isalnum() or c in "=.,_-" else "" for c in options)
        return self.folder / "+".join(part for part in (row.recipe, name) if part) / str(seed)

    def fit(self, row: Row, seed: int) -> Path:
        """Trains a run of a row, or goes on with it, unless it is finished; returns its folder.

        Raises:
            OutOfTimeError: See there.
            InputError: The command failed; says how.
        """
        run = self.run(row, seed)
        # The recipe may have changed since, or the corpus have come.
        stamp, settings = run.with_name(f"{seed}.settings"), self._stamp(row)
        same = stamp.is_file() and stamp.read_text("utf-8") == settings
        if not same or _state(run) != "finished":
            last = run / "checkpoints" / "last.ckpt"
            goes_on = ["--ckpt_path", str(last)] if same and last.is_file() else []
            options = [*self._options(row, seed), *QUIET, *goes_on]
            run.parent.mkdir(parents=True, exist_ok=True)
            stamp.write_text(settings, encoding="utf-8")
            self.do([*TRAIN, str(run.absolute()), "fit", row.recipe, *options], run, self.end)
        return run

    def _stamp(self, row: Row) -> str:
        """Of what a run is made, beside its name."""
        return f"{digest(row.recipe)} {kind_of(row.recipe)}"

    def _options(self, row: Row, seed: int) -> list[str]:
        """Of the training."""
        options = [*row.options, f"--seed_everything={seed}", *self._after(row, "fit")]
        stands_in = kind_of(row.recipe) == "synthetic" and "--data.synthetic=true" not in options
        return [*options, *["--data.synthetic=true"] * stands_in]

    def _after(self, row: Row, verb: str) -> list[str]:
        """The option for a verb that names the checkpoint of the run before, which is trained."""
        if row.after is None or row.after.of != verb:
            return []
        run = self.fit(row.after.row, 0)
        return [f"{row.after.option}={run / 'checkpoints' / 'best.ckpt'}"]

    def _test(self, row: Row, run: Path) -> dict[str, Any]:
        path = run / "checkpoints" / f"{row.checkpoint}.ckpt"
        self.do([*ZOO, "test", "--ckpt_path", str(path), *self._after(row, "test")], run)
        record = _read(run / "test.json")
        return {key: record[key] for key in ("checkpoint", "epoch", "metrics")}

    def _cross_validate(self, row: Row, seed: int) -> Result:
        run = self.run(row, seed)
        options = ["--runs", str(run), "--folds", str(row.folds), *self._options(row, seed)]
        begun = monotonic()
        self.do([*ZOO, "cross-validate", row.recipe, *options, *QUIET], run, self.end)
        folds = max((run / row.recipe).iterdir(), key=lambda path: path.stat().st_mtime)
        found = _read(folds / "cross_validation.json")
        runs = [path.parent for path in folds.glob("fold-*/run.json")]
        records = [_read(fold / "run.json") for fold in runs]
        rows, seconds = (
            sum(record[name] for record in records) for name in ("train_rows", "train_seconds")
        )
        mean = {"seconds": monotonic() - begun, "rows_per_second": rows / seconds}
        record = records[0] | mean | {name: found[name] for name in ("corpus", "epochs")}
        steps = max(int(read(fold, "").lines[-1]["step"]) for fold in runs) + 1
        kind = _kind(row.recipe, synthetic=found["synthetic"])
        given: dict[str, Any] = {"metrics": found["mean"], "tested": {}, "steps": steps}
        return self._result(row, seed, kind, record, **given)

    def do(self, command: Sequence[str], run: Path, until: float = float("inf")) -> None:
        """Runs a command; ends it when the time is up, after it has saved.

        Raises:
            OutOfTimeError: See there.
            InputError: It failed; says how, and where its log is.
        """
        run.parent.mkdir(parents=True, exist_ok=True)
        log = run.parent / f"{run.name}.log"
        with log.open("ab") as output:
            process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)
        signalled = False
        try:
            while process.poll() is None:
                sleep(LOOK)
                if not signalled and monotonic() > until:
                    process.send_signal(signal.SIGTERM)
                    signalled = True
        except BaseException:
            with suppress(ProcessLookupError):
                process.send_signal(signal.SIGTERM)
            process.wait()
            raise
        if signalled and process.returncode in STOPPED:
            raise OutOfTimeError
        if process.returncode:
            said = log.read_text(encoding="utf-8", errors="replace").strip()
            last = said.rpartition("\n")[2].removeprefix("zoo: ")
            raise InputError(f"{run.name}: exit {process.returncode}: {last} ({log})")

    def _result(
        self, row: Row, seed: int, kind: str, record: dict[str, Any], **found: Any
    ) -> Result:
        """Returns the result of a run by its record; the rest are metrics, tested and steps."""
        machine = processor() if record["device"] == "cpu" else record["device"]
        names = ("corpus", "epochs", "rows_per_second", "peak_memory_bytes", "versions")
        return Result(
            recipe=row.recipe,
            options=list(row.options),
            seed=seed,
            settings=digest(row.recipe),
            kind=kind,
            date=date.today().isoformat(),
            commit=commit(),
            machine=f"{machine}, {counted(record['threads'], 'thread')}",
            seconds=round(record["seconds"], 1),
            **{name: record[name] for name in names},
            **found,
        )


def _read(path: Path) -> dict[str, Any]:
    return dict(json.loads(path.read_text(encoding="utf-8")))


def _state(run: Path) -> str:
    with suppress(OSError, ValueError):
        return str(_read(run / "run.json").get("state"))
    return ""


@cache
def kind_of(recipe: str) -> str:
    """Of the corpus as it lies here: real, generated by nature, or synthetic for want of it."""
    return _kind(recipe, synthetic=not _corpus(recipe).files_exist)


def _kind(recipe: str, *, synthetic: bool) -> str:
    """The kind of a corpus of which there is a stand-in; none stands in for what is generated."""
    source = definitions()[recipes()[recipe].config["data"]["class_path"]].header["Source"]
    return "generated" if source.startswith("generated") else "synthetic" if synthetic else "real"


def has_test(recipe: str) -> bool:
    """Whether the corpus of a recipe has test rows with their answers."""
    return "test" in _corpus(recipe).splits


def _corpus(recipe: str) -> Any:
    """The corpus of a recipe; nothing is read."""
    data = recipes()[recipe].config["data"]
    path = class_path("corpus", data["class_path"], corpora)
    return imported(path)(**data.get("init_args", {}))


def extremes(row: Row, lines: Sequence[Line]) -> dict[str, float]:
    """What a row asks of all epochs: `val/loss most` and `val/loss least`."""
    found = {}
    for name in {*row.figures, *(row.bar if isinstance(row.bar, dict) else ())}:
        metric, _, which = name.partition(" ")
        values = [line[metric] for line in lines if metric in line]
        if which and values:
            found[name] = {"most": max, "least": min}[which](values)
    return found


def weights_of(recipe: str, path: Path) -> dict[str, float]:
    """Of a linear model: the norm of its weights, and their largest error where the rule is known.

    The bias counts as a weight of the rule, not of the norm.
    """
    from zoo.checkpoints.checkpoint import read as read_checkpoint

    state = read_checkpoint(path)["state_dict"]
    matrix = state.get("linear.weight")
    if matrix is None or len(matrix) != 1:  # of several outputs
        return {}
    weights, bias = matrix.flatten(), float(state["linear.bias"])
    found = {"weights/norm": float(weights.norm())}
    corpus = _corpus(recipe)
    if hasattr(corpus, "weights") and hasattr(corpus, "bias"):
        errors = [abs(float(w) - true) for w, true in zip(weights, corpus.weights, strict=True)]
        found["weights/error"] = max(*errors, abs(bias - corpus.bias))
    return found
