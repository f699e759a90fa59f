"""Docstrings, read: what a class says, and each of its options with its default. No torch."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from zoo.catalogue import Definition, arguments, corpora, definitions, facts, lineage

SPELT = {  # defaults of another module or made by a function, as the command spells them
    "adam": "Adam",
    "backbones.RESNET": "zoo.image_classification.resnet.ResNet",
}
SECTION = re.compile(r"(Args|Raises):")
ITEM = re.compile(r" {4}(\w+): (.*)")


class Docstring(NamedTuple):
    """The parts of a docstring in Google's style.

    Attributes:
        paragraphs: The first is the summary; lines of one that is set off are kept.
        sections: Args and Raises: name -> what is said of it.
    """

    paragraphs: list[str]
    sections: dict[str, dict[str, str]]


class Option(NamedTuple):
    """An argument of a model or a corpus.

    Attributes:
        name: As it is given: `--model.NAME`, `--data.NAME`.
        default: As YAML has it; none where it has to be given.
        text: What it is.
        owner: Name of the class that takes it: the class itself, or a base.
        linked: Whether a corpus may fill it.
    """

    name: str
    default: str | None
    text: str
    owner: str
    linked: bool


def read(docstring: str) -> Docstring:
    """Parts a docstring."""
    prose: list[str] = []
    sections: dict[str, dict[str, str]] = {}
    items: dict[str, str] | None = None
    name = ""
    for line in docstring.splitlines():
        if title := SECTION.fullmatch(line):
            items = sections.setdefault(title[1], {})
        elif items is None or (line and not line.startswith(" ")):
            items = None
            prose.append(line)
        elif item := ITEM.match(line):
            name, items[item[1]] = item[1], item[2]
        elif line:
            items[name] += f" {line.strip()}"
    return Docstring(re.split(r"\n{2,}", "\n".join(prose).strip()), sections)


def options(definition: Definition) -> list[Option]:
    """The options of a model or a corpus: its own first, then those of each base."""
    paths = [definition.class_path, *lineage(definition, definitions())]
    order = reversed(dict.fromkeys(reversed(paths)))  # a base of several comes after them
    classes = [definitions()[path] for path in order if path in definitions()]
    fillable = _facts() if definition.class_path.startswith("zoo.") else frozenset()
    known, found = arguments(definition, definitions()), dict[str, Option]()
    for owner in classes:
        for name in owner.arguments:
            if name in known and name not in found:
                said = (read(each.docstring).sections.get("Args", {}) for each in classes)
                text = next((items[name] for items in said if name in items), "")
                default = _defaults(owner.path)[owner.name].get(name)
                found[name] = Option(name, default, text, owner.name, name in fillable)
    return list(found.values())


@cache
def _facts() -> frozenset[str]:
    """The facts that any corpus offers."""
    every = (facts(corpus, definitions()) for corpus in corpora().values())
    return frozenset(name for names in every for name in names)


@cache
def _defaults(path: Path) -> dict[str, dict[str, str]]:
    """Of each class of a file the defaults of `__init__`."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    assigned = [node for node in tree.body if isinstance(node, ast.Assign)]
    constants = {ast.unparse(node.targets[0]): node.value for node in assigned}
    found: dict[str, dict[str, str]] = {}
    for node in tree.body:
        if isinstance(node, ast.ClassDef):
            functions = (item for item in node.body if isinstance(item, ast.FunctionDef))
            init = next((each for each in functions if each.name == "__init__"), None)
            pairs = _pairs(init.args) if init else ()
            found[node.name] = {name: _spelt(value, constants) for name, value in pairs}
    return found


def _pairs(taken: ast.arguments) -> Iterator[tuple[str, ast.expr]]:
    if taken.defaults:
        for argument, value in zip(taken.args[-len(taken.defaults) :], taken.defaults, strict=True):
            yield argument.arg, value
    for argument, default in zip(taken.kwonlyargs, taken.kw_defaults, strict=True):
        if default is not None:
            yield argument.arg, default


def _spelt(value: ast.expr, constants: dict[str, ast.expr]) -> str:
    """A default as YAML has it; one that is computed, as it is written."""
    text = ast.unparse(value)
    try:
        return _yaml(ast.literal_eval(constants.get(text, value)))
    except ValueError:
        return SPELT.get(text, text)


def _yaml(value: Any) -> str:
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_yaml, value))}]"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{key}: {_yaml(item)}' for key, item in value.items())}}}"
    words = {None: "null", True: "true", False: "false"}
    return words[value] if value is None or isinstance(value, bool) else str(value) or "''"
