"""compare: the settings that differ between runs, what came out and what it cost, their curves."""

import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from zoo.cli.report import plain_console
from zoo.errors import InputError
from zoo.runs.comparison.files import Write, as_csv, as_markdown, write_all
from zoo.runs.comparison.learning_curves import draw
from zoo.runs.comparison.table import Quantity, averaged, quantities, seed_groups
from zoo.runs.comparison.wandb_runs import files_of, is_remote, read_offline, read_online
from zoo.runs.history import Run, expand, read

STDOUT = Path("-")


def compare(
    runs: Sequence[str | Path],
    output: Path | None = None,
    *,
    seeds: bool = False,
    wandb: str | None = None,
    files: Mapping[str, Path | None] | None = None,
) -> Path:
    """Prints which settings differ, metrics and costs, and draws the learning curves.

    Runs that differ in the seed alone are shown by their mean and standard deviation, too.

    Args:
        runs: Run folders, folders that hold some (of a recipe, a sweep), offline runs of W&B, and
            where `wandb` is online its projects and runs.
        output: The PNG; by default `compare.png` in the deepest folder that holds the runs.
        seeds: Show means over seeds instead of their runs.
        wandb: online, or nothing.
        files: What else to write: csv, markdown, html; "-" prints it instead of the tables.

    Returns:
        Where the PNG is.

    Raises:
        InputError: A folder is no run, a file in it cannot be read, or an output not be written.
    """
    wanted = {kind: path for kind, path in (files or {}).items() if path}
    printed = [kind for kind, path in wanted.items() if path == STDOUT]
    if len(printed) > 1:
        raise InputError(f"--{printed[0]} and --{printed[1]} cannot both be printed: name a FILE")
    found, common = _found(runs, online=wandb == "online")
    rows = quantities(found)
    groups = seed_groups(found)
    tables = [([run.name for run in found], rows)]
    if any(len(group.members) > 1 for group in groups):
        tables.append(([group.name for group in groups], averaged(rows, groups)))
    if seeds:
        tables = tables[-1:]
    path = Path(output or common / "compare.png")
    figure = draw(found, str(common))
    writes: dict[str, tuple[Path, Write]] = {
        "--output": (path, lambda aside: figure.savefig(aside, dpi=120, format="png"))
    }
    texts = {kind: _text(kind, found, str(common), tables) for kind in wanted}
    for kind, named in wanted.items():
        if named != STDOUT:
            writes[f"--{kind}"] = (named, _writer(texts[kind]))
    write_all(writes)
    for kind in printed:
        sys.stdout.write(texts[kind])
    _report(plain_console(stderr=bool(printed)), str(common), tables)
    written = [("curves", path), *((kind, p) for kind, p in wanted.items() if p != STDOUT)]
    written += [("pictures", r.picture_folder) for r in found if r.pictures and r.picture_folder]
    lines = [f"{f'{name}:':<9} {each}" for name, each in written]
    plain_console(stderr=bool(printed)).print("\n".join(lines), soft_wrap=True)
    return path


def _found(runs: Sequence[str | Path], *, online: bool) -> tuple[list[Run], Path]:
    """The runs, each once, and the deepest folder that holds those that are on this disk."""
    folders: dict[Path, Path] = {}  # by where they really are; of W&B the files
    remote: list[Run] = []
    for given in runs:
        path = Path(given)
        if online and not path.exists() and is_remote(str(given)):
            remote += read_online(str(given))
        else:
            folders |= {each.resolve(): each for each in _expanded(path)}
    if not folders and not remote:
        raise InputError("name the runs to compare: runs/<recipe>/<number>")
    if not folders:
        return list(_distinct(remote)), Path()
    common = Path(os.path.commonpath([path.parent for path in folders]))
    found = [
        read_offline(path)
        if real.suffix == ".wandb"
        else read(path, real.relative_to(common).as_posix())
        for real, path in folders.items()
    ]
    if not any(path.is_absolute() for path in folders.values()):
        common = Path(os.path.relpath(common))
    return list(_distinct([*found, *remote])), common


def _expanded(path: Path) -> list[Path]:
    if files := files_of(path):
        return files
    try:
        return expand(path)
    except InputError as error:
        if not path.exists() and is_remote(str(path)):
            raise InputError(f"{error}; a project of W&B is read with --wandb online") from None
        raise


def _distinct(runs: Sequence[Run]) -> Iterator[Run]:
    """Runs whose names are equal are numbered."""
    names = [run.name for run in runs]
    for index, run in enumerate(runs):
        number = names[: index + 1].count(run.name)
        equal = names.count(run.name) > 1
        yield replace(run, label=f"{run.label} [{number}]") if equal else run


def _text(
    kind: str, runs: Sequence[Run], title: str, tables: Sequence[tuple[list[str], list[Quantity]]]
) -> str:
    if kind == "csv":
        return as_csv(*tables[0])
    if kind == "markdown":
        return as_markdown(title, tables)
    from zoo.runs.comparison.html import page

    return page(runs, title)


def _writer(text: str) -> Write:
    return lambda aside: aside.write_text(text, encoding="utf-8")


def _report(
    console: Console, title: str, tables: Sequence[tuple[list[str], list[Quantity]]]
) -> None:
    console.print(title, style="bold", soft_wrap=True)
    for number, (names, rows) in enumerate(tables):
        if number:
            console.print("over seeds: mean ± standard deviation (runs)")
        settings = [row for row in rows if row.kind == "setting"]
        if settings and not number:
            _print(console, "setting", names, settings)
        elif not number:
            console.print("no settings differ")
        _print(console, "metric", names, [row for row in rows if row.kind == "metric"])
        if costs := [row for row in rows if row.kind == "cost"]:
            _print(console, "cost", names, costs)


def _print(console: Console, title: str, names: Sequence[str], rows: Sequence[Quantity]) -> None:
    """Prints a table, or several where the runs do not fit beside each other."""
    header = [title, *names]
    cells: list[list[Any]] = [[row.title, *_cells(row)] for row in rows]
    columns = zip(header, *cells, strict=True)
    widths = [max(console.measure(cell).maximum for cell in column) for column in columns]
    count = max(1, (console.width - min(30, widths[0]) - 4) // (min(18, max(widths[1:])) + 3))
    for first in range(1, len(names) + 1, count):
        table = Table()
        table.add_column(title, overflow="fold")
        for name in header[first : first + count]:
            table.add_column(name, overflow="fold", justify="right")
        for row in cells:
            table.add_row(row[0], *row[first : first + count])
        console.print(table)


def _cells(row: Quantity) -> Iterator[Text]:
    """A value for each run, the best in bold."""
    for cell in row.cells:
        yield Text(cell.text, style="bold" if cell.value == row.winner else "")
