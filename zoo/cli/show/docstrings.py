"""What the docstring of a class says, and each of its options with its default. No torch."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from docstring_parser import DocstringStyle, parse

from zoo.catalogue import Definition, arguments, corpora, definitions, facts, lineage

AS_YAML = {"adam": "Adam"}  # a default made by a function, as the command spells it


class Docstring(NamedTuple):
    """The parts of a docstring in Google's style.

    Attributes:
        paragraphs: Summary and further paragraphs; a formula keeps its lines.
        arguments: Text of each argument by name.
        errors: Text of each error by class name.
    """

    paragraphs: list[str]
    arguments: dict[str, str]
    errors: dict[str, str]


class Option(NamedTuple):
    """An argument of a model or a corpus.

    Attributes:
        name: Name of the argument, as in `--model.NAME`, `--data.NAME`.
        default: Default as YAML; None where a value is required.
        text: Text of the docstring.
        owner: Name of the class whose `__init__` has it: the class itself, or a base.
        linked: Whether a corpus may set it.
    """

    name: str
    default: str | None
    text: str
    owner: str
    linked: bool


def read(docstring: str) -> Docstring:
    """Returns the parts of a docstring."""
    said = parse(docstring, DocstringStyle.GOOGLE)
    arguments = {each.arg_name: each.description for each in said.params}
    errors = {each.type_name or "": each.description for each in said.raises}
    return Docstring(
        re.split(r"\n{2,}", said.description or ""), _in_lines(arguments), _in_lines(errors)
    )


def _in_lines(texts: dict[str, str | None]) -> dict[str, str]:
    return {name: " ".join((text or "").split()) for name, text in texts.items()}


def options_of(definition: Definition) -> list[Option]:
    """Returns the options of a model or a corpus: its own first, then those of each base."""
    paths = [definition.class_path, *lineage(definition, definitions())]
    order = reversed(dict.fromkeys(reversed(paths)))  # a base of several comes after them
    classes = [definitions()[path] for path in order if path in definitions()]
    fillable = _facts() if definition.class_path.startswith("zoo.") else frozenset()
    known, found = arguments(definition, definitions()), dict[str, Option]()
    for owner in classes:
        for name in owner.arguments:
            if name in known and name not in found:
                said = (read(each.docstring).arguments for each in classes)
                text = next((items[name] for items in said if name in items), "")
                default = _defaults(owner.path)[owner.name].get(name)
                found[name] = Option(name, default, text, owner.name, name in fillable)
    return list(found.values())


@cache
def _facts() -> frozenset[str]:
    """Returns the facts that any corpus offers."""
    every = (facts(corpus, definitions()) for corpus in corpora().values())
    return frozenset(name for names in every for name in names)


@cache
def _defaults(path: Path) -> dict[str, dict[str, str]]:
    """Returns the defaults of `__init__` of each class of a file."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    assigned = [node for node in tree.body if isinstance(node, ast.Assign)]
    constants = {ast.unparse(node.targets[0]): node.value for node in assigned}
    found: dict[str, dict[str, str]] = {}
    for node in tree.body:
        if isinstance(node, ast.ClassDef):
            functions = (item for item in node.body if isinstance(item, ast.FunctionDef))
            init = next((each for each in functions if each.name == "__init__"), None)
            pairs = _pairs(init.args) if init else ()
            found[node.name] = {name: _as_yaml(value, constants) for name, value in pairs}
    return found


def _pairs(given: ast.arguments) -> Iterator[tuple[str, ast.expr]]:
    if given.defaults:
        for argument, value in zip(given.args[-len(given.defaults) :], given.defaults, strict=True):
            yield argument.arg, value
    for argument, default in zip(given.kwonlyargs, given.kw_defaults, strict=True):
        if default is not None:
            yield argument.arg, default


def _as_yaml(value: ast.expr, constants: dict[str, ast.expr]) -> str:
    """Returns a default as YAML; one that is computed, as it is written."""
    text = ast.unparse(value)
    try:
        return _yaml(ast.literal_eval(constants.get(text, value)))
    except ValueError:
        return AS_YAML.get(text, text)


def _yaml(value: Any) -> str:
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_yaml, value))}]"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{key}: {_yaml(item)}' for key, item in value.items())}}}"
    words = {None: "null", True: "true", False: "false"}
    return words[value] if value is None or isinstance(value, bool) else str(value) or "''"
