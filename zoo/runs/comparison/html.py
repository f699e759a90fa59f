"""compare --html: one page with tables that sort, curves and pictures, and nothing outside it."""

import base64
import hashlib
from collections.abc import Iterator, Sequence
from datetime import date
from html import escape
from itertools import groupby
from math import isfinite
from pathlib import Path

from zoo.runs.comparison.pictures import embedded
from zoo.runs.comparison.series import panels
from zoo.runs.comparison.svg import figure
from zoo.runs.comparison.table import (
    Cell,
    Group,
    Quantity,
    averaged,
    quantities,
    seed_groups,
    shared_settings,
)
from zoo.runs.history import Run
from zoo.runs.rounding import short_names
from zoo.version import zoo_version

HERE = Path(__file__).parent
# Of eight runs, told apart on white and on black, and by those who see few colours.
LIGHT = ["#2a78d6", "#d9541e", "#148f63", "#b07a00", "#c9447c", "#4a3aa7", "#5c7a12", "#0a7f93"]
DARK = ["#5b9dee", "#f08552", "#3cc492", "#e2ad3a", "#ee86b0", "#a196f0", "#a7c753", "#4fc3d6"]
FEW = 4  # settings that stand before the results
STAGES = {"val": "validation", "test": "test", "train": "training"}  # what counts comes first


def page(runs: Sequence[Run], title: str) -> str:
    """The page: results, means over seeds, curves, pictures and the settings that all share.

    All that comes from the runs is escaped, and the policy lets no script run but the page's own
    nor anything be fetched.

    Args:
        runs: What is compared.
        title: Of the page.
    """
    groups = seed_groups(runs)
    names = [group.name for group in groups]
    script = (HERE / "page.js").read_text(encoding="utf-8")
    style = (HERE / "page.css").read_text(encoding="utf-8") + _palette(len(groups))
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    allowed = f"img-src data:; style-src 'unsafe-inline'; script-src 'sha256-{digest}'"
    policy = f"default-src 'none'; {allowed}"
    parts = [
        f"<header><h1>{escape(title)}</h1><p>{_counted(len(runs), 'run')}, compared on "
        f"{date.today():%d %B %Y} by zoo {escape(zoo_version())}</p></header>",
        *_results(runs, groups),
        *_curves(runs, groups, names),
        *_pictures(runs),
        *_shared(runs),
    ]
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<link rel="icon" href="data:,">\n'
        f"<title>{escape(title)}</title>\n<style>\n{style}</style>\n</head>\n<body>\n<main>\n"
        + "\n".join(parts)
        + '\n</main>\n<div class="tip" hidden></div>\n<dialog></dialog>\n'
        f"<script>{script}</script>\n</body>\n</html>\n"
    )


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _palette(number: int) -> str:
    """A colour for each run or group, one for light and one for dark."""
    hues = [f"{360 * i / number:.0f}" for i in range(number)]
    few = number <= len(LIGHT)
    light = LIGHT if few else [f"hsl({hue} 62% 42%)" for hue in hues]
    dark = DARK if few else [f"hsl({hue} 68% 66%)" for hue in hues]
    rules = [f".s{i} {{ color: {light[i]}; }}" for i in range(number)]
    darker = [f".s{i} {{ color: {dark[i]}; }}" for i in range(number)]
    return "\n".join([*rules, "@media (prefers-color-scheme: dark) {", *darker, "}", ""])


def _results(runs: Sequence[Run], groups: Sequence[Group]) -> Iterator[str]:
    rows = _arranged(quantities(runs))
    subjects = {i: subject for subject, group in enumerate(groups) for i in group.members}
    yield "<section><h2>Results</h2>"
    own = [subjects[i] for i in range(len(runs))]
    yield _table("table0", [run.name for run in runs], own, rows)
    if len(runs) > 1 and not any(row.kind == "setting" for row in rows):
        yield '<p class="note">No settings differ.</p>'
    if any(len(group.members) > 1 for group in groups):
        yield "<h2>Over seeds</h2>"
        names, means = [group.name for group in groups], averaged(rows, groups)
        yield _table("table1", names, list(range(len(groups))), means)
        yield '<p class="note">Mean ± standard deviation (number of runs).</p>'
    yield "</section>"


def _table(
    identity: str, names: Sequence[str], subjects: Sequence[int], rows: Sequence[Quantity]
) -> str:
    """A line a run or group; the columns that belong together have a common header."""
    short = short_names([row.name for row in rows if row.kind == "setting"])
    kinds, heads = ["<th></th>"], [_head("run", "", "")]
    firsts = set()
    for kind, members in groupby(rows, _kind):
        columns = list(members)
        firsts.add(id(columns[0]))
        kinds.append(f'<th class="first" colspan="{len(columns)}">{kind}</th>')
        heads += [_head(_label(row, short), row.title, _classes(row, firsts)) for row in columns]
    body = []
    for index, (name, subject) in enumerate(zip(names, subjects, strict=True)):
        dot = f'<span class="swatch s{subject}"></span>'
        cells = [f'<th scope="row" data-value="{escape(name)}"><div>{dot}{escape(name)}</div></th>']
        cells += [_cell(row, row.cells[index], _classes(row, firsts)) for row in rows]
        body.append(f"<tr>{''.join(cells)}</tr>")
    return (
        f'<div class="card scroll"><table class="sortable" id="{identity}"><thead>'
        f'<tr class="kinds">{"".join(kinds)}</tr><tr>{"".join(heads)}</tr></thead>'
        f"<tbody>{''.join(body)}</tbody></table></div>"
    )


def _arranged(rows: Sequence[Quantity]) -> list[Quantity]:
    """Columns from the left: settings, results, costs; many settings come last."""
    settings = [row for row in rows if row.kind == "setting"]
    costs = [row for row in rows if row.kind == "cost"]
    stages = {row.name: row.name.partition("/")[0] for row in rows if row.kind == "metric"}
    order = {stage: place for place, stage in enumerate(STAGES)}
    metrics = sorted(
        (row for row in rows if row.kind == "metric"),
        key=lambda row: order.get(stages[row.name], -1),
    )
    few = len(settings) <= FEW
    return [*(settings if few else ()), *metrics, *costs, *(() if few else settings)]


def _kind(row: Quantity) -> str:
    if row.kind != "metric":
        return {"setting": "settings", "cost": "cost"}[row.kind]
    return STAGES.get(row.name.partition("/")[0], "")


def _label(row: Quantity, short: dict[str, str]) -> str:
    stage, _, rest = row.name.partition("/")
    name = short.get(row.name) or (rest if stage in STAGES else row.name)
    return name.removesuffix("_epoch") + (" (best)" if row.best else "")


def _classes(row: Quantity, firsts: set[int]) -> str:
    return " ".join(([row.kind] if row.kind == "setting" else []) + ["first"] * (id(row) in firsts))


def _head(label: str, title: str, classes: str) -> str:
    return (
        f'<th scope="col" class="{classes}" aria-sort="none" title="{escape(title)}">'
        f'<button type="button">{escape(label)}</button></th>'
    )


def _cell(row: Quantity, cell: Cell, classes: str) -> str:
    known = "" if cell.text == "-" else cell.text
    value = repr(cell.value) if isfinite(cell.value) else known
    text = cell.text
    if row.name.endswith("class_path"):
        text = text.rpartition(".")[2]
    if cell.value == row.winner:
        classes += " best"
    elif not known:
        classes += " none"
    shown, sign, spread = text.partition(" ± ")
    inner = escape(shown) + (f'<span class="pm"> ± {escape(spread)}</span>' if sign else "")
    return f'<td class="{classes.strip()}" data-value="{escape(value)}"><div>{inner}</div></td>'


def _curves(runs: Sequence[Run], groups: Sequence[Group], names: list[str]) -> Iterator[str]:
    yield '<section><h2>Learning curves</h2><div class="legend">'
    for subject, name in enumerate(names):
        dot = f'<span class="swatch s{subject}"></span>'
        yield (
            f'<button type="button" class="chip" aria-pressed="false">{dot}{escape(name)}</button>'
        )
    yield '<span class="key"><span><i class="thin"></i>training</span>'
    yield "<span><i></i>validation</span></span></div>"
    yield '<div class="panels">'
    yield from (figure(panel, names) for panel in panels(runs, groups))
    yield "</div></section>"


def _pictures(runs: Sequence[Run]) -> Iterator[str]:
    """Pictures of the same name side by side."""
    found, left_out = embedded(runs)
    if not found and not left_out:
        return
    yield "<section><h2>Pictures</h2>"
    for name, pictures in found.items():
        yield f'<h3>{escape(name)}</h3><div class="pictures">'
        for run, address in pictures:
            title = escape(f"{name} of {run}")
            yield (
                f'<figure class="picture"><button type="button" class="shown">'
                f'<img src="{address}" alt="{title}" loading="lazy"></button>'
                f"<figcaption>{escape(run)}</figcaption></figure>"
            )
        yield "</div>"
    yield from (f'<p class="note">{escape(text)}</p>' for text in left_out)
    yield "</section>"


def _shared(runs: Sequence[Run]) -> Iterator[str]:
    if shared := shared_settings(runs):
        items = (f"<dt>{escape(k)}</dt><dd>{escape(v)}</dd>" for k, v in shared.items())
        title = "Settings" if len(runs) == 1 else "Settings that all share"
        yield f'<h2>{title}</h2><details class="card"><summary>{len(shared)} settings</summary>'
        yield f"<dl>{''.join(items)}</dl></details>"
