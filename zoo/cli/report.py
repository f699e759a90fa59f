"""Reports of a run: what was measured, where its files are, and the next commands."""

import os
import shlex
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, TypeVar

from rich.cells import cell_len, set_cell_size
from rich.console import Console, ConsoleOptions, RenderResult
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from zoo.catalogue import OWN, owner, trusted
from zoo.cli.overlays import added_by
from zoo.files import write_json
from zoo.runs.rounding import rounded

T = TypeVar("T")
WIDEST, NARROWEST = 10_000, 16  # cells


def plain_console(**options: Any) -> Console:
    """Returns a console that prints texts as they are: a path or a label may look like markup."""
    return Console(highlight=False, markup=False, emoji=False, **options)


def print_table(table: Table) -> None:
    """Prints a table: on a terminal as wide as that, else as wide as its cells."""
    wide = {} if sys.stdout.isatty() else {"width": WIDEST}
    plain_console(**wide).print(table)


@dataclass(frozen=True)
class Middle:
    """A text of a table that loses its middle where there is no room: a path keeps its name."""

    text: str

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        length = cell_len(self.text)
        return Measurement(min(length, NARROWEST), length).with_maximum(options.max_width)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield Text(shortened(self.text, options.max_width), no_wrap=True, end="")


def shortened(text: str, width: int) -> str:
    """Returns a text of at most `width` cells: what is too long has an ellipsis in its middle."""
    if cell_len(text) <= width:
        return text
    head = set_cell_size(text, max(0, (width - 1) // 3)).rstrip()
    tail = text[-1:]
    while cell_len(head) + 1 + cell_len(text[-len(tail) - 1 :]) <= width:
        tail = text[-len(tail) - 1 :]
    return f"{head}…{tail}"


def ends(rows: Sequence[T], most: int) -> list[T | None]:
    """Returns the first and the last of many rows, and None for those between."""
    if len(rows) <= most:
        return list(rows)
    return [*rows[: most // 2], None, *rows[len(rows) - most // 2 :]]


def counted(number: int, unit: str) -> str:
    """Returns a number of units: 1 epoch, 2 epochs."""
    return f"{number:,} {unit}{'s' * (number != 1)}"


@contextmanager
def waiting(text: str) -> Iterator[None]:
    """Says on a terminal what is waited for, as long as it takes; the first process alone."""
    ranks = (os.environ.get(name, "0") for name in ("RANK", "LOCAL_RANK", "SLURM_PROCID"))
    if not sys.stdout.isatty() or any(rank != "0" for rank in ranks):
        yield
        return
    print(f"\r{text} ...\x1b[K", end="", flush=True)
    try:
        yield
    finally:
        print("\r\x1b[K", end="", flush=True)


def described(corpus: Any) -> str:
    """Returns what was read of a corpus, or the name of one that does not say."""
    return getattr(corpus, "described", type(corpus).__name__)


def say_unwritten(cli: Any) -> None:
    """Says what callbacks could not write: pictures, texts, run.json."""
    failures = (getattr(callback, "failure", "") for callback in cli.trainer.callbacks)
    for line in dict.fromkeys(filter(None, failures)):
        print(f"zoo: {line}", file=sys.stderr)


def report_profile(profiler: Any, console: Console) -> None:
    """Prints where the time of a step went, and writes that beside the trace."""
    report = profiler.report()
    if not report:
        console.print("profile:  of a run of a single step there is none", soft_wrap=True)
        return
    (profiler.folder / "report.txt").write_text(f"{report}\n", encoding="utf-8")
    console.print(f"\n{report}\n", soft_wrap=True)
    where = f"{profiler.folder / 'report.txt'} and trace.json.gz, for https://ui.perfetto.dev"
    console.print(f"profile:  {where}", soft_wrap=True)


def best_of(trainer: Any) -> Any:
    """Returns the callback that keeps the best checkpoint: the zoo's before one of the user's."""
    from zoo.checkpoints.best_checkpoint import BestCheckpoint  # torch

    own = (each for each in trainer.checkpoint_callbacks if isinstance(each, BestCheckpoint))
    return next(own, trainer.checkpoint_callback)


def report_fit(cli: Any, run: Path, console: Console) -> None:
    """Prints what a run measured, where its files are, and the commands that use them."""
    trainer = cli.trainer
    metrics = {name: float(value) for name, value in trainer.callback_metrics.items()}
    length = counted(trainer.current_epoch, "epoch")
    title = f"{cli.experiment.name}, {length}: {described(cli.datamodule)}"
    print_metrics(console, title, metrics)
    saved = best_of(trainer)
    best = getattr(saved, "best_model_path", "")
    lines = [f"run:      {run}"]
    if (run / "pictures").exists():
        lines.append(f"pictures: {run / 'pictures'}")
    last = run / "checkpoints" / "last.ckpt"
    path = best or (str(last) if last.is_file() else "")  # the last alone: nothing was validated
    if path:
        score = getattr(saved, "best_model_score", None)
        measured = f"  ({saved.monitor} {rounded(float(score))})" if score is not None else ""
        path = os.path.relpath(path) if not run.is_absolute() else path
        lines.append(f"{'best' if best else 'last'}:     {path}{measured}")
        commands = [*_uses(cli, path), f"zoo compare {shlex.quote(str(run.parent))}"]
        lines += [f"{'' if index else 'next:':<10}{line}" for index, line in enumerate(commands)]
    console.print("\n".join(lines), soft_wrap=True)


def _uses(cli: Any, checkpoint: str) -> Iterator[str]:
    """Yields the commands that use a checkpoint."""
    model, corpus = cli.model, cli.datamodule
    paths = [f"{type(each).__module__}.{type(each).__qualname__}" for each in (model, corpus)]
    packages = dict.fromkeys(p.partition(".")[0] for p in paths if not owner(p, trusted()))
    allowed = [f" --allow {package}" for package in packages if package not in OWN]
    options = f"--ckpt_path {shlex.quote(checkpoint)}{''.join(allowed)}"
    places = "".join(f" --data.{name} {shlex.quote(value)}" for name, value in _places(cli))
    if "test" in getattr(corpus, "splits", ("test",)):
        yield f"zoo test {options}{places}"
    elif getattr(corpus, "holds_out", True):
        yield f"zoo validate {options}{places}"
    inputs = getattr(model, "predicts", getattr(corpus, "predicts", None))
    if inputs is not None:
        yield f"zoo predict {options} {inputs}".rstrip()


def _places(cli: Any) -> Iterator[tuple[str, str]]:
    """Yields the arguments of a corpus that were given and that checkpoints do not keep: paths."""
    from datamodules.corpus import Corpus  # torch

    given = cli.config.data.init_args if isinstance(cli.datamodule, Corpus) else {}
    for name, value in given.items():
        if value is not None and name not in (*cli.datamodule.hparams, "root", "synthetic"):
            yield name, str(value)


def report_changes(cli: Any, begun: dict[str, Any], console: Console) -> None:
    """Prints in which settings a run differs from the one whose checkpoint it goes on from."""
    from zoo.checkpoints.checkpoint import corpus_state  # torch
    from zoo.training.resuming import ANY_TIME

    run = begun["zoo"].get("run")
    if not run:
        return
    trainer, corpus = cli.trainer, corpus_state(begun) or {}
    before = {
        "seed_everything": run["seed"],
        "trainer.accumulate_grad_batches": run["accumulated"],
        "number of processes": run["processes"],
        **_settings("model", begun.get("hyper_parameters", {})),
        **_settings("data", corpus.get("arguments", {})),
    }
    now = {
        "seed_everything": int(os.environ.get("PL_GLOBAL_SEED", "0")),
        "trainer.accumulate_grad_batches": trainer.accumulate_grad_batches,
        "number of processes": trainer.world_size,
        **_settings("model", cli.model.hparams),
        **_settings("data", cli.datamodule.hparams),
    }
    changes = [
        f"{name} {value} -> {now[name]}"
        for name, value in before.items()
        if name in now and now[name] != value and name.rpartition(".")[2] not in ANY_TIME
    ]
    had, has = set(begun["callbacks"]), {c.state_key for c in trainer.callbacks if c.state_dict()}
    changes += [f"without {added_by(key.partition('{')[0])}" for key in sorted(had - has)]
    changes += [f"with {added_by(key.partition('{')[0])}" for key in sorted(has - had)]
    if changes:
        console.print(f"other settings than before: {', '.join(changes)}", soft_wrap=True)


def _settings(name: str, value: Any) -> dict[str, Any]:
    """Returns nested settings by dotted names; a class by its own, its arguments below it."""
    if not isinstance(value, Mapping):
        return {name: list(value) if isinstance(value, tuple) else value}
    if "class_path" in value:
        chosen = value["class_path"].rpartition(".")[2]
        return {**_settings(name, value.get("init_args") or {}), name: chosen}
    found: dict[str, Any] = {}
    for key, each in value.items():
        found |= {} if key.startswith("_") else _settings(f"{name}.{key}", each)
    return found


def print_metrics(console: Console, title: str, metrics: Any) -> None:
    """Prints a table of metrics by name."""
    console.print(title, soft_wrap=True)
    table = Table()
    table.add_column("metric")
    table.add_column("value", justify="right")
    for name in sorted(metrics):
        table.add_row(name, rounded(float(metrics[name])))
    console.print(table)


def report_evaluation(
    cli: Any, path: Path, checkpoint: dict[str, Any], metrics: Any, run: Path | None
) -> None:
    """Prints what a checkpoint measures; of a test also writes test.json into the run folder.

    Args:
        cli: The ZooCLI that measured.
        path: Path of the checkpoint.
        checkpoint: Its content.
        metrics: Values by name.
        run: The run folder, if it is a test of a run.
    """
    console, corpus = plain_console(), cli.datamodule
    measured = {name.rpartition("/")[2] for name in metrics}
    signatures = getattr(cli.model, "signatures", {})
    signatures = {name: how for name, how in signatures.items() if name in measured}
    print_metrics(console, f"{path}: {described(corpus)}", metrics)
    for name, signature in signatures.items():
        console.print(f"{name + ':':<9} {signature}", soft_wrap=True)
    if run:
        record = {
            "metrics": {name: float(value) for name, value in metrics.items()},
            "signatures": signatures,
            "checkpoint": path.name,
            "epoch": checkpoint["epoch"] + 1,
            "corpus": described(corpus),
            "synthetic": getattr(corpus, "synthetic", False),
            "date": date.today().isoformat(),
        }
        write_json(run / "test.json", record)
        if (run / "pictures").is_dir():
            console.print(f"pictures: {run / 'pictures'}", soft_wrap=True)
        console.print(f"next:     zoo compare {shlex.quote(str(run))}", soft_wrap=True)
