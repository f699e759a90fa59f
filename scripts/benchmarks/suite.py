"""Where the time of the tests goes, what each tier covers, and which tests the first one needs.

    python -m scripts.benchmarks.suite              # where the time of all goes
    python -m scripts.benchmarks.suite --tier first --against ../other    # two checkouts in turns
    python -m scripts.benchmarks.suite --coverage   # how many lines the first tier runs, of all
    python -m scripts.benchmarks.suite --write      # measures all, sets the tiers anew

Tiers: a test of less than `QUICK` seconds is in the first one. Of the others it has those that run
lines which no quicker one runs, as long as they take less than `LONGEST`; all of them stand in
tests/tiers.csv with what they took. Arguments that are not known here are pytest's.
"""

import argparse
import csv
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from scripts.machine import processor

ROOT = Path(__file__).parents[2]
PACKAGES = ("zoo", "datamodules")
TIERS = ROOT / "tests" / "tiers.csv"
QUICK = 0.25  # seconds: a test that takes less is in the first tier
LONGEST = 5.0  # seconds: one that takes more is in the rest
# In the first tier as long as they take less than `LONGEST`: bad input, each architecture, each
# stand-in, a stop
EACH = re.compile(
    r"::test_(header_is_true|every_parameter_gets_a_finite_gradient|a_signal_within_a_step"
    r"|a_stand_in_is_that_of_its_version)"
    r"|::\w*(_bad_|one_line|refused|damaged|hostile|equal|torchs|torchvisions|brute_force|golden)"
)
SHOWN = 15  # rows of a table
ENVIRONMENT = {  # of tests, as ./scripts/test sets it
    "OMP_NUM_THREADS": "1",
    "OMP_WAIT_POLICY": "PASSIVE",
    "WANDB_MODE": "disabled",
    "MPLBACKEND": "Agg",
}
# Waits for a service of W&B without limit before 30 November 2026
HANGS = "test_a_server_is_not_waited_for_longer_than_ten_seconds[dead]"
Lines = dict[str, set[tuple[str, int]]]  # of each test, those that it runs


class Run(NamedTuple):
    """One run of the tests.

    Attributes:
        tests: By their ids: seconds, outcome if it is not passed, costs, counts, fixtures.
        starts: Seconds from the starts of the workers until their tests are collected.
        wall: Seconds of the whole command.
    """

    tests: dict[str, dict[str, Any]]
    starts: float
    wall: float

    @property
    def seconds(self) -> float:
        """Worker-seconds: of the workers' starts and of all tests."""
        return self.starts + sum(test["seconds"] for test in self.tests.values())

    @property
    def failed(self) -> list[str]:
        """The tests that failed."""
        return [name for name, test in self.tests.items() if test.get("outcome") == "failed"]


def run(checkout: Path, arguments: Sequence[str], folder: Path, *, coverage: bool = False) -> Run:
    """Runs the tests of a checkout as ./scripts/test does, with the interpreter of this process.

    Args:
        checkout: Checkout whose packages are imported.
        arguments: Arguments of pytest.
        folder: Folder of what is recorded; it must not exist.
        coverage: Whether to note the lines that each test runs.

    Raises:
        RuntimeError: The tests ended before anything was recorded; says what they printed last.
    """
    plugin = folder / "plugin"
    plugin.mkdir(parents=True)
    shutil.copy(Path(__file__).with_name("recorder.py"), plugin)
    variables = {
        "PYTHONPATH": os.pathsep.join(map(str, (checkout, plugin))),
        "SUITE_RECORD": str(folder),
        "SUITE_COVERAGE": "1" if coverage else "",
        **ENVIRONMENT,
    }
    command = [sys.executable, "-m", "pytest", "-p", "recorder", "--numprocesses", "auto"]
    command += ["--maxprocesses", "4", "--dist", "worksteal", *arguments]
    begun = time.monotonic()
    with (folder / "log").open("wb") as log:
        subprocess.run(
            command, cwd=checkout, env=os.environ | variables, stdout=log, stderr=log, check=False
        )
    wall = time.monotonic() - begun
    records = [json.loads(path.read_text("utf-8")) for path in folder.glob("gw*.json")]
    if not records:
        raise RuntimeError((folder / "log").read_text(encoding="utf-8")[-2_000:])
    tests = {name: test for record in records for name, test in record["tests"].items()}
    (folder / "record.json").write_text(json.dumps({"tests": tests}), encoding="utf-8")
    return Run(tests, sum(record["begun"] for record in records), wall)


# Where the time goes


def report(found: Run, console: Console) -> None:
    """Prints the tables of one run."""
    kinds = "of it (these hold each other)"
    costs = {title: Counter[str]() for title in ("file", "fixture", kinds, "test")}
    calls: Counter[str] = Counter()
    for name, test in found.tests.items():
        costs["test"][name] = test["seconds"]
        costs["file"][name.partition("::")[0]] += test["seconds"]
        costs["fixture"].update(test.get("fixtures", {}))
        costs[kinds].update(test.get("costs", {}))
        calls.update(test.get("counts", {}))
    console.print(
        f"{len(found.tests):,} tests, {found.seconds:.0f} worker-seconds in {found.wall:.0f} s, "
        f"{found.starts:.0f} of them until the tests were collected"
    )
    for name in found.failed:
        console.print(f"failed: {name}", markup=False, soft_wrap=True)
    for title, counter in costs.items():
        table = Table(title, "seconds", "calls")
        for name, seconds in counter.most_common(SHOWN):
            number = f"{calls[name]:,}" if name in calls else ""
            table.add_row(escape(name), f"{seconds:.1f}", number)
        console.print(table)


def hook_seconds() -> Iterator[float]:
    """Yields the seconds to import all modules with shapes, with beartype's hook and without."""
    code = (
        "import sys, time, torch, lightning.pytorch, torchmetrics\n"
        "from importlib import import_module\n"
        "from jaxtyping import install_import_hook\n"
        "from pathlib import Path\n"
        "paths = [p for p in Path('zoo').rglob('*.py') if 'zoo.shapes' in p.read_text()]\n"
        "names = ['.'.join(p.with_suffix('').parts) for p in paths]\n"
        "if sys.argv[1:]: install_import_hook(names, 'beartype.beartype')\n"
        "begun = time.perf_counter()\n"
        "for name in names: import_module(name)\n"
        "print(time.perf_counter() - begun)"
    )
    for arguments in (["hooked"], []):
        command = [sys.executable, "-c", code, *arguments]
        yield float(subprocess.run(command, cwd=ROOT, capture_output=True, check=True).stdout)


def beside(
    other: Path, mine: Sequence[str], others: Sequence[str], turns: int, console: Console
) -> None:
    """Runs the tests of this checkout and of another one in turns, and prints the ratios.

    Args:
        other: Another checkout, all of whose tests run, but the one that hangs.
        mine: Arguments of pytest for this one.
        others: Arguments of pytest for the other one.
        turns: Number of runs of each.
        console: Console on which it is printed.
    """
    ways = [("this checkout", ROOT, mine), ("the other", other, others)]
    found: dict[str, list[Run]] = defaultdict(list)
    for turn in range(turns):
        for name, checkout, arguments in ways[:: -1 if turn % 2 else 1]:
            with tempfile.TemporaryDirectory() as folder:
                done = run(checkout, arguments, Path(folder))
            console.print(
                f"{name}: {len(done.tests):,} tests, {len(done.failed)} failed, "
                f"{done.seconds:.0f} worker-seconds, {done.wall:.0f} s",
                soft_wrap=True,
            )
            found[name].append(done)
    one, two = (found[name] for name, *_ in ways)
    seconds, walls = (
        median(getattr(each, what) for each in one) / median(getattr(each, what) for each in two)
        for what in ("seconds", "wall")
    )
    console.print(f"worker-seconds {seconds:.3f}, time {walls:.3f} of the other's")


# The tiers


def lines_of(folder: Path) -> Lines:
    """The lines of each test, as the workers noted them; of imports, which are no test's, none."""
    from coverage import CoverageData

    found: Lines = defaultdict(set)
    for path in folder.glob("lines.*"):
        data = CoverageData(str(path))
        data.read()
        for file in data.measured_files():
            name = str(Path(file).relative_to(ROOT))
            for line, tests in data.contexts_by_lineno(file).items():
                for test in filter(None, tests):
                    found[test].add((name, line))
    return found


def rest_in_table() -> list[str]:
    """Returns the tests that tests/tiers.csv leaves to the rest."""
    with TIERS.open(encoding="utf-8", newline="") as file:
        return [row["test"] for row in csv.DictReader(file) if row["tier"] == "rest"]


def rest_of(tests: Mapping[str, Mapping[str, Any]], lines: Lines) -> list[str]:
    """The tests that the first tier can do without.

    Those that take `QUICK` seconds or more, but for `EACH` and the ones that run most new lines a
    second, as long as there are any; and all that take `LONGEST`, or use a fixture that does.
    """
    seconds = {name: test["seconds"] for name, test in tests.items()}
    long = {
        fixture
        for test in tests.values()
        for fixture, took in test.get("fixtures", {}).items()
        if took >= LONGEST
    }
    left = {
        name
        for name, test in tests.items()
        if seconds[name] >= LONGEST or long & set(test.get("uses", ()))
    }
    slow = {name for name in set(tests) - left if seconds[name] >= QUICK and not EACH.search(name)}
    run_already: set[tuple[str, int]] = set()
    for name in set(lines) - slow - left:
        run_already |= lines[name]
    candidates = {name: lines.get(name, set()) - run_already for name in sorted(slow)}
    while candidates:
        best = max(candidates, key=lambda name: len(candidates[name]) / seconds[name])
        new = candidates.pop(best)
        if not new:
            break
        slow.remove(best)
        candidates = {name: found - new for name, found in candidates.items()}
    return sorted(slow | left)


def write(tests: Mapping[str, Mapping[str, Any]], rest: Iterable[str]) -> None:
    """Writes tests/tiers.csv: tier and seconds of the tests that are not quick, or in the rest."""
    left, seconds = set(rest), {name: test["seconds"] for name, test in tests.items()}
    with TIERS.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(("tier", "seconds", "test"))
        for name in sorted(name for name in tests if name in left or seconds[name] >= QUICK):
            table.writerow(("rest" if name in left else "first", f"{seconds[name]:.2f}", name))


def covered(lines: Lines, rest: Iterable[str]) -> tuple[int, int]:
    """How many lines the first tier runs, and all tests."""
    left = set(rest)
    first = set().union(*(found for name, found in lines.items() if name not in left))
    return len(first), len(first.union(*lines.values()))


def main(argv: Sequence[str] | None = None) -> int:
    """Measures; returns 0, or 1 where a test failed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--tier", default="all", choices=("first", "rest", "all"))
    parser.add_argument("--against", type=Path, metavar="CHECKOUT", help="another one to run too")
    parser.add_argument("--turns", type=int, default=1, help="runs of each of two checkouts")
    parser.add_argument("--coverage", action="store_true", help="lines run by the first tier")
    parser.add_argument("--write", action="store_true", help=f"write {TIERS.relative_to(ROOT)}")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="keep what is recorded")
    options, arguments = parser.parse_known_args(argv)
    if options.write and (options.tier != "all" or arguments):
        parser.error("--write measures all tests: leave out --tier and the arguments of pytest")
    console = Console(highlight=False)
    console.print(processor(), markup=False)
    mine = ["--tier", options.tier, *arguments]
    if options.against:
        others = [*arguments, "--deselect", f"tests/cli/test_sweep_wandb.py::{HANGS}"]
        beside(options.against.resolve(), mine, others, options.turns, console)
        return 0
    with tempfile.TemporaryDirectory() as scratch:
        folder = (options.keep or Path(scratch) / "timed").resolve()
        found = run(ROOT, mine, folder)
        report(found, console)
        with_hook, without = hook_seconds()
        console.print(f"imports with beartype's hook {with_hook:.1f} s, without {without:.1f} s")
        if options.coverage or options.write:
            run(ROOT, mine, folder / "covered", coverage=True)
            lines = lines_of(folder / "covered")
            if options.write and found.failed:
                console.print("not written: a test failed")
            elif options.write:
                write(found.tests, rest_of(found.tests, lines))
            first, every = covered(lines, rest_in_table())
            console.print(f"the first tier runs {first:,} of {every:,} lines: {first / every:.4f}")
    return int(bool(found.failed))


if __name__ == "__main__":
    raise SystemExit(main())
