"""Which runs are compared and in which order, by names that people say: `lr`, `val/accuracy`."""

from collections.abc import Callable, Iterable, Sequence
from difflib import get_close_matches
from fnmatch import fnmatchcase
from math import isfinite

from zoo.errors import InputError
from zoo.runs.comparison.table import (
    SEED,
    Cell,
    Group,
    Quantity,
    number,
    quantities,
    short_class,
)
from zoo.runs.history import STAGES, Run, marked

SAID = {  # for what people say
    "model": "model.class_path",
    "data": "data.class_path",
    "corpus": "data.class_path",
    "optimizer": "model.optimizer.class_path",
    "seed": SEED,
    "time": "wall time",
    "speed": "samples/s",
    "memory": "peak memory",
}
OWN: dict[str, Callable[[Run], str]] = {
    "run": lambda run: run.label,
    "started": lambda run: run.started,
    "state": lambda run: str(run.record.get("state", "-")),
}


def filtered(runs: Sequence[Run], conditions: Iterable[str]) -> list[Run]:
    """Returns the runs that meet all conditions, `key=value`; a value may be a `*pattern*`.

    Raises:
        InputError: A condition has no value or an unknown key, or no run meets it.
    """
    found = list(runs)
    for condition in conditions:
        key, sign, wanted = condition.partition("=")
        if not (sign and key):
            raise InputError(f"--filter {condition}: wanted KEY=VALUE: lr=0.1, model=LeNet")
        _, cells = asked("filter", key, runs)
        kept = [run for run in found if _meets(cells(run), wanted)]
        if not kept:
            there = sorted({short_class(cells(run).text) for run in found} - {"-"}, key=_order)
            raise InputError(f"--filter {condition}: no such run; there are: {', '.join(there)}")
        found = kept
    return found


def ordered(runs: Sequence[Run], key: str) -> list[Run]:
    """Returns the runs by a metric, the best first, or by a setting or a cost, the least first.

    Those that lack it come last.

    Raises:
        InputError: No run has it.
    """
    better = {q.name: q.better for q in quantities(runs) if q.kind == "metric"}
    name, cells = asked("sort", key, runs)
    sign = -1 if better.get(name) is max else 1

    def place(run: Run) -> tuple[bool, bool, float, str]:
        cell = cells(run)
        known = isfinite(cell.value)
        return cell.text == "-", not known, sign * cell.value if known else 0.0, cell.text

    return sorted(runs, key=place)


def newest(runs: Sequence[Run], count: int) -> list[Run]:
    """Returns the runs that began last, in the order that they had."""
    if count < 1:
        raise InputError(f"--last must be at least 1, not {count}")
    latest = sorted(range(len(runs)), key=lambda index: (runs[index].started, index))[-count:]
    return [runs[index] for index in sorted(latest)]


def grouped(runs: Sequence[Run], keys: str) -> list[Group]:
    """Returns the runs that agree in some settings, `key,key`, together.

    Raises:
        InputError: No run has one of them.
    """
    names = [key.strip() for key in keys.split(",")]
    cells = [asked("group", key, runs)[1] for key in names]
    alike: dict[tuple[str, ...], list[int]] = {}
    for index, run in enumerate(runs):
        alike.setdefault(tuple(short_class(cell(run).text) for cell in cells), []).append(index)
    return [
        Group(_title(names, values, len(members)), members) for values, members in alike.items()
    ]


def _title(names: Sequence[str], values: Sequence[str], count: int) -> str:
    pairs = [f"{name} {value}" for name, value in zip(names, values, strict=True)]
    return marked(", ".join(pairs), (f"{count} run{'s' * (count != 1)}",))


def only_metrics(rows: Sequence[Quantity], names: Sequence[str]) -> list[Quantity]:
    """Returns the quantities without the metrics that were not asked for, if any were."""
    return [
        row
        for row in rows
        if not names or row.kind != "metric" or any(_is(row.name, name) for name in names)
    ]


def refuse_unknown_metrics(rows: Sequence[Quantity], names: Sequence[str]) -> None:
    """Refuses the name of a metric that no run has.

    Raises:
        InputError: There is one; suggests the nearest.
    """
    known = [row.name for row in rows if row.kind == "metric"]
    for name in names:
        if not any(_is(each, name) for each in known):
            raise unknown("metric", name, [*known, *(n.partition("/")[2] for n in known)])


def _is(metric: str, name: str) -> bool:
    """Whether a metric is meant: `accuracy` is that of any stage."""
    plain = metric.removesuffix("_epoch")
    return name in (metric, plain) or plain.partition("/")[2] == name


def asked(option: str, key: str, runs: Sequence[Run]) -> tuple[str, Callable[[Run], Cell]]:
    """Returns a setting, a metric or a cost by the end of its name: its name, and that of a run.

    Of validation metrics that is the best value, of others the last.

    Raises:
        InputError: No run has it; suggests the nearest.
    """
    name = SAID.get(key, key)
    if name in OWN:
        return name, lambda run: Cell(OWN[name](run))
    settings = {n for run in runs for n in run.settings if n == name or n.endswith(f".{name}")}
    if settings:
        nearest = sorted(settings, key=lambda each: (each.count("."), each))
        return nearest[0], lambda run: next(
            (Cell(text, number(text)) for n in nearest if (text := run.settings.get(n))), Cell()
        )
    found = [row for row in quantities(runs) if row.kind != "setting"]
    wanted = _metric(key, runs) or name
    meant = [row for row in found if row.name == wanted]
    if meant:
        row = next((row for row in meant if row.best), meant[0])
        cells = {id(run): cell for run, cell in zip(runs, row.cells, strict=True)}
        return wanted, lambda run: cells[id(run)]
    ends = {n.rpartition(".")[2] for run in runs for n in run.settings}
    raise unknown(option, key, [*SAID, *OWN, *(row.name for row in found), *ends])


def _metric(key: str, runs: Sequence[Run]) -> str | None:
    """The metric that is meant, of validation before others."""
    known = {name for run in runs for name in run.logged_names}
    forms = (key, *(f"{stage}/{key}" for stage in ("val", *STAGES)))
    names = (name for form in forms for name in (form, f"{form}_epoch"))
    return next((name for name in names if name in known), None)


def unknown(option: str, key: str, known: Iterable[str]) -> InputError:
    """The error that nothing is called so."""
    near = get_close_matches(key, dict.fromkeys(known), n=1)
    hint = f" (did you mean {near[0]}?)" if near else ""
    return InputError(f"--{option} {key}: no run has that{hint}")


def _meets(cell: Cell, wanted: str) -> bool:
    if isfinite(cell.value) and isfinite(other := number(wanted)):
        return cell.value == other
    return any(fnmatchcase(text, wanted) for text in (cell.text, short_class(cell.text)))


def _order(text: str) -> tuple[bool, float, str]:
    value = number(text)
    return not isfinite(value), value if isfinite(value) else 0.0, text
