"""What follows from results.json: tables of the README, of docs, of topics; headers."""

from collections.abc import Iterator
from pathlib import Path

from scripts.results.records import Results, of
from scripts.results.rows import Row, rows
from scripts.results.words import (
    after,
    header_lines,
    measured,
    share,
    unmeasured,
    verdict,
    with_results,
)
from zoo.catalogue import architectures
from zoo.cli.markdown import table
from zoo.errors import InputError

HOME = Path(__file__).resolve().parents[2]
README, RESULTS, TOPICS = HOME / "README.md", HOME / "docs/results.md", HOME / "docs/topics"
COLUMNS = ("", "command", "measured", "", "the course")
GIBI = 2**30


def files(results: Results) -> dict[Path, str]:
    """Returns every file in which results are said, as it has to be."""
    texts = {
        README: _filled(README, {"topics": _topics(results)}),
        RESULTS: _filled(RESULTS, {"results": _all(results), "costs": _costs(results)}),
    }
    for topic in sorted({row.topic for row in rows()} - {0}):
        page = TOPICS / f"{topic:02d}.md"
        texts[page] = _filled(page, {f"results {topic:02d}": _topic(topic, results)})
    for definition in architectures().values():
        source = definition.path.read_text(encoding="utf-8")
        texts[definition.path] = with_results(source, header_lines(definition, results))
    return texts


def write(results: Results) -> list[Path]:
    """Writes those that are not as they have to be; returns which."""
    changed = {p: t for p, t in files(results).items() if p.read_text(encoding="utf-8") != t}
    for path, text in changed.items():
        path.write_text(text, encoding="utf-8")
    return list(changed)


def _filled(path: Path, tables: dict[str, Iterator[str]]) -> str:
    """Returns a page with each table between `<!-- name -->` and the comment that ends it."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from None
    for name, lines in tables.items():
        begin, end = f"<!-- {name} -->", f"<!-- /{name.partition(' ')[0]} -->"
        before, _, rest = text.partition(f"{begin}\n")
        _, found, after = rest.partition(end)
        if not found:
            raise InputError(f"{path}: has no {begin} ... {end}, between which the table goes")
        text = "\n".join([f"{before}{begin}", "", *lines, "", end + after])
    return text


def _topics(results: Results) -> Iterator[str]:
    """One row a topic: its first that is measured, or else its first."""
    chosen: dict[int, Row] = {}
    for row in sorted(rows(), key=lambda row: bool(row.needs)):
        if row.topic:
            chosen.setdefault(row.topic, row)
    yield from table(
        ("", "the command", *COLUMNS[2:]),
        (
            (f"[{topic} {_title(topic)}](docs/topics/{topic:02d}.md)", *_cells(row, results)[1:])
            for topic, row in sorted(chosen.items())
        ),
    )


def _title(topic: int) -> str:
    """Of a topic's page, without its number."""
    first = (TOPICS / f"{topic:02d}.md").read_text(encoding="utf-8").partition("\n")[0]
    return first.removeprefix("# ").partition(" ")[2]


def _figures(row: Row, results: Results) -> tuple[str, str]:
    """What is measured and when; the values."""
    found = of(row, results)
    if not row.recipe:
        return str(row.bar), "tested"
    if not found:
        return ", ".join(row.figures.values()), unmeasured(row)
    pairs = measured(row, found)
    words = ", ".join(words for words, _ in pairs)
    notes = [
        "the synthetic corpus" if found[0].kind == "synthetic" else "",
        share(row, found[0]),
        f"{len(found)} seeds" if len(found) > 1 else "",
    ]
    conditions = ", ".join(note for note in notes if note)
    values = ", ".join(value for _, value in pairs)
    return f"{words} {after(row, found[0])}" + (f" ({conditions})" if conditions else ""), values


def _all(results: Results) -> Iterator[str]:
    """Yields a table of every row, by topic; one of no topic once it is measured."""
    shown = (row for row in rows() if row.topic or not row.recipe or of(row, results))
    given = sorted(shown, key=lambda row: row.topic or 99)
    yield from table(
        ("topic", *COLUMNS, "bar"),
        ((str(row.topic or ""), *_cells(row, results), _bar(row, results)) for row in given),
    )


def _topic(topic: int, results: Results) -> Iterator[str]:
    yield from table(COLUMNS, (_cells(row, results) for row in rows() if row.topic == topic))


def _cells(row: Row, results: Results) -> tuple[str, ...]:
    return row.what, f"`{row.typed}`", *_figures(row, results), row.course


def _bar(row: Row, results: Results) -> str:
    limits = row.bar if isinstance(row.bar, dict) else {}
    named = [f"{metric} {limit}" for metric, limit in limits.items()]
    said = ", ".join(named if len(limits) > 1 else limits.values())
    return ": ".join(part for part in (said, verdict(row, of(row, results))) if part)


def _costs(results: Results) -> Iterator[str]:
    """What every run cost, and where."""
    yield from table(
        ("recipe", "seed", "time", "rows/s", "memory", "machine", "versions", "date", "commit"),
        (
            (
                f"`{' '.join([result.recipe, *result.options])}`",
                str(result.seed),
                _time(result.seconds),
                f"{result.rows_per_second:,.0f}" if result.rows_per_second else "",
                f"{result.peak_memory_bytes / GIBI:.1f} GiB" if result.peak_memory_bytes else "",
                result.machine,
                ", ".join(f"{name} {number}" for name, number in result.versions.items()),
                result.date,
                result.commit,
            )
            for result in (results[key] for key in sorted(results))
            if result.seconds is not None
        ),
    )


def _time(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{seconds:.1f} s"
