"""list: what the zoo holds, read from headers and recipes. No torch."""

import argparse
import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from fnmatch import fnmatch
from functools import cache
from itertools import chain, groupby
from shutil import get_terminal_size
from textwrap import wrap
from typing import Any

from zoo.catalogue import Definition, architectures, corpora, recipes
from zoo.checkpoints.bundled import bundled
from zoo.cli.names import listed, suggestion
from zoo.cli.overlays import overlays
from zoo.cli.show.pager import show
from zoo.errors import InputError

Row = dict[str, Any]
WHOLE = "\N{NO-BREAK SPACE}"
LEAST = 38  # columns of a text beside the rest of its row
WIDE = {"models": 120, "recipes": 160}  # columns with room for papers, for summaries
OTHER = "other"  # task of what no recipe trains
BEST = (
    "test ",
    "held-out ",
    "perplexity ",
    "",
)  # beginnings of results, those that tell most first


def list_all(options: argparse.Namespace, overrides: list[str]) -> int:
    """Prints models, corpora, recipes and overlays by their tasks, or as a JSON object.

    Raises:
        InputError: Nothing matches the filter (part of a name, or a shell pattern), or there is no
            such task.
    """
    kinds, pattern = list(KINDS), options.filter
    if options.kind in KINDS:
        kinds = [options.kind]
    elif options.kind is not None:
        pattern = options.kind
    task = _task(options.task)
    every = {kind: list(KINDS[kind]()) for kind in kinds}
    chosen = {
        kind: [row for row in rows if _is_wanted(row, pattern, task, options.trained)]
        for kind, rows in every.items()
    }
    if not any(chosen.values()):
        names = [row["name"] for rows in every.values() for row in rows]
        known = any(_is_wanted(row, pattern, None, False) for row in chain(*every.values()))
        near = "" if known else suggestion(pattern or "", [*names, *KINDS])
        if pattern in _all_tasks():
            near = f", which is a task: --task {pattern}"
        of = [f"called {pattern}{near}"] if pattern else []
        of += [f"of the task {task}"] if task else []
        raise InputError(f"nothing is {' and '.join(of) or 'trained'}; see `zoo list`")
    if options.json:
        print(json.dumps(chosen, indent=2, ensure_ascii=False))
        return 0
    width = get_terminal_size().columns
    lines = [line for kind, rows in chosen.items() if rows for line in _lines(kind, rows, width)]
    names = [row["name"] for row in chosen.get("recipes", []) if row["trained"]]
    names += [name for row in chosen.get("models", []) for name in row["trained"]]
    if names:
        lines += ["", "bundled checkpoints, for `zoo predict INPUT --ckpt_path NAME`:"]
        lines += [f"  {name}" for name in dict.fromkeys(names)]
    show("\n".join(lines[1:]))
    return 0


def _task(name: str | None) -> str | None:
    """Returns a task by its name, also with blanks or dashes.

    Raises:
        InputError: There is no such task.
    """
    known = _all_tasks()
    spelt = re.sub(r"[\s-]", "_", name).lower() if name else None
    if spelt and spelt not in known:
        raise InputError(
            f"no task is called {name}{suggestion(name or '', known)}; there are: {listed(known)}"
        )
    return spelt


def _all_tasks() -> set[str]:
    return {recipe.path.parent.name for recipe in recipes().values()}


def _is_wanted(row: Row, pattern: str | None, task: str | None, trained: bool) -> bool:
    if (task and task not in row.get("tasks", [row.get("task")])) or (
        trained and not row.get("trained")
    ):
        return False
    pattern = (pattern or "*").lower()
    wanted = pattern if any(sign in pattern for sign in "*?[") else f"*{pattern}*"
    return fnmatch(row["name"].lower(), wanted)


# Rows, as JSON has them


def _models() -> Iterator[Row]:
    for definition in architectures().values():
        own = [recipe for recipe in recipes().values() if recipe.model == definition.name]
        parameters = definition.header.get("Size", "").partition(" ")[0].replace(",", "")
        yield {
            "name": definition.name,
            "task": definition.family,
            "summary": definition.summary,
            "paper": definition.header.get("Paper"),
            "parameters": int(parameters) if parameters.isdecimal() else None,
            "recipes": [recipe.name for recipe in own],
            "trained": [recipe.name for recipe in own if recipe.name in bundled()],
            "results": [_result(line) for line in definition.results],
        }


def _corpora() -> Iterator[Row]:
    for definition in corpora().values():
        yield {
            "name": definition.name,
            "tasks": _tasks(definition),
            "summary": definition.summary,
            "source": definition.header.get("Source"),
            "recipes": [r.name for r in recipes().values() if r.corpus == definition.name],
        }


def _tasks(corpus: Definition) -> list[str]:
    """Returns the tasks that a corpus is for, those of most recipes first."""
    counts = _recipes_by_batch().get(_batch(corpus), Counter())
    own = Counter(r.path.parent.name for r in recipes().values() if r.corpus == corpus.name)
    return [task for task, _ in (own or counts).most_common()]


@cache
def _recipes_by_batch() -> dict[str, Counter[str]]:
    """Returns how many recipes of each task train on batches of a kind."""
    found: dict[str, Counter[str]] = {}
    for recipe in recipes().values():
        batch = _batch(corpora()[recipe.corpus])
        found.setdefault(batch, Counter())[recipe.path.parent.name] += 1
    return found


def _batch(corpus: Definition) -> str:
    return corpus.header.get("Batch", "").partition(", or ")[0]


def _recipes() -> Iterator[Row]:
    for recipe in recipes().values():
        yield {
            "name": recipe.name,
            "task": recipe.path.parent.name,
            "summary": recipe.summary,
            "model": recipe.model,
            "corpus": recipe.corpus,
            "trained": recipe.name in bundled(),
            "result": _result(recipe.result) if recipe.result else None,
        }


def _overlays() -> Iterator[Row]:
    for name, overlay in overlays().items():
        yield {"name": f"+{name}", "summary": overlay.summary}


def _result(line: str) -> Row:
    """Returns a line `Result:` of a header: what was measured, on what, and after how long."""
    name, _, text = line.partition(": ")
    said, _, after = text.partition(" after ")
    values = re.findall(r"(?:^|, )(?:and )?(.+?) (-?[\d.]+(?:e[-+]?\d+)?)(?=, |$)", said)
    length = re.match(r"([\d,]+) (epoch|step)", after)
    seed, day = re.search(r"seed (\d+)", after), re.search(r"20\d\d-\d\d-\d\d", after)
    data = re.search(r"\((real|synthetic|generated)", after)
    return {
        "recipe": name,
        "corpus": recipes()[name].corpus if name in recipes() else None,
        "metrics": {metric: float(value) for metric, value in values},
        **({f"{length[2]}s": int(length[1].replace(",", ""))} if length else {}),
        "data": data[1] if data else None,
        "seed": int(seed[1]) if seed else None,
        "date": day[0] if day else None,
        "text": text,
    }


# Lines


def _lines(kind: str, rows: list[Row], width: int) -> Iterator[str]:
    """Yields an empty line, a title, and the rows of each task, in lines of the width."""
    yield from ["", f"{kind}: {len(rows)}{HINTS[kind]}"]
    order = {task: None for row in rows for task in row.get("tasks", [row.get("task")])[:1]}
    rows = sorted(rows, key=lambda row: [*order].index(_group(row)) if _group(row) in order else 99)
    for task, some in groupby(rows, _group):
        if kind != "overlays":
            yield from ["", task]
        cells = [_cells(kind, row, width) for row in some]
        widths = [max(len(row[column]) for row in cells) for column in range(len(cells[0]) - 1)]
        for *first, last in cells:
            right = (
                str.rjust if (kind, column) == ("models", 1) else str.ljust
                for column in range(len(first))
            )
            head = "".join(f"  {fit(c, w)}" for fit, c, w in zip(right, first, widths, strict=True))
            yield from _with(head, last, width)


def _group(row: Row) -> str:
    return (row.get("tasks") or [row.get("task") or OTHER])[0]


def _with(head: str, text: str, width: int) -> Iterator[str]:
    """Yields lines of a head and a text beside it, below where there is little room; names whole.

    Args:
        head: Cells of a row but the last.
        text: The last.
        width: Columns.
    """
    beside = width - len(head) - 2 >= min(LEAST, len(text))
    first, rest = (f"{head}  ", " " * (len(head) + 2)) if beside else ("      ", "      ")
    if not beside:
        head = head.rstrip()
        if len(head) + 2 + len(text) <= width:  # moved to the left
            yield f"{head}{text.rjust(width - len(head))}".replace(WHOLE, " ")
            return
        yield head
    for line in wrap(
        text,
        max(width, len(first) + LEAST),
        initial_indent=first,
        subsequent_indent=rest,
        break_long_words=False,
        break_on_hyphens=False,
    ):
        yield line.replace(WHOLE, " ")


def _cells(kind: str, row: Row, width: int) -> list[str]:
    """Returns the cells of a row, of which the last may stand in a line of its own."""
    if kind == "models":
        paper = [_authors_and_year(row["paper"] or "")] if width >= WIDE[kind] else []
        size = "" if row["parameters"] is None else _rounded(row["parameters"])
        return [row["name"], size, *paper, _best(row["results"])]
    if kind == "recipes":
        result = _first(row["result"]) if row["result"] else "not measured"
        return [row["name"], result, *([row["summary"]] if width >= WIDE[kind] else [])]
    return [row["name"], row["summary"]]


def _best(results: list[Row]) -> str:
    """Returns the result that tells most, with its recipe, which ends with its corpus."""
    if not results:
        return "not measured"
    best = min(results, key=lambda result: [result["text"].startswith(b) for b in BEST].index(True))
    more = f"{WHOLE}(+{len(results) - 1})" if len(results) > 1 else ""
    return f"{_first(best)}, {best['recipe']}{more}"


def _rounded(count: int) -> str:
    """Returns 61.7k of 61,706, 11.7M of 11,689,512."""
    for size, unit in ((10**9, "G"), (10**6, "M"), (10**3, "k")):
        if count >= size:
            return f"{count / size:.1f}{unit}"
    return str(count)


def _first(result: Row) -> str:
    """Returns the first figure: `test loss 0.3` of `test loss 0.3, accuracy 0.88 after ...`."""
    return result["text"].partition(" after")[0].partition(", ")[0]


def _authors_and_year(paper: str) -> str:
    """Returns `Cho et al. 2014` of the whole reference."""
    found = re.match(r"(.*?)\b((?:1[89]|20)\d\d)\b", paper)
    if not found:
        return paper
    authors = re.split(r", | and ", found[1].strip())
    who = found[1].strip() if len(authors) < 3 else f"{authors[0]} et al."
    return f"{who} {found[2]}"


HINTS = {  # what more there is to know
    "models": "; `zoo show NAME` has all results, of which the first is here",
    "corpora": "; `zoo show NAME` says where each comes from",
    "recipes": "; `zoo fit NAME` trains one, `zoo fit NAME --help` has its options",
    "overlays": "; `zoo fit RECIPE +NAME` adds one",
}
KINDS: dict[str, Callable[[], Iterable[Row]]] = {
    "models": _models,
    "corpora": _corpora,
    "recipes": _recipes,
    "overlays": _overlays,
}
