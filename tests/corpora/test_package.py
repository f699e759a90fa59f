"""The package of corpora: every class is found by its name, and what is shared is said once."""

import ast
from collections import Counter

import pytest

import datamodules
from tests.conftest import ROOT

FOLDER = ROOT / "datamodules"
CLASSES = [
    (node.name, ".".join(path.relative_to(ROOT).with_suffix("").parts))
    for path in sorted(FOLDER.rglob("*.py"))
    for node in ast.parse(path.read_text(encoding="utf-8")).body
    if isinstance(node, ast.ClassDef) and not node.name.startswith("_")
]


def test_no_two_classes_have_the_same_name():
    assert max(Counter(name for name, _ in CLASSES).values()) == 1


@pytest.mark.parametrize(("name", "module"), CLASSES, ids=lambda part: part)
def test_a_class_is_found_by_its_name(name, module):
    assert getattr(datamodules, name).__module__ == module


@pytest.mark.parametrize("name", ["DetectionCorpu", "corpus_of", "FOLDERS"])
def test_nothing_else_is_found(name):
    with pytest.raises(AttributeError, match=f"has no attribute '{name}'"):
        getattr(datamodules, name)


@pytest.mark.parametrize(
    ("code", "file"),
    [
        ("batch_progress", "batches/loop_progress.py"),
        ("1_000_003", "batches/samplers.py"),
        ("= -100", "batches/in_memory.py"),
        ("pooch.os_cache", "files/cache.py"),
        ("0.485", "pictures/normalised.py"),
    ],
)
def test_it_is_said_in_one_file(code, file):
    found = [path for path in FOLDER.rglob("*.py") if code in path.read_text(encoding="utf-8")]
    assert found == [FOLDER / file]
