"""Pieces of a model card in Markdown."""

from collections.abc import Iterable, Iterator, Sequence
from html import escape
from importlib.metadata import PackageNotFoundError, metadata
from typing import Any


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """The lines of a table."""
    for cells in (header, ["---"] * len(header)):
        yield f"| {' | '.join(cells)} |"
    for row in rows:
        yield f"| {' | '.join(cell(text) if text else '' for text in row)} |"


def cell(text: str) -> str:
    """Text that neither ends a cell nor is taken for HTML."""
    return escape(" ".join(text.split()) or repr(text), quote=False).replace("|", "\\|")


def code(text: str) -> str:
    """Text in a code span, which an own backtick would end."""
    shown = text.replace("`", "'") if text.strip() else repr(text)
    return f"`{shown}`"


def licence() -> str:
    """The zoo's licence, and what it does not cover."""
    return f"{_own_licence()} (the zoo); what was learnt is subject to the corpus's terms"


def _own_licence() -> str:
    try:
        own: Any = metadata("deep-learning-zoo")
    except PackageNotFoundError:
        return "MIT"
    return own.get("License-Expression") or own.get("License") or "MIT"
