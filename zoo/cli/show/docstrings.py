"""What the docstring of a class says, and each of its options with its default. No torch."""

import ast
import re
from collections.abc import Collection, Iterator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from docstring_parser import DocstringStyle, parse

from zoo.catalogue import (
    Definition,
    ancestry,
    arguments,
    corpora,
    definitions,
    facts,
    lineage,
)

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
        choices: Values that it may have, as YAML; empty where there are others.
    """

    name: str
    default: str | None
    text: str
    owner: str
    linked: bool
    choices: tuple[str, ...] = ()


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


def options_of(definition: Definition, fillable: Collection[str] | None = None) -> list[Option]:
    """Returns the options of a model or a corpus: its own first, then those of each base.

    Args:
        definition: Definition of its class.
        fillable: Names of the arguments that a corpus sets; by default those that any corpus does.
    """
    bases = ancestry(definition.class_path)
    paths = [definition.class_path, *lineage(definition, bases)]
    order = reversed(dict.fromkeys(reversed(paths)))  # a base of several comes after them
    classes = [bases[path] for path in order if path in bases]
    if fillable is None:
        fillable = _facts() if definition.class_path.startswith("zoo.") else frozenset()
    known, found = arguments(definition, bases), dict[str, Option]()
    said = [read(each.docstring).arguments for each in classes]
    for owner in classes:
        for name in owner.arguments:
            if name in known and name not in found:
                text = next((items[name] for items in said if name in items), "")
                default, choices = signature(owner.path, owner.name)[name]
                found[name] = Option(name, default, text, owner.name, name in fillable, choices)
    return list(found.values())


@cache
def _facts() -> frozenset[str]:
    """Returns the facts that any corpus offers."""
    every = (facts(corpus, definitions()) for corpus in corpora().values())
    return frozenset(name for names in every for name in names)


Arguments = dict[str, tuple[str | None, tuple[str, ...]]]  # default and choices, as YAML


@cache
def signature(path: Path, name: str) -> Arguments:
    """Returns each argument of `__init__` of a class in a file: its default and its choices."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    constants = _constants(tree)
    for node in tree.body:
        if isinstance(node, ast.ImportFrom):  # of a neighbour, where a Literal may have its name
            beside = path.with_name(f"{(node.module or '').rpartition('.')[2]}.py")
            if beside.parent.name in (node.module or "").split(".") and beside.is_file():
                theirs = _constants(ast.parse(beside.read_text(encoding="utf-8")))
                constants |= {
                    each.name: theirs[each.name] for each in node.names if each.name in theirs
                }
    node = next(n for n in tree.body if isinstance(n, ast.ClassDef) and n.name == name)
    return signature_of(node, constants)


def signature_of(node: ast.ClassDef, constants: dict[str, ast.expr]) -> Arguments:
    """Returns each argument of `__init__` of a class, where the names of its module are known."""
    functions = (item for item in node.body if isinstance(item, ast.FunctionDef))
    init = next((each for each in functions if each.name == "__init__"), None)
    if init is None:
        return {}
    defaults = {name: _as_yaml(value, constants) for name, value in _pairs(init.args)}
    return {
        each.arg: (defaults.get(each.arg), _choices(each.annotation, constants))
        for each in (*init.args.args[1:], *init.args.kwonlyargs)
    }


def _constants(tree: ast.Module) -> dict[str, ast.expr]:
    assigned = [node for node in tree.body if isinstance(node, ast.Assign)]
    return {ast.unparse(node.targets[0]): node.value for node in assigned}


def _choices(annotation: ast.expr | None, constants: dict[str, ast.expr]) -> tuple[str, ...]:
    """Returns the values of a truth value or a `Literal`, () where there are others, too."""
    if isinstance(annotation, ast.BinOp):  # X | None
        sides = [_choices(side, constants) for side in (annotation.left, annotation.right)]
        return sides[0] + sides[1] if all(sides) else ()
    text = ast.unparse(annotation) if annotation else ""
    if text in constants:
        return _choices(constants[text], constants)
    if text.startswith("Literal["):
        return tuple(map(_yaml, ast.literal_eval(f"({text[8:-1]},)")))
    return {"bool": ("true", "false"), "None": ("null",)}.get(text, ())


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
    if re.fullmatch(r"[\d.]+ / [\d.]+", text):
        dividend, divisor = map(float, text.split(" / "))
        return str(dividend / divisor)
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
