"""compare: a line a run: the settings that differ, what came out and what it cost; the curves."""

import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from rich.text import Text

from zoo.cli.report import counted, plain_console
from zoo.errors import InputError
from zoo.runs.comparison.choice import (
    asked,
    filtered,
    grouped,
    newest,
    only_metrics,
    ordered,
    refuse_unknown_metrics,
)
from zoo.runs.comparison.files import Write, as_csv, as_markdown, write_all
from zoo.runs.comparison.screen import LINES, families, fit_lines, lines_of, shared_marks, table_of
from zoo.runs.comparison.table import Quantity, averaged, quantities, seed_groups
from zoo.runs.comparison.wandb_runs import files_of, is_remote, read_offline, read_online
from zoo.runs.history import Run, expand, marked, read

STDOUT = Path("-")
FEW = 3  # folders of pictures that are named
MOST = 60  # runs whose curves are drawn unasked
MEANS = "over seeds: mean ± standard deviation"


def compare(
    runs: Sequence[str | Path],
    output: Path | None = None,
    *,
    seeds: bool = False,
    wandb: str | None = None,
    files: Mapping[str, Path | None] | None = None,
    metrics: Sequence[str] = (),
    sort: str | None = None,
    last: int | None = None,
    filters: Sequence[str] = (),
    group: str | None = None,
) -> Path | None:
    """Prints a line a run: settings that differ, metrics and costs; draws the learning curves.

    Each family of models has a table of its own. Runs that differ in the seed alone are shown by
    their mean and standard deviation, too. What does not fit on a screen is counted; the files have
    all of it. A damaged run is named and left out.

    Args:
        runs: Run folders, folders that hold some (of a recipe, a sweep), offline runs of W&B, and
            where `wandb` is online its projects and runs.
        output: The PNG; by default `compare.png` in the deepest folder that holds the runs, and of
            many runs none.
        seeds: Show means over seeds instead of their runs.
        wandb: online, or nothing.
        files: What else to write: csv, markdown, html; "-" prints it instead of the tables.
        metrics: Metrics to show; all by default.
        sort: Metric, setting or cost to sort by.
        last: Number of the newest runs to compare; all by default.
        filters: Conditions `key=value`, all of which a run has to meet.
        group: Settings, parted by commas, whose values have a line each: the mean of their runs.

    Returns:
        Where the PNG is, if there is one.

    Raises:
        InputError: A folder is no run, no run is left, an option names nothing, or an output cannot
            be written.
    """
    wanted = {kind: path for kind, path in (files or {}).items() if path}
    printed = [kind for kind, path in wanted.items() if path == STDOUT]
    if len(printed) > 1:
        raise InputError(f"--{printed[0]} and --{printed[1]} cannot both be printed: name a FILE")
    found, common = _found(runs, online=wandb == "online")
    found = filtered(found, filters)
    if last is not None:
        found = newest(found, last)
    if sort:
        found = ordered(found, sort)
    rows = quantities(found)
    refuse_unknown_metrics(rows, metrics)
    rows = only_metrics(rows, metrics)
    groups = grouped(found, group) if group else seed_groups(found)
    tables = [([run.name for run in found], rows)]
    if group or any(len(each.members) > 1 for each in groups):
        tables.append(([each.name for each in groups], averaged(rows, groups)))
    if seeds or group:
        tables = tables[-1:]
    console = plain_console(stderr=bool(printed))
    first = asked("sort", sort, found)[0] if sort else ""
    report, shown = _report(found, console.width, metrics, first, seeds=seeds, group=group)
    path = output or (common / "compare.png" if len(found) <= MOST else None)
    writes: dict[str, tuple[Path, Write]] = {}
    if path:
        figure = draw(shown, str(common))
        writes["--output"] = path, lambda aside: figure.savefig(aside, dpi=120, format="png")
    texts = {kind: _text(kind, found, str(common), tables) for kind in wanted}
    for kind, named in wanted.items():
        if named != STDOUT:
            writes[f"--{kind}"] = (named, _writer(texts[kind]))
    write_all(writes)
    for kind in printed:
        sys.stdout.write(texts[kind])
    title = marked(f"{common}: {counted(len(found), 'run')}", shared_marks(found))
    console.print(title, style="bold", soft_wrap=True)
    for line in report:
        console.print(line, soft_wrap=True)
    written = [("curves", path or f"of more than {MOST} runs by --output FILE.png, or in --html")]
    written += [(kind, p) for kind, p in wanted.items() if p != STDOUT]
    pictures = [run.picture_folder for run in found if run.pictures and run.picture_folder]
    written += [("pictures", folder) for folder in pictures if len(pictures) <= FEW]
    console.print("\n".join(f"{f'{name}:':<9} {each}" for name, each in written), soft_wrap=True)
    return path


def draw(runs: Sequence[Run], title: str) -> Any:
    """Returns the learning curves as a figure; matplotlib takes longer than all the rest."""
    from zoo.runs.comparison import learning_curves

    return learning_curves.draw(runs, title)


def _report(
    runs: Sequence[Run],
    width: int,
    metrics: Sequence[str],
    first: str,
    *,
    seeds: bool,
    group: str | None,
) -> tuple[list[Text], list[Run]]:
    """The tables as lines, with what they leave out, and the runs that they show."""
    singles, means, said = [], [], shared_marks(runs)
    for title, part in families(runs).items():
        groups = grouped(part, group) if group else seed_groups(part)
        singles.append(table_of(title, part, said=said))
        if seeds or group or any(len(each.members) > 1 for each in groups):
            means.append(table_of(title, part, groups, said))
    for table in (*singles, *means):
        table.rows = only_metrics(table.rows, metrics)
    tables = means if seeds or group else singles
    left_out = fit_lines(tables, newest=not first)
    lines, columns = lines_of(tables, width, first)
    if tables is singles and means:
        more, hidden = lines_of(means, width, first)
        columns = max(columns, hidden)
        if len(lines) + len(more) < LINES:
            lines += [Text(MEANS), *more]
        else:
            lines.append(Text("means over seeds: --seeds"))
    if len(runs) > 1 and not any(row.kind == "setting" for t in singles for row in t.rows):
        lines.append(Text("no settings differ"))
    rest = [(left_out, "run" if tables is singles else "line"), (columns, "column")]
    texts = [counted(count, f"more {noun}") for count, noun in rest if count]
    if texts:
        choices = "; --last, --filter, --metric and --sort choose" if left_out else ""
        lines.append(Text(f"{' and '.join(texts)}: --html FILE{choices}"))
    return lines, [run for table in tables for i in table.part for run in table.runs[i]]


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
    found, damaged = [], []
    for real, path in folders.items():
        try:
            label = real.relative_to(common).as_posix()
            found.append(read_offline(path) if real.suffix == ".wandb" else read(path, label))
        except InputError as error:
            damaged.append(str(error))
    if damaged and not (found or remote):
        others = f"; nor can {len(damaged) - 1} others be read" if len(damaged) > 1 else ""
        raise InputError(f"{damaged[0]}{others}")
    for line in damaged:
        print(f"zoo: left out: {line}", file=sys.stderr)
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
