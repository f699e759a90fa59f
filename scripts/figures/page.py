"""The page that shows the figures: one hand-written HTML file, by topic, for any screen."""

import re
from collections.abc import Sequence
from html import escape
from itertools import groupby
from pathlib import Path

from scripts.figures.catalogue import Drawing

STYLE = Path(__file__).with_name("page.css")


def index(drawings: Sequence[Drawing], folder: Path) -> str:
    """The page of the figures whose PNG is in a folder, beside which it will lie."""
    shown = [drawing for drawing in drawings if (folder / drawing.file).is_file()]
    topics = [(topic, list(group)) for topic, group in groupby(shown, lambda d: d.topic)]
    links = "\n".join(
        f'<a href="#topic-{place}"><b>{number}</b>{escape(title)}</a>'
        for place, ((number, title), _) in enumerate(topics, 1)
    )
    sections = "\n".join(
        f'<section>\n<h2 id="topic-{place}"><b>Topic {number}</b>{escape(title)}</h2>\n'
        + "\n".join(_figure(drawing, folder) for drawing in group)
        + "\n</section>"
        for place, ((number, title), group) in enumerate(topics, 1)
    )
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Figures of the course</title>
<style>
{STYLE.read_text(encoding="utf-8")}</style>
</head>
<body>
<header>
<h1>Figures of the course</h1>
<p>Computed from formulas and from training runs by <code>python -m scripts.figures</code>.</p>
<nav aria-label="Topics">
{links}
</nav>
</header>
<main>
{sections}
</main>
</body>
</html>
"""


def _figure(drawing: Drawing, folder: Path) -> str:
    file, title = escape(drawing.file), escape(drawing.title)
    # Width and height are the first fields of a PNG: with them the page does not jump as it loads.
    head = (folder / drawing.file).read_bytes()[16:24]
    width, height = int.from_bytes(head[:4], "big"), int.from_bytes(head[4:], "big")
    return f"""<figure id="{file.removesuffix(".png")}">
<div class="picture"><a href="{file}" title="full size">
<img src="{file}" alt="{title}" width="{width}" height="{height}" loading="lazy"></a></div>
<figcaption>
<h3>{_marked(drawing.title)}</h3>
<p>{_marked(drawing.caption)}</p>
<p class="source">{_marked(drawing.source)}</p>
</figcaption>
</figure>"""


def _marked(text: str) -> str:
    """HTML of a docstring's text: what is between backticks is code."""
    return re.sub(r"`(.+?)`", r"<code>\1</code>", escape(text))
