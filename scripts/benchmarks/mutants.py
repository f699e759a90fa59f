"""Which of many small faults the tests see, and which tier sees them.

    python -m scripts.benchmarks.suite --coverage --keep RECORD
    python -m scripts.benchmarks.mutants RECORD

A fault is one expression of zoo/ or datamodules/ changed: an operator turned, a bound off by one,
`detach` or `no_grad` left out, dim 0 for 1, a key misspelt, a `sorted` dropped. Each is put into a
copy of the checkout, where the tests run that execute its line: those of the first tier, then the
others, the quickest first, until one fails. Of a line that runs at the import, these are all tests
of the file.
"""

import argparse
import ast
import contextlib
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
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue
from typing import Any, NamedTuple

from rich.console import Console
from rich.table import Table

from scripts.benchmarks.suite import ENVIRONMENT, PACKAGES, ROOT, lines_of, rest_in_table

# Of a process that has imported what takes long, but nothing of the zoo
FORKING = multiprocessing.get_context("forkserver")
IMPORTED = ["pytest", "torch", "lightning.pytorch.cli", "torchmetrics", "torchvision", "hypothesis"]
LIMIT = 150.0  # seconds that the tests of a tier may look for a fault
PAIRS: tuple[tuple[type, type], ...] = (
    *((ast.Lt, ast.LtE), (ast.Gt, ast.GtE), (ast.Eq, ast.NotEq)),
    *((ast.Add, ast.Sub), (ast.Mult, ast.Div), (ast.And, ast.Or)),
)
TURNED = dict(PAIRS) | {b: a for a, b in PAIRS}
SWAPPED = {"0": "1", "1": "0", "-1": "0", "2": "1"}  # dimensions
OVER_DIMS = ("sum", "mean", "softmax", "argmax", "unsqueeze", "max", "size")


class Fault(NamedTuple):
    """One expression that is changed.

    Attributes:
        kind: What is wrong.
        file: Path relative to the checkout.
        old: The expression.
        text: Source that stands there instead.
    """

    kind: str
    file: str
    old: ast.expr
    text: str

    def put(self, source: str) -> str:
        """Returns the source with the fault; columns of a syntax tree count bytes."""
        lines = [line.encode() for line in source.splitlines(keepends=True)]
        first, last = self.old.lineno - 1, (self.old.end_lineno or 0) - 1
        before, after = lines[first][: self.old.col_offset], lines[last][self.old.end_col_offset :]
        lines[first : last + 1] = [before + self.text.encode() + after]
        return b"".join(lines).decode()


def changed(node: ast.AST, **fields: Any) -> str:
    """Returns the source of a node with other fields."""
    return ast.unparse(type(node)(**(vars(node) | fields)))


def faults_of(file: str, source: str) -> Iterator[Fault]:
    """Yields all faults that a file can have; docstrings and annotations have none."""
    tree = ast.parse(source)
    skipped = {id(inner) for node in ast.walk(tree) for inner in _types_and_texts(node)}
    for node in ast.walk(tree):
        if id(node) not in skipped:
            for kind, old, text in _changes(node):
                yield Fault(kind, file, old, text)


def _changes(node: ast.AST) -> Iterator[tuple[str, ast.expr, str]]:
    """Yields what can be wrong at a node: the kind, the expression that is replaced, its source."""
    match node:
        case ast.Compare(ops=[operator, *rest]) if type(operator) in TURNED:
            yield "operator", node, changed(node, ops=[TURNED[type(operator)](), *rest])
        case ast.BinOp(left=ast.JoinedStr()):
            pass
        case ast.BinOp(op=operator) | ast.BoolOp(op=operator) if type(operator) in TURNED:
            yield "operator", node, changed(node, op=TURNED[type(operator)]())
        case ast.Constant(value=value) if type(value) is int and value < 1000:
            yield "bound", node, str(value + 1)
        case ast.Subscript(slice=ast.Constant(value=str(key))):
            yield "key", node.slice, repr(f"{key}x")
        case ast.Dict(keys=keys):
            for name in keys:
                if isinstance(name, ast.Constant) and isinstance(name.value, str):
                    yield "key", name, repr(f"{name.value}x")
        case ast.Call(func=ast.Name(id="sorted"), args=[_], keywords=[]):
            yield "order", node.func, "list"
        case ast.Call(func=ast.Attribute(value=value, attr="detach"), args=[]):
            yield "gradient", node, ast.unparse(value)
        case ast.Call(func=ast.Attribute(attr="no_grad")):
            yield "gradient", node, "torch.enable_grad()"
        case ast.Call(func=ast.Attribute(attr=name), args=args, keywords=keywords):
            dims = [keyword.value for keyword in keywords if keyword.arg == "dim"]
            dims += args[1:2] if name in ("cat", "stack") else args[: name in OVER_DIMS]
            for dim in dims:
                if ast.unparse(dim) in SWAPPED:
                    yield "dim", dim, SWAPPED[ast.unparse(dim)]


def _types_and_texts(node: ast.AST) -> Iterator[ast.AST]:
    """What within a node is an annotation or a message."""
    match node:
        case ast.arg(annotation=root) | ast.AnnAssign(annotation=root):
            pass
        case ast.FunctionDef(returns=root):
            pass
        case _:
            root = node if isinstance(node, ast.JoinedStr) else None
    if root:
        yield from ast.walk(root)


def drawn(count: int, seed: int) -> list[Fault]:
    """Draws equally many faults of each kind, as far as there are."""
    kinds: dict[str, list[Fault]] = defaultdict(list)
    for path in sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py")):
        for fault in faults_of(str(path.relative_to(ROOT)), path.read_text(encoding="utf-8")):
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
    """Plugin of pytest that writes what fails to a file."""

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
    # A changed file may have the size and second of the old.
    os.environ |= {"PYTHONPATH": str(checkout), "PYTHONDONTWRITEBYTECODE": "1"}
    sys.dont_write_bytecode = True
    sys.path[:] = [str(checkout), *(path for path in sys.path if path not in ("", str(ROOT)))]
    import pytest

    sys.exit(pytest.main(["-x", "-p", "no:cacheprovider", *tests], plugins=[Note(failed)]))


def _ignored(folder: str, names: list[str]) -> set[str]:
    """What a copy of the checkout does without; zoo/runs is not among it."""
    kept_by_runs = {"runs", "data", "results", "figures"} if Path(folder) == ROOT else set()
    ignored = shutil.ignore_patterns(".git", ".venv", "__pycache__", ".*_cache")(folder, names)
    return ignored | kept_by_runs.intersection(names)


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
        self.rest, self.limit = set(rest_in_table()), limit
        self.passes: dict[str, bool] = {}  # without a fault
        self.free: SimpleQueue[Path] = SimpleQueue()
        for copy in copies:
            shutil.copytree(ROOT, copy, ignore=_ignored)
            self.free.put(copy)

    def look(self, fault: Fault) -> tuple[str, str]:
        """Returns the tier that sees the fault, empty if none does, and the test.

        A test sees it that fails with the fault, and passes in the same copy without.
        """
        found = self.by_line[fault.file, fault.old.lineno] or self.by_file[fault.file]
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
    parser.add_argument("--count", type=int, default=80, help="number of faults")
    parser.add_argument("--seed", type=int, default=0, help="seed of the draw")
    parser.add_argument("--jobs", type=int, default=2, help="faults looked for at a time")
    parser.add_argument("--limit", type=float, default=LIMIT, help="seconds of a tier's tests")
    options = parser.parse_args(argv)
    console = Console(highlight=False, soft_wrap=True)
    seen: Counter[tuple[str, str]] = Counter()
    begun, faults = time.monotonic(), drawn(options.count, options.seed)
    FORKING.set_forkserver_preload([*IMPORTED, "beartype", "matplotlib.figure"])
    os.environ |= ENVIRONMENT
    with tempfile.TemporaryDirectory() as folder:
        copies = [Path(folder) / str(number) for number in range(options.jobs)]
        finder = Finder(options.record.resolve(), copies, options.limit)
        with ThreadPoolExecutor(options.jobs) as pool:
            for fault, (tier, test) in zip(faults, pool.map(finder.look, faults), strict=True):
                seen[fault.kind, tier] += 1
                where = f"{fault.file}:{fault.old.lineno}"
                change = f"{ast.unparse(fault.old)} -> {fault.text}"
                console.print(
                    f"{tier or 'nobody':6} {fault.kind:9} {where}: {change}", markup=False
                )
                console.print(f"       {test}" if test else "", markup=False)
    table = Table("fault", "first tier", "the rest", "nobody")
    for kind in sorted({kind for kind, _ in seen}):
        table.add_row(kind, *(str(seen[kind, tier]) for tier in ("first", "rest", "")))
    console.print(table)
    first, rest = (sum(n for (_, t), n in seen.items() if t == tier) for tier in ("first", "rest"))
    console.print(
        f"{len(faults)} faults in {(time.monotonic() - begun) / 60:.0f} min: all tests see "
        f"{(first + rest) / len(faults):.3f} of them, the first tier "
        f"{first / max(first + rest, 1):.3f} of those"
    )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
