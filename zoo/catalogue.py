"""What the zoo holds, read from the source text: nothing is imported, so nothing can break it.

An architecture is a public class in a module whose docstring has a `Paper:` line and whose bases
lead to `zoo.task.Task`; a corpus is a public class whose bases lead to
`datamodules.corpus.Corpus`.
"""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

HEADER = re.compile(r"^(Paper|Shapes|Size|Config|Result|Source|Batch): *(.*(?:\n {2,}.*)*)", re.M)


@dataclass(frozen=True)
class Definition:
    """A class as its source text shows it.

    Attributes:
        name: Of the class.
        class_path: Module and class, as recipes write it.
        path: Of the source file.
        summary: First line of the docstring of the class.
        docstring: Of the class, whole.
        header: The `Paper:`, `Shapes:` ... lines of the module; continuation lines joined by " ".
        results: The `Result:` lines of the module, one a recipe.
        bases: Class paths of the direct bases.
        arguments: Of `__init__`, without self and `**`: name -> whether it has a default.
        passes_on: Whether `__init__` takes `**` and hands it to its base.
        facts: Names of the cached properties.
    """

    name: str
    class_path: str
    path: Path
    summary: str
    docstring: str
    header: dict[str, str] = field(repr=False)
    results: tuple[str, ...]
    bases: tuple[str, ...]
    arguments: dict[str, bool]
    passes_on: bool
    facts: frozenset[str]

    @property
    def family(self) -> str:
        """The folder of the file: image_classification, ..."""
        return self.path.parent.name


@cache
def architectures() -> dict[str, Definition]:
    """The architectures of the zoo by class name, in order of family and name."""
    found = scan("zoo", Path(__file__).parent)
    return {
        definition.name: definition
        for definition in found.values()
        if "Paper" in definition.header and "zoo.task.Task" in lineage(definition, found)
    }


@cache
def scan(package: str, folder: Path) -> dict[str, Definition]:
    """Every public class below `folder` that may be a model, a corpus or a part, by class path."""
    found: dict[str, Definition] = {}
    others = {path for name in ("cli", "training") for path in folder.glob(f"{name}/*.py")}
    for path in sorted(set(folder.rglob("*.py")) - others):
        module = ".".join((package, *path.relative_to(folder).with_suffix("").parts))
        source = path.read_text(encoding="utf-8")
        if "class " in source:
            for definition in _classes(ast.parse(source), module, path):
                found[definition.class_path] = definition
    return found


def lineage(definition: Definition, found: dict[str, Definition]) -> list[str]:
    """Class paths of all bases, nearest first, as far as the scanned files show them."""
    paths = list(definition.bases)
    for path in definition.bases:
        if path in found:
            paths += lineage(found[path], found)
    return paths


def arguments(definition: Definition, found: dict[str, Definition]) -> dict[str, bool]:
    """The arguments of the class and, through `**`, of its bases: name -> has a default."""
    merged = dict(definition.arguments)
    if definition.passes_on:
        for path in definition.bases:
            if path in found:
                merged = {**arguments(found[path], found), **merged}
    return merged


def facts(definition: Definition, found: dict[str, Definition]) -> set[str]:
    """The facts that a corpus offers, its bases' among them."""
    inherited = [found[path].facts for path in lineage(definition, found) if path in found]
    names = set(definition.facts).union(*inherited)
    return {name for name in names if not name.startswith("_")}


def _classes(tree: ast.Module, module: str, path: Path) -> Iterator[Definition]:
    names = _imported(tree) | {
        node.name: f"{module}.{node.name}" for node in tree.body if isinstance(node, ast.ClassDef)
    }
    lines = [(key, " ".join(text.split())) for key, text in HEADER.findall(_docstring(tree))]
    for node in tree.body:
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            functions = [item for item in node.body if isinstance(item, ast.FunctionDef)]
            init = next((f for f in functions if f.name == "__init__"), None)
            yield Definition(
                name=node.name,
                class_path=f"{module}.{node.name}",
                path=path,
                summary=_docstring(node).partition("\n")[0],
                docstring=_docstring(node),
                header={key: text for key, text in lines if key != "Result"},
                results=tuple(text for key, text in lines if key == "Result"),
                bases=tuple(names.get(ast.unparse(base), ast.unparse(base)) for base in node.bases),
                arguments=_arguments(init),
                passes_on=init is None or init.args.kwarg is not None,
                facts=frozenset(f.name for f in functions if _is_fact(f)),
            )


def _docstring(node: ast.Module | ast.ClassDef) -> str:
    return ast.get_docstring(node) or ""


def _imported(tree: ast.Module) -> dict[str, str]:
    return {
        alias.asname or alias.name: f"{node.module}.{alias.name}"
        for node in tree.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }


def _arguments(init: ast.FunctionDef | None) -> dict[str, bool]:
    if init is None:
        return {}
    positional = [argument.arg for argument in init.args.args][1:]
    required = len(positional) - len(init.args.defaults)
    named = {name: index >= required for index, name in enumerate(positional)}
    for argument, default in zip(init.args.kwonlyargs, init.args.kw_defaults, strict=True):
        named[argument.arg] = default is not None
    return named


def _is_fact(function: ast.FunctionDef) -> bool:
    return any(ast.unparse(item).endswith("cached_property") for item in function.decorator_list)
