"""Runs on a screen: a line a run, a table a family, the columns that tell them apart."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import isfinite

from rich.cells import cell_len, set_cell_size
from rich.text import Text

from zoo.runs.comparison.table import Cell, Group, Quantity, averaged, quantities, short_class
from zoo.runs.history import Run, marked
from zoo.runs.rounding import short_names

LINES = 50  # of all tables together
FEW = 2  # settings that come before all metrics but the first
WIDEST, LONGEST = 36, 24  # of a name, of another cell
GAP = 2
TITLES = {"model.class_path": "model", "data.class_path": "data", "seed_everything": "seed"}
Unit = list[Quantity]  # columns that are shown together


@dataclass
class Table:
    """The runs of a family, or groups of them.

    Attributes:
        title: Name of the family, with the marks of all its runs.
        names: A name a line.
        rows: A quantity a column, all that there are.
        runs: Runs of each line.
        part: Lines that are shown.
    """

    title: str
    names: list[str]
    rows: list[Quantity]
    runs: list[list[Run]]
    part: range


def families(runs: Sequence[Run]) -> dict[str, list[Run]]:
    """Returns the runs by the family of their models, in the order in which those come first."""
    found: dict[str, list[Run]] = {}
    for run in runs:
        package, *rooms = run.settings.get("model.class_path", "").split(".")
        name = rooms[0] if package == "zoo" and len(rooms) > 1 else package
        title = "run" if name in ("", "zoo") else name.replace("_", " ")
        found.setdefault(title, []).append(run)
    return found


def shared_marks(runs: Sequence[Run]) -> tuple[str, ...]:
    """Returns what marks all of the runs."""
    return tuple(mark for mark in runs[0].marks if all(mark in run.marks for run in runs))


def table_of(
    title: str,
    runs: Sequence[Run],
    groups: Sequence[Group] | None = None,
    said: tuple[str, ...] = (),
) -> Table:
    """Returns the table of the runs of a family, or of groups of them.

    What marks all of them marks the family, unless that is said of all families.
    """
    rows = quantities(runs)
    shared = shared_marks(runs)
    if groups is None:
        names = [marked(r.label, tuple(m for m in r.marks if m not in shared)) for r in runs]
        members = [[run] for run in runs]
    else:
        rows = averaged(rows, groups)
        names = [_without(group.name, shared) for group in groups]
        members = [[runs[i] for i in group.members] for group in groups]
    own = tuple(mark for mark in shared if mark not in said)
    return Table(marked(title, own), names, rows, members, range(len(names)))


def _without(name: str, marks: tuple[str, ...]) -> str:
    """Returns the name of a group without what marks all of them."""
    for mark in marks:
        name = name.replace(f", {mark})", ")").replace(f" ({mark})", "")
    return name


def _recipe(run: Run) -> tuple[str, str]:
    return run.settings.get("model.class_path", ""), run.settings.get("data.class_path", "")


def fit_lines(tables: Sequence[Table], *, newest: bool) -> int:
    """Leaves out lines of the tables that are too long for a screen; returns how many.

    Args:
        tables: Tables to show together; their parts are set.
        newest: Whether the last lines of a table stay, else the first.
    """
    counts = [len(table.names) for table in tables]
    shares = _shares(counts, LINES)
    for table, count, share in zip(tables, counts, shares, strict=True):
        table.part = range(count - share, count) if newest else range(share)
    return sum(counts) - sum(shares)


def lines_of(tables: Sequence[Table], width: int, first: str = "") -> tuple[list[Text], int]:
    """Returns the lines of tables, and the number of columns for which there is no room.

    Args:
        tables: Tables to show.
        width: Columns of the screen.
        first: Name of a quantity that is shown before all others.
    """
    shown: list[Text] = []
    columns: set[str] = set()
    for table in tables:
        units = _fitting(table, width, first)
        own = {id(row) for unit in units for row in unit}
        columns |= {row.title for row in table.rows if id(row) not in own}
        shown += _lines(table, units, _name_width(table, width))
        if rest := len(table.names) - len(table.part):
            shown.append(Text(f"... and {rest} {'earlier' if table.part.start else 'more'}", "dim"))
        shown.append(Text())
    return shown, len(columns)


def _shares(counts: Sequence[int], room: int) -> list[int]:
    """Returns how many lines each table may show: all, or else as many as the others."""
    left = max(len(counts), room - 3 * len(counts))  # below each how many are left out
    if sum(counts) + 2 * len(counts) <= room:
        return list(counts)
    shares = [0] * len(counts)
    for place, index in enumerate(sorted(range(len(counts)), key=lambda i: counts[i])):
        shares[index] = min(counts[index], left // (len(counts) - place))
        left -= shares[index]
    return shares


def _fitting(table: Table, width: int, first: str) -> list[Unit]:
    """Returns the columns that fit beside the names: settings, metrics and costs."""
    left = width - _name_width(table, width)
    short = _titles(table)
    chosen = []
    for unit in _by_weight(table, first):
        wanted = sum(GAP + _width(_column(table, row, short), LONGEST) for row in unit)
        if wanted <= left:
            chosen.append(unit)
            left -= wanted
    order = {id(row): place for place, row in enumerate(table.rows)}
    kinds = ("setting", "metric", "cost")
    stages = ("val", "test", "train")

    def place(unit: Unit) -> tuple[int, int, int]:
        stage = unit[0].name.partition("/")[0]
        at = stages.index(stage) if stage in stages else -1
        return kinds.index(unit[0].kind), at, order[id(unit[0])]

    return sorted(chosen, key=place)


def _by_weight(table: Table, first: str) -> Iterator[Unit]:
    """Yields the columns from the one that says most: what differs within a recipe, and the best.

    A metric of validation and its best value go together.
    """
    units: list[Unit] = []
    for row in table.rows:
        if row.best and units and units[-1][0].name == row.name:
            units[-1].append(row)
        else:
            units.append([row])
    kinds: dict[str, list[Unit]] = {"setting": [], "metric": [], "cost": []}
    for unit in units:
        kinds[unit[0].kind].append(unit)
    settings = sorted(kinds["setting"], key=lambda unit: not _varies(table, unit[0]))
    within = [unit for unit in settings if _varies(table, unit[0])]
    stages = {"val": 0, "test": 1, "train": 2}

    def weight(unit: Unit) -> tuple[int, bool]:
        return stages.get(unit[0].name.partition("/")[0], 3), unit[0].better is not max

    def is_told(unit: Unit) -> bool:
        """Whether it is worth a column though all runs have the same: not the epochs."""
        return unit[0].name != "epochs" or len({cell.text for cell in unit[0].cells}) > 1

    metrics = sorted(filter(is_told, kinds["metric"]), key=weight)
    unusual = [unit for unit in kinds["cost"] if unit[0].name == "state"]
    ordered = [
        *(unit for unit in units if unit[0].name == first),
        *unusual,
        *metrics[:1],
        *within[:FEW],
        *(unit for unit in metrics if unit[0].name.startswith("test/")),
        *within,
        *metrics,
        *kinds["cost"],
        *settings,
        *units,
    ]
    seen: set[int] = set()
    for unit in ordered:
        if id(unit) not in seen:
            seen.add(id(unit))
            yield unit


def _varies(table: Table, row: Quantity) -> bool:
    """Whether a setting differs between runs of one model on one corpus."""
    values: dict[tuple[str, str], set[str]] = {}
    for runs, cell in zip(table.runs, row.cells, strict=True):
        values.setdefault(_recipe(runs[0]), set()).add(cell.text)
    return any(len(texts) > 1 for texts in values.values())


def _titles(table: Table) -> dict[str, str]:
    names = [row.name for row in table.rows if row.kind == "setting"]
    return short_names(names) | {name: TITLES[name] for name in names if name in TITLES}


def _column(table: Table, row: Quantity, short: dict[str, str]) -> list[str]:
    title = "best (epoch)" if row.best else short.get(row.name, row.name.removesuffix("_epoch"))
    return [title, *(_text(row.cells[i], len(table.runs[i])) for i in table.part)]


def _text(cell: Cell, runs: int) -> str:
    """Returns a value as it is shown; that a mean is of all runs of a line goes without saying."""
    text = short_class(" ".join(cell.text.split())) or "-"
    return text.removesuffix(f" ({runs})") if runs > 1 and isfinite(cell.spread) else text


def _name_width(table: Table, width: int) -> int:
    names = [table.title, *(table.names[i] for i in table.part)]
    return _width(names, max(WIDEST, width // 4))


def _width(texts: Sequence[str], most: int) -> int:
    return min(most, max(map(cell_len, texts)))


def _lines(table: Table, units: Sequence[Unit], first: int) -> Iterator[Text]:
    """Yields the header and a line a run, the best values in bold."""
    short = _titles(table)
    names = [table.title, *(table.names[i] for i in table.part)]
    rows = [row for unit in units for row in unit]
    columns = [_column(table, row, short) for row in rows]
    for line, name in enumerate(names):
        name = _cut(name, first)
        text = Text().append(name, "" if line else "bold")
        room = first - cell_len(name)
        for row, column in zip(rows, columns, strict=True):
            width = _width(column, LONGEST)
            shown = _cut(column[line], width)
            best = line and row.cells[table.part[line - 1]].value == row.winner
            text.append(" " * (room + GAP + width - cell_len(shown)))
            text.append(shown, "bold" if best else "" if line else "dim")
            room = 0
        yield text


def _cut(text: str, width: int) -> str:
    """Returns a text that is not wider than its column; what is cut out is in its middle."""
    if cell_len(text) <= width:
        return text
    end = width // 2
    return set_cell_size(set_cell_size(text, width - end - 1) + "…" + text[-end:], width)
