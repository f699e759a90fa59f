"""How results are said: numbers, headers, what has been reached."""

import operator
import re
import textwrap
from collections.abc import Sequence

from scripts.results.records import Result, Results, figures, of
from scripts.results.rows import RANGE, Row, rows
from zoo.catalogue import Definition, recipes
from zoo.runs.rounding import rounded

INDENT = " " * 8
WRAPPER = textwrap.TextWrapper(
    100, subsequent_indent=INDENT, break_long_words=False, break_on_hyphens=False
)
REACHED = {">=": operator.ge, "<=": operator.le, ">": operator.gt, "<": operator.lt}


def number(value: float) -> str:
    """Four decimals, or as many digits as are worth reading."""
    return f"{value:.4g}" if abs(value) >= 10 else rounded(value)


def spread(values: Sequence[float]) -> str:
    """One number, or from which to which several lie."""
    texts = [number(value) for value in (min(values), max(values))]
    return texts[0] if texts[0] == texts[1] else " to ".join(texts)


def measured(row: Row, results: Sequence[Result]) -> list[tuple[str, str]]:
    """The words of each figure of a row and its values."""
    found = []
    for metric, words in figures(row, list(results)).items():
        values = [value for each in results if (value := each.value(metric)) is not None]
        if values:
            found.append((words, spread(values)))
    return found


def epochs_of(row: Row, result: Result) -> int:
    """After how many epochs the figures were measured: at the end, or at the tested checkpoint."""
    of_test = all(metric.startswith("test/") for metric in figures(row, [result]))
    return int(result.tested["epoch"]) if of_test and result.tested else result.epochs


def after(row: Row, result: Result) -> str:
    """`after 4 epochs`, or of a descent, which has one, `after 20 steps`."""
    steps = recipes()[row.recipe].path.parent.name == "optimization"
    count = result.steps if steps else epochs_of(row, result)
    return f"after {counted(count, 'step' if steps else 'epoch')}"


def counted(count: int, noun: str) -> str:
    """`1 epoch`, `1,000 epochs`."""
    return f"{count:,} {noun}{'s' * (count != 1)}"


def share(row: Row, result: Result) -> str:
    """How much of the corpus was used, and of its original found: `400 of 2,000 training rows`."""
    found = re.search(r"\(([^()]* of [^()]*)\)$", result.corpus)
    return ", ".join(part for part in (row.part, found.group(1) if found else "") if part)


def header_line(row: Row, results: Sequence[Result]) -> str:
    """The `Result:` line of a recipe."""
    first = results[0]
    said = ", ".join(f"{words} {value}" for words, value in measured(row, results[:1]))
    best = first.epochs if epochs_of(row, first) < first.epochs else 0
    conditions = (
        f"{first.kind} corpus",
        share(row, first),
        f"the best of {best:,} epochs by validation" if best else "",
        f"seed {first.seed}",
        f"{first.date}: {_commands(row, first)}",
    )
    others = [
        f"seed {each.seed}: {', '.join(value for _, value in measured(row, [each]))}"
        for each in results[1:]
    ]
    condition = ", ".join(filter(None, conditions))
    return "; ".join([f"{row.recipe}: {said} {after(row, first)} ({condition})", *others])


def _commands(row: Row, result: Result) -> str:
    """What a reader types, what has to be trained before included."""
    tests = any(metric.startswith("test/") for metric in figures(row, [result]))
    commands = [*([row.after.row.typed] if row.after else []), row.typed, *["zoo test"] * tests]
    said = ", ".join(f"`{command}`" for command in commands)
    return f"{said} with `{row.after.option}`" if row.after and row.after.of == "test" else said


def header_lines(definition: Definition, results: Results) -> list[str]:
    """The `Result:` lines of an architecture, in the order of its recipes, as they are written."""
    own = {row.recipe: row for row in rows() if row.plain}
    lines = []
    for recipe in definition.header["Config"].split(", "):
        found = of(own[recipe], results)
        if found:
            lines += WRAPPER.wrap(f"Result: {header_line(own[recipe], found)}")
    return lines


def with_results(source: str, lines: Sequence[str]) -> str:
    """The source of an architecture with these lines as its results, after its `Config:`."""
    head, quotes, rest = source.partition('"""\n\n')
    kept: list[str] = []
    key, place = "", 0
    for line in head.split("\n"):
        if not line.startswith(INDENT):  # the others go on with the line before
            key = line.partition(":")[0]
        if key != "Result":
            kept.append(line)
        if key == "Config":
            place = len(kept)
    return "\n".join([*kept[:place], *lines, *kept[place:]]) + quotes + rest


def unmeasured(row: Row) -> str:
    """Why there are no results of a row."""
    return f"needs {row.needs}" if row.needs else "not measured yet"


def verdict(row: Row, results: Sequence[Result]) -> str:
    """Whether the bar is met: `met`, or `not met: why`; nothing where there is none."""
    if isinstance(row.bar, str):
        return f"met by `{row.tests}`" if row.tests else ""
    if not row.bar:
        return ""
    if not results:
        return f"not met: {unmeasured(row)}"
    return "met" if reached(row, results) else f"not met: {row.reason}"


def reached(row: Row, results: Sequence[Result]) -> bool:
    """Whether all seeds keep all limits of a row."""
    limits = row.bar.items() if isinstance(row.bar, dict) else ()
    values = ((each.value(metric), limit) for each in results for metric, limit in limits)
    return all(value is not None and _kept(value, limit) for value, limit in values)


def _kept(value: float, limit: str) -> bool:
    if found := RANGE.fullmatch(limit):
        return float(found.group(1)) <= value <= float(found.group(2))
    relation, _, number_of = limit.partition(" ")
    return REACHED[relation](value, float(number_of))
