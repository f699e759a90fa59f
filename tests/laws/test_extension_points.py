"""What a subclass in another file overrides is public."""

import ast
from collections.abc import Iterator

from tests.conftest import ROOT


def classes(package: str) -> dict[str, tuple[str, list[str], set[str]]]:
    """The classes of a package by name: their file, their bases, their private methods."""
    found = {}
    for path in sorted((ROOT / package).rglob("*.py")):
        for node in ast.parse(path.read_text("utf-8")).body:
            if isinstance(node, ast.ClassDef):
                bases = [ast.unparse(base).rpartition(".")[2] for base in node.bases]
                methods = {item.name for item in node.body if isinstance(item, ast.FunctionDef)}
                private = {name for name in methods if name.strip("_") == name.lstrip("_") != name}
                found[node.name] = (str(path.relative_to(ROOT)), bases, private)
    return found


def overridden(known: dict[str, tuple[str, list[str], set[str]]]) -> Iterator[str]:
    """Private methods that a class overrides of a base in another file."""
    for name, (path, bases, private) in known.items():
        waiting = [base for base in bases if base in known]
        while waiting:
            base = waiting.pop()
            where, more, theirs = known[base]
            waiting += [each for each in more if each in known]
            if where != path:
                yield from (f"{path}: {name}.{each} of {base}" for each in private & theirs)


def test_what_another_file_overrides_is_public():
    assert [*overridden(classes("zoo"))] == []
