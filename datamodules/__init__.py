"""The corpora of the course as LightningDataModules; `from datamodules import FashionMNIST`.

Nothing is imported until a class is asked for, and then only its module. The classes that corpora
are made of (`DetectionCorpus`, `CorpusError` ...) are found in the same way.
"""

import ast
from fnmatch import fnmatch
from importlib import import_module
from pathlib import Path
from typing import Any


def list_corpora(pattern: str = "*") -> list[str]:
    """Names of the corpora that match `pattern`, a shell pattern such as "*File"."""
    return [name for name in _corpora() if fnmatch(name.lower(), pattern.lower())]


def __dir__() -> list[str]:
    """What there is, for tab completion."""
    return [*globals(), *_corpora()]


def _corpora() -> list[str]:
    """The class in whose words each module is called that says where its data comes from."""
    found = []
    for path in sorted(Path(__file__).parent.glob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        names = [node.name for node in tree.body if isinstance(node, ast.ClassDef)]
        if "\nSource: " in (ast.get_docstring(tree) or ""):
            found += [name for name in names if name.lower() == path.stem.replace("_", "")]
    return found


def __getattr__(name: str) -> Any:
    """Finds the module that defines the class `name`, without importing the others."""
    folder = Path(__file__).parent
    if name[:1].isupper():
        for path in sorted(folder.rglob("*.py"), key=lambda path: (len(path.parts), path)):
            source = path.read_text(encoding="utf-8")
            if f"class {name}" in source and any(
                isinstance(node, ast.ClassDef) and node.name == name
                for node in ast.parse(source).body
            ):
                module = ".".join((__name__, *path.relative_to(folder).with_suffix("").parts))
                return getattr(import_module(module), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
