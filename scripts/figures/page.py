"""The page that shows the figures: one hand-written HTML file, by topic, for any screen."""

import re
from collections.abc import Sequence
from html import escape
from itertools import groupby
from pathlib import Path

from scripts.figures.catalogue import Drawing

STYLE = """
:root {
  color-scheme: light dark;
  --paper: #f7f6f3; --card: #fff; --ink: #22262b; --soft: #626973; --line: #e3e0d9;
  --accent: #2f6fb0;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #15171a; --card: #1d2024; --ink: #e4e6e9; --soft: #9ba2ac; --line: #30353b;
    --accent: #7fb2e5;
  }
  .picture { filter: brightness(0.9); }
}
* { box-sizing: border-box; }
html { scroll-behavior: smooth; -webkit-text-size-adjust: 100%; }
body {
  margin: 0 auto; max-width: 61rem; padding: 3rem 1.25rem 5rem;
  background: var(--paper); color: var(--ink);
  font: 1rem/1.6 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif;
}
a { color: var(--accent); text-decoration: none; }
a:hover { text-decoration: underline; }
h1, h2, h3 { line-height: 1.25; text-wrap: balance; }
h1 { margin: 0; font-size: clamp(1.8rem, 5vw, 2.5rem); letter-spacing: -0.02em; }
header p { margin: 0.5rem 0 1.5rem; color: var(--soft); }
nav { display: flex; flex-wrap: wrap; gap: 0.5rem; }
nav a {
  padding: 0.3rem 0.8rem; border: 1px solid var(--line); border-radius: 2rem;
  background: var(--card); color: var(--ink); font-size: 0.9rem;
}
nav b, h2 b { margin-right: 0.5em; color: var(--accent); font-weight: 600; }
h2 {
  margin: 3.5rem 0 1.25rem; padding-top: 1rem; border-top: 1px solid var(--line);
  font-size: 1.5rem; letter-spacing: -0.01em;
}
figure {
  margin: 0 0 2rem; border: 1px solid var(--line); border-radius: 0.75rem;
  background: var(--card); overflow: hidden;
}
/* A narrow screen scrolls a wide figure instead of shrinking its text. */
.picture { overflow-x: auto; background: #fff; }
img { display: block; width: 100%; min-width: 40rem; height: auto; padding: 0.75rem; }
figcaption { padding: 1rem 1.25rem 1.25rem; border-top: 1px solid var(--line); }
h3 { margin: 0 0 0.35rem; font-size: 1.08rem; }
figcaption p { margin: 0; max-width: 46rem; }
figcaption .source { margin-top: 0.5rem; color: var(--soft); font-size: 0.875rem; }
code { font: 0.9em ui-monospace, "SF Mono", Consolas, monospace; overflow-wrap: anywhere; }
@media (max-width: 40rem) {
  body { padding: 1.75rem 0.75rem 3rem; }
  figcaption { padding: 0.9rem 1rem 1rem; }
}
"""


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
<style>{STYLE}</style>
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
