"""What is printed after a run, and kept of a test."""

import os
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from zoo.files import write_json
from zoo.runs.rounding import rounded


def _report_profile(profiler: Any, console: Console) -> None:
    """Prints the report, and keeps it beside the trace."""
    report = profiler.report()
    if not report:
        console.print("profile:  of a run of a single step there is none", soft_wrap=True)
        return
    (profiler.folder / "report.txt").write_text(f"{report}\n", encoding="utf-8")
    console.print(f"\n{report}\n", markup=False, soft_wrap=True)
    where = f"{profiler.folder / 'report.txt'} and trace.json.gz, for https://ui.perfetto.dev"
    console.print(f"profile:  {where}", soft_wrap=True)


def _report_fit(cli: Any, run: Path, console: Console) -> None:
    trainer = cli.trainer
    metrics = {name: float(value) for name, value in trainer.callback_metrics.items()}
    title = f"{cli.experiment.name}, {trainer.current_epoch} epochs: {cli.datamodule.described}"
    _print_metrics(console, title, metrics)
    saved = trainer.checkpoint_callback
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
        commands = [*_uses(cli.model, cli.datamodule, path), f"zoo compare {run.parent}"]
        lines += [f"{'' if index else 'next:':<10}{line}" for index, line in enumerate(commands)]
    console.print("\n".join(lines), soft_wrap=True)


def _uses(model: Any, corpus: Any, checkpoint: str) -> Iterator[str]:
    """The commands that make something of a checkpoint."""
    if "test" in getattr(corpus, "splits", ("test",)):
        yield f"zoo test --ckpt_path {checkpoint}"
    elif corpus.holds_out:
        yield f"zoo validate --ckpt_path {checkpoint}"
    inputs = getattr(model, "predicts", getattr(corpus, "predicts", None))
    if inputs is not None:
        yield f"zoo predict --ckpt_path {checkpoint} {inputs}".rstrip()


def _print_metrics(console: Console, title: str, metrics: Any) -> None:
    console.print(title, soft_wrap=True)
    table = Table()
    table.add_column("metric")
    table.add_column("value", justify="right")
    for name in sorted(metrics):
        table.add_row(name, rounded(float(metrics[name])))
    console.print(table)


def _signatures(model: Any, metrics: Any) -> Iterator[tuple[str, str]]:
    """How metrics were computed that are computed in many ways."""
    measured = {name.rpartition("/")[2] for name in metrics}
    return ((name, how) for name, how in model.signatures.items() if name in measured)


def _keep(run: Path, path: Path, cli: Any, metrics: Any, checkpoint: dict[str, Any]) -> None:
    """Writes test.json into the run folder."""
    record = {
        "metrics": {name: float(value) for name, value in metrics.items()},
        "signatures": dict(_signatures(cli.model, metrics)),
        "checkpoint": path.name,
        "epoch": checkpoint["epoch"] + 1,
        "corpus": cli.datamodule.described,
        "synthetic": cli.datamodule.synthetic,
        "date": date.today().isoformat(),
    }
    write_json(run / "test.json", record)
