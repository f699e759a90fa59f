"""What compare writes: a table as CSV or Markdown, and files that are whole or not there."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from math import isfinite, nan
from pathlib import Path

from zoo.errors import InputError
from zoo.files import csv_text, written_whole
from zoo.runs.comparison.table import Quantity


def as_csv(names: Sequence[str], rows: Sequence[Quantity]) -> str:
    """A line a run or group, with all digits: seconds, samples a second, bytes.

    Best values have a column for the epoch, and where there are groups each metric and cost has
    one for the standard deviation and one for the number of runs.
    """
    columns: list[tuple[str, list[str]]] = [("run", list(names))]
    for row in rows:
        title = f"{row.name}, best" if row.best else row.name
        as_text = row.kind == "setting"
        cells = [_exact(nan if as_text else cell.value, cell.text) for cell in row.cells]
        columns.append((title, cells))
        if row.best and any(isfinite(cell.epoch) for cell in row.cells):
            epochs = [_exact(cell.epoch) for cell in row.cells]
            columns.append((f"{title} epoch", epochs))
        if any(isfinite(cell.spread) for cell in row.cells):
            columns.append((f"{title}, std", [_exact(cell.spread) for cell in row.cells]))
            columns.append((f"{title}, n", [str(cell.number) for cell in row.cells]))
    header = [title for title, _ in columns]
    return csv_text([header, *zip(*(cells for _, cells in columns), strict=True)])


def _exact(value: float, text: str = "") -> str:
    """A number with all its digits, whole ones without a point; else the text."""
    if not isfinite(value):
        return "" if text == "-" else text
    return str(int(value)) if value.is_integer() else repr(value)


def as_markdown(title: str, tables: Sequence[tuple[Sequence[str], Sequence[Quantity]]]) -> str:
    """Tables of runs and of groups, a line each, the best values in bold."""
    lines = [f"### {_markdown(title)}"]
    for names, rows in tables:
        header = ["run", *(row.title for row in rows)]
        lines += ["", _line(map(_markdown, header))]
        lines.append(_line(["---", *("---" if r.kind == "setting" else "---:" for r in rows)]))
        for index, name in enumerate(names):
            cells = [_markdown(name)]
            for row in rows:
                cell = row.cells[index]
                text = _markdown(cell.text)
                cells.append(f"**{text}**" if cell.value == row.winner else text)
            lines.append(_line(cells))
    return "\n".join(lines) + "\n"


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _markdown(text: str) -> str:
    """Text that means nothing to Markdown, or to the HTML in it."""
    for sign in "\\`*_[]|":
        text = text.replace(sign, f"\\{sign}")
    return " ".join(text.replace("<", "&lt;").split())


Write = Callable[[Path], object]


def write_all(wanted: Mapping[str, tuple[Path, Write]]) -> None:
    """Writes all of some files, or none.

    Args:
        wanted: For each option the file that it names, and what writes one.

    Raises:
        InputError: One cannot be written; then none is, and no folder is made.
    """
    named: dict[Path, str] = {}
    for option, (path, _) in wanted.items():
        if other := named.get(path.resolve()):
            raise InputError(f"{path}: named by both {other} and {option}; choose another")
        named[path.resolve()] = option
    with ExitStack() as stack:
        for option, (path, write) in wanted.items():
            write(stack.enter_context(written_whole(path, f"; choose {option} FILE")))
