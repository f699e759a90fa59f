"""list: what the zoo holds, read from headers and recipes. No torch."""

import argparse
import json
import re
from collections.abc import Callable
from fnmatch import fnmatch

from rich.table import Table

from zoo.catalogue import architectures, corpora, recipes
from zoo.cli.names import suggestion
from zoo.cli.overlays import overlays
from zoo.cli.report import plain_console
from zoo.errors import InputError

Rows = list[dict[str, str]]


def list_all(options: argparse.Namespace, overrides: list[str]) -> int:
    """Prints tables of models, corpora, recipes and overlays, or all of them as a JSON object.

    Raises:
        InputError: Nothing matches the filter: part of a name, or a shell pattern.
    """
    kinds, pattern = list(KINDS), options.filter
    if options.kind in KINDS:
        kinds = [options.kind]
    elif options.kind is not None:
        pattern = options.kind
    tables = {name: _matching(KINDS[name](), pattern) for name in kinds}
    if pattern and not any(tables.values()):
        names = [row["name"] for name in KINDS for row in KINDS[name]()]
        raise InputError(f"nothing is called {pattern}{suggestion(pattern, [*names, *KINDS])}")
    if options.json:
        print(json.dumps(tables, indent=2))
        return 0
    for name, rows in tables.items():
        if rows:
            _print(name, rows)
    return 0


def _matching(rows: Rows, pattern: str | None) -> Rows:
    if not pattern:
        return rows
    wanted = pattern.lower() if any(c in pattern for c in "*?[") else f"*{pattern.lower()}*"
    return [row for row in rows if fnmatch(row["name"].lower(), wanted)]


def _models() -> Rows:
    return [
        {
            "name": definition.name,
            "family": definition.family,
            "paper": _authors_and_year(definition.header.get("Paper", "")),
            "parameters": definition.header.get("Size", "").partition(" ")[0],
            "recipes": ", ".join(r.name for r in recipes().values() if r.model == definition.name),
            "result": "; ".join(_short(line) for line in definition.results),
        }
        for definition in architectures().values()
    ]


def _authors_and_year(paper: str) -> str:
    found = re.match(r".*?\b(?:1[89]|20)\d\d\b", paper)
    return found.group() if found else paper


def _short(result: str) -> str:
    """The first figure: `a-b: test loss 0.3, test accuracy 0.88 after ...` -> `test loss 0.3`."""
    return result.partition(": ")[2].partition(" after")[0].partition(", ")[0]


def _corpora() -> Rows:
    return [
        {"name": d.name, "summary": d.summary, "source": d.header.get("Source", "")}
        for d in corpora().values()
    ]


def _recipes() -> Rows:
    return [
        {
            "name": recipe.name,
            "summary": recipe.summary,
            "model": recipe.model,
            "corpus": recipe.corpus,
            "result": _short(recipe.result),
        }
        for recipe in recipes().values()
    ]


def _overlays() -> Rows:
    return [{"name": f"+{name}", "summary": each.summary} for name, each in overlays().items()]


KINDS: dict[str, Callable[[], Rows]] = {
    "models": _models,
    "corpora": _corpora,
    "recipes": _recipes,
    "overlays": _overlays,
}


NAMED = ("model", "corpus")  # by the name of a recipe already
MANY = {"recipes": ", ", "result": "; "}  # columns of several things, and what parts them
WIDE = 120  # columns of a terminal that has room for what `zoo show` says, too
SPARED = ("family", "recipes", "source")


def _print(title: str, rows: Rows) -> None:
    table = Table(title=title, title_justify="left")
    console = plain_console()
    spared = NAMED if console.width >= WIDE else (*NAMED, *SPARED)
    columns = [name for name in rows[0] if name not in spared]
    for column in columns:
        table.add_column(column, overflow="fold", no_wrap=column == "name")  # names get copied
    for row in rows:
        table.add_row(*(_shortened(row[column], MANY.get(column)) for column in columns))
    console.print(table)


def _shortened(cell: str, parted_by: str | None) -> str:
    """The first two of many; JSON has them all."""
    parts = cell.split(parted_by) if parted_by else [cell]
    return cell if len(parts) < 4 else f"{parts[0]}, {parts[1]} and {len(parts) - 2} more"
