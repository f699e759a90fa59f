"""The sources that the laws are kept by, read once."""

import ast
from collections.abc import Iterator
from functools import cache

from tests.conftest import ROOT

PACKAGES = ("zoo", "datamodules", "scripts")
BASES = ("corpus", "generated", "own_file")  # of the corpora, beside them
FAMILIES = {path.name for path in (ROOT / "zoo" / "recipes").iterdir() if path.is_dir()}


@cache
def sources(*packages: str) -> dict[str, ast.Module]:
    """The modules of packages by their dotted names; that of a package is its `__init__`."""
    found = {}
    for package in packages or PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
            found[name.removesuffix(".__init__")] = ast.parse(path.read_text("utf-8"))
    return found


def imports(tree: ast.AST) -> set[str]:
    """Modules and names that a source imports, also within functions."""
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names |= {f"{node.module}.{alias.name}" for alias in node.names} | {str(node.module)}
    return names


def chains(tree: ast.AST) -> Iterator[list[str]]:
    """The names of each attribute from the first on, which is empty where it is no name."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            names, value = [node.attr], node.value
            while isinstance(value, ast.Attribute):
                names, value = [value.attr, *names], value.value
            yield [value.id if isinstance(value, ast.Name) else "", *names]
