"""Which figures there are: found by walking this folder, listed nowhere.

A topic is a module with `TOPIC = (number, title)`; each of its public functions that takes `Runs`
and returns a `Figure` is a figure, in the order of the source.
"""

import inspect
import re
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pkgutil import iter_modules

from matplotlib.figure import Figure

import scripts.figures
from scripts.figures.runs import Runs


@dataclass(frozen=True)
class Drawing:
    """A figure that can be drawn, with what its docstring says of it.

    Attributes:
        topic: Number and title.
        draw: Draws it, from runs of recipes where it needs them.
        file: Name of its PNG.
        title: The docstring's first line.
        caption: What to see: the paragraphs between the first and the source.
        source: What it is made from: the paragraph that begins with "Made from".
    """

    topic: tuple[int, str]
    draw: Callable[[Runs], Figure]
    file: str
    title: str
    caption: str
    source: str


def drawings() -> list[Drawing]:
    """All figures, in the order of the topics."""
    names = [module.name for module in iter_modules(scripts.figures.__path__)]
    modules = [import_module(f"scripts.figures.{name}") for name in names if name != "__main__"]
    topics = [module for module in modules if hasattr(module, "TOPIC")]
    return [
        _describe(module.TOPIC, value)
        for module in sorted(topics, key=lambda module: module.TOPIC)
        for value in vars(module).values()
        if inspect.isfunction(value) and value.__module__ == module.__name__ and _draws(value)
    ]


def _draws(function: Callable[..., object]) -> bool:
    types = inspect.get_annotations(function)
    return function.__name__[0] != "_" and types == {"runs": Runs, "return": Figure}


def _describe(topic: tuple[int, str], draw: Callable[[Runs], Figure]) -> Drawing:
    name = draw.__name__.replace("_", "-")
    paragraphs = re.split(r"\n\s*\n", inspect.getdoc(draw) or name)
    title, *rest = (" ".join(paragraph.split()) for paragraph in paragraphs)
    caption = [text for text in rest if not text.startswith("Made from")]
    source = [text for text in rest if text.startswith("Made from")]
    return Drawing(
        topic=topic,
        draw=draw,
        file=f"{topic[0]}-{name}.png",
        title=title.removesuffix("."),
        caption=" ".join(caption),
        source=" ".join(source),
    )
