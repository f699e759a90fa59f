"""The tiers of the tests: what the table says, what each command runs, what a long test is told."""

import csv
import math
import shutil
import subprocess
from types import SimpleNamespace

import pytest

from scripts.benchmarks.suite import covered, rest_of
from tests import conftest
from tests.conftest import LIMIT, LIMITS, LONGEST, ROOT, TIERS, all_architectures, refuse_long


def rows():
    with TIERS.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_the_table_keeps_its_own_rules():
    names = [row["test"] for row in rows()]
    assert names == sorted(set(names))
    for row in rows():
        assert row["tier"] in ("first", "rest")
        if row["tier"] == "first":
            assert float(row["seconds"]) < LONGEST, row["test"]


def test_the_first_tier_has_each_architecture():
    rest = {row["test"] for row in rows() if row["tier"] == "rest"}
    discovered = "tests/architectures/test_architectures.py::{}[{}]"
    for definition in all_architectures():
        for test in ("test_header_is_true", "test_every_parameter_gets_a_finite_gradient"):
            assert discovered.format(test, definition.name) not in rest


class Item(SimpleNamespace):
    """As much of a test as the tiers look at."""

    def __init__(self, nodeid, *marks):
        super().__init__(nodeid=nodeid, marks=dict.fromkeys(marks, True), stash=pytest.Stash())

    def get_closest_marker(self, name):
        return self.marks.get(name)

    def add_marker(self, mark):
        self.marks[mark.name] = mark.args


@pytest.mark.parametrize("written", [True, False])
@pytest.mark.parametrize(
    ("wanted", "kept"),
    [("first", ["new", "quick"]), ("rest", ["long"]), ("all", ["new", "quick", "long", "slow"])],
)
def test_a_tier_is_what_the_table_says(wanted, kept, written, tmp_path, monkeypatch):
    table = tmp_path / "tiers.csv"
    table.write_text("tier,seconds,test\nrest,4.00,long\nfirst,1.00,quick\n")
    monkeypatch.setattr(conftest, "TIERS", table)
    monkeypatch.setattr(conftest, "STAND_INS", tmp_path)
    if written:
        (tmp_path / conftest.digest()).mkdir()
    left = []
    hook = SimpleNamespace(pytest_deselected=lambda items: left.extend(items))
    config = SimpleNamespace(hook=hook, getoption=lambda name: wanted)
    items = [Item("new"), Item("quick"), Item("long"), Item("slow", "slow")]
    conftest.pytest_collection_modifyitems(config, items)
    assert [item.nodeid for item in items] == kept
    assert len(left) + len(kept) == 4
    for item in items:
        tier = {"long": "rest", "slow": "slow"}.get(item.nodeid, "first")
        assert item.marks["timeout"] == (LIMITS[tier],)
        strict = LONGEST if written and item.nodeid == "new" else 4 * LONGEST
        assert item.stash[LIMIT] == (strict if wanted == "first" else math.inf)


def test_a_long_test_is_told_the_ways_out():
    refuse_long("tests/test_a.py::test_b[c,d]", LONGEST, LONGEST)
    with pytest.raises(pytest.fail.Exception, match=r"took 5\.1 s, of 5 s") as error:
        refuse_long("tests/test_a.py::test_b[c,d]", LONGEST + 0.1, LONGEST)
    line = str(error.value).rpartition("tiers.csv: ")[2]
    assert next(csv.reader([line])) == ["rest", "5.10", "tests/test_a.py::test_b[c,d]"]


@pytest.mark.parametrize(
    ("arguments", "of_pytest", "lints"),
    [
        ([], "--tier first", True),
        (["all"], "--tier all", True),
        (["rest"], "--tier rest", False),
        (["-k", "lenet or mlp"], "-k lenet or mlp", True),
        (["tests/cli/test_cli.py", "-x"], "tests/cli/test_cli.py -x", True),
        (["lint"], None, True),
    ],
)
@pytest.mark.parametrize("failing", [None, "python", "ruff", "mypy"])
def test_tests_come_first_then_lint_and_types(arguments, of_pytest, lints, failing, tmp_path):
    """By stand-ins of the programs, which note how they are called."""
    programs, log = tmp_path / ".venv" / "bin", tmp_path / "log"
    programs.mkdir(parents=True)
    (tmp_path / "scripts").mkdir()
    shutil.copy(ROOT / "scripts" / "test", tmp_path / "scripts")
    tools = [programs / name for name in ("python", "ruff", "mypy")]
    for path in (tmp_path / "scripts" / "install", *tools):
        code = 3 if path.name == failing else 0
        path.write_text(f'#!/bin/sh\necho "{path.name} $*" >> {log}\nexit {code}\n')
        path.chmod(0o755)
    done = subprocess.run([tmp_path / "scripts" / "test", *arguments], check=False)
    called = log.read_text().splitlines()
    assert called.pop(0) == "install test"
    if of_pytest is not None:
        assert called.pop(0).endswith(f"--dist worksteal {of_pytest}")
    assert [line.split()[0] for line in called] == (["ruff", "ruff", "mypy"] if lints else [])
    ran = {"python"} if of_pytest is not None else set()
    assert (done.returncode != 0) == (failing in ran | ({"ruff", "mypy"} if lints else set()))


def test_what_runs_new_lines_comes_first():
    seconds = {"quick": 0.1, "costly": 4.0, "cheap": 1.0, "same": 1.0, "endless": 9.0}
    tests = {name: {"seconds": took} for name, took in seconds.items()}
    tests["begins"] = {"seconds": 7.0, "fixtures": {"trained": 6.9}, "uses": ["trained"]}
    tests["reads"] = {"seconds": 0.1, "fixtures": {}, "uses": ["trained"]}
    lines = {
        "quick": {("a", 1)},
        "costly": {("a", 1), ("a", 2), ("b", 1)},
        "cheap": {("a", 2)},
        "same": {("a", 1), ("a", 2)},
        "endless": {("c", 1)},
        "reads": {("c", 1)},
    }
    rest = ["begins", "endless", "reads", "same"]
    assert rest_of(tests, lines) == rest
    assert covered(lines, rest) == (3, 4)
