"""Who imports whom: downwards only, without a circle, nothing heavy early, public names alone."""

import ast
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from graphlib import CycleError, TopologicalSorter

import pytest

from tests.conftest import ROOT
from tests.laws.conftest import BASES, FAMILIES, chains, imports, sources

ROOMS = {  # of the zoo, and how high they lie; at the bottom what is in none of them
    "cli": 6,
    **dict.fromkeys(FAMILIES, 5),
    **dict.fromkeys(("task", "examples"), 4),
    **dict.fromkeys(("training", "checkpoints", "pretrained", "runs", "export"), 3),
    **dict.fromkeys(("layers", "optimizers"), 2),
}
FOREIGN = ("lightning", "torch", "torchvision", "torchmetrics")
HEAVY = (*FOREIGN, "matplotlib", "wandb", "numpy")


def graph(modules: Mapping[str, ast.AST]) -> dict[str, set[str]]:
    """The modules of the house that each imports."""
    found: dict[str, set[str]] = {}
    for module, tree in modules.items():
        found[module] = set()
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                names = {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                inner = {f"{node.module}.{alias.name}" for alias in node.names}
                names = {name if name in modules else str(node.module) for name in inner}
            else:
                continue
            found[module] |= names & modules.keys() - {module}
    return found


def height(module: str) -> int:
    """How high a module lies in its package."""
    package, room, *inner = module.split(".")
    if package == "zoo":
        return ROOMS.get(room, 1)
    return 2 if not inner and room not in BASES else 1  # corpora above what they are made of


def upward(edges: Mapping[str, set[str]]) -> Iterator[str]:
    """Imports of what lies higher, of another family, or of the other side."""
    for module, others in edges.items():
        for other in sorted(others) if "." in module else ():  # package roots are lazy
            (package, room), (known, *below) = module.split(".")[:2], other.split(".")[:2]
            if known != package:
                allowed = package == "scripts" or (room == "cli" and known == "datamodules")
            else:
                higher = below and height(other) > height(module)
                strange = below and {room, *below} <= FAMILIES and [room] != below
                allowed = package == "scripts" or not (higher or strange)
            if not allowed:
                yield f"{module} imports {other}"


def circle(edges: Mapping[str, set[str]]) -> list[str]:
    """The modules of a circle, none where there is no circle."""
    try:
        TopologicalSorter(edges).prepare()
    except CycleError as error:
        return error.args[1]
    return []


def private(tree: ast.AST) -> Iterator[str]:
    """Private names of Lightning and torch, also at the end of a chain of attributes."""
    foreign = {"trainer"}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            origin = f"{node.module}." if isinstance(node, ast.ImportFrom) else ""
            for alias in node.names:
                whole = f"{origin}{alias.name}"
                if whole.partition(".")[0] in FOREIGN:
                    foreign.add(alias.asname or alias.name.partition(".")[0])
                    if any(part.startswith("_") for part in whole.split(".")):
                        yield whole
    for *begun, last in chains(tree):
        if foreign & set(begun) and last.startswith("_") and not last.endswith("__"):
            yield ".".join((*begun, last))


def test_imports_run_downwards():
    assert [*upward(graph(sources()))] == []


def test_imports_have_no_circle():
    assert circle(graph(sources())) == []


def test_what_is_installed_imports_nothing_of_the_checkout():
    for module, tree in sources("zoo", "datamodules").items():
        roots = {name.partition(".")[0] for name in imports(tree)}
        assert not {"scripts", "tests", "pytorch_lightning"} & roots, module


def between_tests(tree: ast.AST) -> list[str]:
    """What a test takes from another test, and not from a conftest."""
    return [name for name in imports(tree) if name.startswith("tests.") and ".test_" in name]


def test_tests_share_what_they_need_by_conftests():
    found = {module: n for module, tree in sources("tests").items() if (n := between_tests(tree))}
    assert found == {}
    assert between_tests(ast.parse("def f():\n from tests.cli.test_fit import printed"))


def test_only_public_names_of_lightning_and_torch():
    assert [f"{module}: {name}" for module, t in sources().items() for name in private(t)] == []


def test_roots_and_front_end_import_nothing_heavy():
    code = (
        "import sys, zoo, datamodules, zoo.cli.main, zoo.cli.show.listing, zoo.cli.experiment;"
        "zoo.list_models(), dir(zoo), zoo.__version__;"
        f"print([m for m in {HEAVY} if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("module", "text", "other"),
    [
        ("zoo.training.a", "def f():\n from zoo.generation import gan", "zoo.generation.gan"),
        ("zoo.layers.a", "import zoo.runs.folder", "zoo.runs.folder"),
        ("zoo.errors", "from zoo.layers.recurrent import GRU", "zoo.layers.recurrent"),
        ("zoo.regression.a", "from zoo.cli import main", "zoo.cli.main"),
        ("zoo.generation.a", "from zoo.translation.task import Translator", "zoo.translation.task"),
        ("zoo.training.a", "from datamodules.corpus import Corpus", "datamodules.corpus"),
        ("datamodules.text.a", "from datamodules import imdb", "datamodules.imdb"),
        ("datamodules.imdb", "import zoo.shapes", "zoo.shapes"),
    ],
)
def test_an_import_upwards_is_seen(module, text, other):
    edges = graph({module: ast.parse(text), other: ast.parse("")})
    assert [*upward(edges)] == [f"{module} imports {other}"]


def test_a_circle_is_seen():
    texts = {
        "zoo.a": "from zoo import b",
        "zoo.b": "def f():\n import zoo.c",
        "zoo.c": "import zoo.a",
    }
    assert set(circle(graph({name: ast.parse(text) for name, text in texts.items()}))) == {*texts}


@pytest.mark.parametrize(
    "text",
    [
        "from torch._C import x",
        "from lightning.pytorch.trainer import _x",
        "import torch\ntorch.nn._x(1)",
        "from torch import nn\nnn.functional._x.y.z = nn.modules._x",
        "def f(self):\n return self.trainer.strategy._x",
    ],
)
def test_a_private_name_is_seen(text):
    assert [*private(ast.parse(text))]


def test_the_packages_can_be_imported_on_windows():
    code = (
        "import os, signal, sys\n"
        "sys.modules['fcntl'] = None\n"
        "for name in ('SIGHUP', 'SIGUSR1', 'pthread_sigmask', 'sigwaitinfo'):\n"
        "    delattr(signal, name)\n"
        "del os.O_NOFOLLOW\n"
        "import datamodules.corpus, zoo.cli.main, zoo.checkpoints.last_checkpoint\n"
        "from pathlib import Path\n"
        "from zoo.files import remove_partial, write_text\n"
        "write_text(Path('a.txt'), 'a')\n"
        "Path('.b.partial').touch()\n"
        "remove_partial(Path('.b.partial'))\n"
        "print(*sorted(path.name for path in Path().iterdir()))"
    )
    command = [sys.executable, "-c", code]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    found = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert (found.returncode, found.stdout) == (0, "a.txt\n"), found.stderr
