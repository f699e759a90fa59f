"""Which of many small faults the tests see, and which tier sees them.

    python -m scripts.benchmarks.suite --coverage --keep RECORD
    python -m scripts.benchmarks.mutants RECORD

A fault is one line of zoo/ or datamodules/ changed: an operator turned, a bound off by one,
`detach` or `no_grad` left out, dim 0 for 1, a key misspelt, a `sorted` dropped. Each is put into a
copy of the checkout, where the tests run that execute the line: those of the first tier, then the
others, the quickest first, until one fails. Of a line that runs at the import, these are all tests
of the file.
"""

import argparse
import ast
import contextlib
import csv
import json
import multiprocessing
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue
from typing import Any, NamedTuple

from rich.console import Console
from rich.table import Table

from scripts.benchmarks.suite import PACKAGES, ROOT, TIERS, lines_of

# Of a process that has imported what takes long, but nothing of the zoo
FORKING = multiprocessing.get_context("forkserver")
IMPORTED = ["pytest", "torch", "lightning.pytorch.cli", "torchmetrics", "torchvision", "hypothesis"]
LIMIT = 150.0  # seconds that the tests of a tier may look for a fault
TURNED: Mapping[type[ast.AST], tuple[str, str]] = {
    ast.Lt: ("<", "<="),
    ast.LtE: ("<=", "<"),
    ast.Gt: (">", ">="),
    ast.GtE: (">=", ">"),
    ast.Eq: ("==", "!="),
    ast.NotEq: ("!=", "=="),
    ast.Add: ("+", "-"),
    ast.Sub: ("-", "+"),
    ast.Mult: ("*", "/"),
    ast.Div: ("/", "*"),
    ast.And: (" and ", " or "),
    ast.Or: (" or ", " and "),
}


class Fault(NamedTuple):
    """One change.

    Attributes:
        kind: What is wrong.
        file: Relative to the checkout.
        line: Number of the line.
        begin: Column where the change begins.
        end: Column where it ends.
        text: What stands there instead.
    """

    kind: str
    file: str
    line: int
    begin: int
    end: int
    text: str

    def put(self, source: str) -> str:
        """The source with the fault."""
        lines = source.splitlines(keepends=True)
        old = lines[self.line - 1]
        lines[self.line - 1] = old[: self.begin] + self.text + old[self.end :]
        return "".join(lines)


def faults_of(file: str, source: str) -> Iterator[Fault]:
    """All faults that a file can have, in ASCII lines; docstrings and annotations have none."""
    tree = ast.parse(source)
    lines = source.splitlines()
    skipped = {id(inner) for node in ast.walk(tree) for inner in _types_and_docs(node)}

    def fault(kind: str, node: ast.expr, text: str, begin: int = -1, end: int = -1) -> Fault | None:
        begin = node.col_offset if begin < 0 else begin
        end = (node.end_col_offset or 0) if end < 0 else end
        one_line = node.lineno == node.end_lineno and lines[node.lineno - 1].isascii()
        return Fault(kind, file, node.lineno, begin, end, text) if one_line else None

    def between(
        left: ast.expr, right: ast.expr, operator: ast.AST, whole: ast.expr
    ) -> Fault | None:
        if type(operator) not in TURNED or left.end_lineno != right.lineno:
            return None
        old, new = TURNED[type(operator)]
        at = lines[right.lineno - 1].find(old, left.end_col_offset, right.col_offset)
        return fault("operator", whole, new, at, at + len(old)) if at >= 0 else None

    for node in ast.walk(tree):
        found: list[Fault | None] = []
        if id(node) in skipped:
            continue
        if isinstance(node, ast.Compare):
            found.append(between(node.left, node.comparators[0], node.ops[0], node))
        elif isinstance(node, ast.BinOp) and not isinstance(node.left, ast.JoinedStr):
            found.append(between(node.left, node.right, node.op, node))
        elif isinstance(node, ast.BoolOp):
            found.append(between(node.values[0], node.values[1], node.op, node))
        elif isinstance(node, ast.Constant) and type(node.value) is int and node.value < 1000:
            found.append(fault("bound", node, str(node.value + 1)))
        elif isinstance(node, ast.Subscript) and _is_text(node.slice):
            found.append(fault("key", node.slice, repr(f"{ast.literal_eval(node.slice)}x")))
        elif isinstance(node, ast.Dict):
            keys = [key for key in node.keys if key and _is_text(key)]
            found += [fault("key", key, repr(f"{ast.literal_eval(key)}x")) for key in keys]
        elif isinstance(node, ast.Call):
            found += _of_call(node, fault)
        yield from filter(None, found)


def _of_call(node: ast.Call, fault: Any) -> list[Fault | None]:
    name = node.func.attr if isinstance(node.func, ast.Attribute) else ""
    if isinstance(node.func, ast.Name) and node.func.id == "sorted":
        return (
            [fault("order", node.func, "list")] if len(node.args) == 1 and not node.keywords else []
        )
    if name == "detach" and not node.args:
        assert isinstance(node.func, ast.Attribute)
        value = node.func.value
        return [fault("gradient", node, "", value.end_col_offset)]
    if name == "no_grad":
        return [fault("gradient", node, "torch.enable_grad()")]
    dims = [keyword.value for keyword in node.keywords if keyword.arg == "dim"]
    if name in ("sum", "mean", "softmax", "argmax", "cat", "stack", "unsqueeze", "max", "size"):
        dims += node.args[1:2] if name in ("cat", "stack") else node.args[:1]
    swapped = {0: "1", 1: "0", -1: "0", 2: "1"}
    texts = [ast.unparse(dim) for dim in dims]
    return [
        fault("dim", dim, swapped[int(text)])
        for dim, text in zip(dims, texts, strict=True)
        if text in map(str, swapped)
    ]


def _types_and_docs(node: ast.AST) -> Iterator[ast.AST]:
    """What within a node is an annotation, a docstring or a message."""
    roots: list[ast.AST | None] = []
    if isinstance(node, ast.arg | ast.AnnAssign):
        roots.append(node.annotation)
    elif isinstance(node, ast.FunctionDef):
        roots.append(node.returns)
    elif isinstance(node, ast.JoinedStr):
        roots.append(node)
    for root in filter(None, roots):
        yield from ast.walk(root)


def _is_text(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def drawn(count: int, seed: int) -> list[Fault]:
    """Draws equally many faults of each kind, as far as there are."""
    kinds: dict[str, list[Fault]] = defaultdict(list)
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            source = path.read_text(encoding="utf-8")
            for fault in faults_of(str(path.relative_to(ROOT)), source):
                if fault.put(source) != source:
                    kinds[fault.kind].append(fault)
    generator = random.Random(seed)
    for faults in kinds.values():
        generator.shuffle(faults)
    found: list[Fault] = []
    while len(found) < count and any(kinds.values()):
        found += [kinds[kind].pop() for kind in sorted(kinds) if kinds[kind]]
    return found[:count]


# Looking for them


def seen_by(checkout: Path, tests: Sequence[str], limit: float) -> str:
    """Returns the first test that fails in a checkout within the limit, "" where none does."""
    if not tests:
        return ""
    failed = checkout / ".failed"
    failed.unlink(missing_ok=True)
    process = FORKING.Process(target=_test, args=(checkout, list(tests), failed))
    process.start()
    process.join(limit)
    code = process.exitcode
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid or 0, signal.SIGKILL)
    process.join()
    if failed.exists():
        return failed.read_text(encoding="utf-8").splitlines()[0]
    if code in (2, 3, 4, 5):  # nothing was tested
        raise RuntimeError((checkout / ".log").read_text(encoding="utf-8")[-2_000:])
    return "a crash" if code else ""


class Note:
    """Writes what fails."""

    def __init__(self, failed: Path) -> None:
        self.failed = failed

    def pytest_runtest_logreport(self, report: Any) -> None:
        if report.failed:
            with self.failed.open("a", encoding="utf-8") as file:
                file.write(f"{report.nodeid or 'at the import'}\n")

    pytest_collectreport = pytest_runtest_logreport


def _test(checkout: Path, tests: Sequence[str], failed: Path) -> None:
    os.setsid()
    os.chdir(checkout)
    log = os.open(".log", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    for number in (1, 2):
        os.dup2(log, number)
    os.environ |= {
        "PYTHONPATH": str(checkout),
        "PYTHONDONTWRITEBYTECODE": "1",  # a changed file may have the size and second of the old
        "WANDB_MODE": "disabled",
        "MPLBACKEND": "Agg",
    }
    sys.dont_write_bytecode = True
    sys.path[:] = [str(checkout), *(path for path in sys.path if path not in ("", str(ROOT)))]
    import pytest

    sys.exit(pytest.main(["-x", "-p", "no:cacheprovider", *tests], plugins=[Note(failed)]))


class Finder:
    """Puts faults into copies of the checkout.

    Args:
        record: Folder that `suite --coverage --keep` left.
        copies: Folders that become copies.
        limit: Time in seconds that the tests of a tier may take.
    """

    def __init__(self, record: Path, copies: Sequence[Path], limit: float) -> None:
        tests = json.loads((record / "record.json").read_text(encoding="utf-8"))["tests"]
        self.seconds = {name: test["seconds"] for name, test in tests.items()}
        self.by_line: dict[tuple[str, int], set[str]] = defaultdict(set)
        self.by_file: dict[str, set[str]] = defaultdict(set)
        for test, lines in lines_of(record / "covered").items():
            for file, line in lines:
                self.by_line[file, line].add(test)
                self.by_file[file].add(test)
        with TIERS.open(encoding="utf-8", newline="") as table:
            self.rest = {row["test"] for row in csv.DictReader(table) if row["tier"] == "rest"}
        self.limit = limit
        self.passes: dict[str, bool] = {}  # without a fault
        self.free: SimpleQueue[Path] = SimpleQueue()
        for copy in copies:
            ignored = shutil.ignore_patterns(".git", ".venv", "__pycache__", ".*_cache", "runs")
            shutil.copytree(ROOT, copy, ignore=ignored)
            self.free.put(copy)

    def look(self, fault: Fault) -> tuple[str, str]:
        """Returns the tier that sees the fault, empty if none does, and the test.

        A test sees it that fails with the fault, and passes in the same copy without.
        """
        found = self.by_line[fault.file, fault.line] or self.by_file[fault.file]
        known = sorted(found & set(self.seconds), key=self.seconds.__getitem__)
        checkout = self.free.get()
        path = checkout / fault.file
        source = path.read_text(encoding="utf-8")
        try:
            for tier in ("first", "rest"):
                tests = [name for name in known if (name in self.rest) == (tier == "rest")]
                while tests := [name for name in tests if self.passes.get(name, True)]:
                    path.write_text(fault.put(source), encoding="utf-8")
                    test = seen_by(checkout, tests, self.limit)
                    path.write_text(source, encoding="utf-8")
                    if not test:
                        break
                    if test in self.seconds and test not in self.passes:
                        self.passes[test] = not seen_by(checkout, [test], self.limit)
                    if self.passes.get(test, True):
                        return tier, test
            return "", ""
        finally:
            path.write_text(source, encoding="utf-8")
            self.free.put(checkout)


def main(argv: Sequence[str] | None = None) -> int:
    """Looks for the faults and returns 0."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("record", type=Path, help="folder of `suite --coverage --keep`")
    parser.add_argument("--count", type=int, default=80, help="faults")
    parser.add_argument("--seed", type=int, default=0, help="of the draw")
    parser.add_argument("--jobs", type=int, default=2, help="faults looked for at a time")
    parser.add_argument("--limit", type=float, default=LIMIT, help="seconds of a tier's tests")
    options = parser.parse_args(argv)
    console = Console(highlight=False, soft_wrap=True)
    seen: Counter[tuple[str, str]] = Counter()
    begun = time.monotonic()
    faults = drawn(options.count, options.seed)
    FORKING.set_forkserver_preload([*IMPORTED, "beartype", "matplotlib.figure"])
    os.environ |= {"OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE"}
    with tempfile.TemporaryDirectory() as folder:
        copies = [Path(folder) / str(number) for number in range(options.jobs)]
        finder = Finder(options.record.resolve(), copies, options.limit)
        with ThreadPoolExecutor(options.jobs) as pool:
            for fault, (tier, test) in zip(faults, pool.map(finder.look, faults), strict=True):
                seen[fault.kind, tier] += 1
                line = (ROOT / fault.file).read_text(encoding="utf-8").splitlines()[fault.line - 1]
                where = f"{fault.file}:{fault.line}: {line.strip()} -> {fault.text!r}"
                console.print(f"{tier or 'nobody':6} {fault.kind:9} {where}", markup=False)
                console.print(f"       {test}" if test else "", markup=False)
    table = Table("fault", "first tier", "the rest", "nobody")
    for kind in sorted({kind for kind, _ in seen}):
        table.add_row(kind, *(str(seen[kind, tier]) for tier in ("first", "rest", "")))
    console.print(table)
    by_tier: Counter[str] = Counter()
    for (_, tier), number in seen.items():
        by_tier[tier] += number
    every = by_tier["first"] + by_tier["rest"]
    console.print(
        f"{len(faults)} faults in {(time.monotonic() - begun) / 60:.0f} min: all tests see "
        f"{every / len(faults):.3f} of them, the first tier {by_tier['first'] / every:.3f} of those"
    )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
