"""Measures recipes, and writes what follows from it.

    python -m scripts.results [RECIPE ...] [--all] [--family FAMILY ...] [--budget 30m] [--ship]

What is measured already, with the settings that the recipe has now, is skipped; a run that was
stopped goes on. Real corpora are used where they lie under ZOO_DATA, else their synthetic
stand-ins, and that is said. Results go to scripts/results/results.json, and from there into the
headers of the models, the README, docs/results.md and docs/topics; without a recipe only that is
done.
"""

import os
import re
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from scripts.results.measure import Measurer, OutOfTimeError, kind_of
from scripts.results.records import Results, digest, load, save
from scripts.results.rows import Row, rows
from scripts.results.ship import ship
from scripts.results.tables import write
from scripts.results.words import measured
from zoo.catalogue import recipes
from zoo.cli.names import pick
from zoo.cli.parser import Parser
from zoo.errors import InputError

UNITS = {"s": 1, "m": 60, "h": 3600}
LEAST = 5.0  # seconds that are left, below which nothing is begun


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; returns 0, 1 where a recipe failed, or 2 for bad input."""
    parser = Parser(prog="python -m scripts.results", description="Measure recipes.")
    parser.add_argument("recipes", nargs="*", metavar="RECIPE", help="which, with all its rows")
    parser.add_argument("--all", action="store_true", help="all that this machine can measure")
    parser.add_argument("--family", nargs="+", default=[], help="those of folders of zoo/recipes")
    parser.add_argument("--budget", metavar="30m", help="stop after so many s, m or h")
    parser.add_argument("--ship", action="store_true", help="train what comes with the zoo")
    parser.add_argument("--folder", type=Path, default=Path("results"), help="of the runs")
    try:
        options = parser.parse_args(argv)
        end = time.monotonic() + _seconds(options.budget)
        chosen = _choose(options.recipes, options.family, all_of_them=options.all)
        measurer = Measurer(options.folder, end)
        if options.ship:
            ship(measurer)
        failed = _measure(chosen, measurer)
        for path in write(load()):
            print(f"written: {os.path.relpath(path)}")
    except OutOfTimeError:
        print("out of time: it goes on with the next command")
        return 1
    except InputError as error:
        print(f"results: {error}", file=sys.stderr)
        return 2
    return int(failed)


def _seconds(budget: str | None) -> float:
    if budget is None:
        return float("inf")
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([smh])", budget)
    if not found:
        raise InputError(f"--budget is {budget!r}; it is a number with s, m or h: 30m")
    return float(found.group(1)) * UNITS[found.group(2)]


def _choose(names: Sequence[str], families: Sequence[str], *, all_of_them: bool) -> list[Row]:
    known = {recipe.path.parent.name for recipe in recipes().values()}
    wanted = {pick("recipe", name, recipes()) for name in names}
    folders = {pick("family", family, known) for family in families}
    wanted |= {n for n, recipe in recipes().items() if recipe.path.parent.name in folders}
    fitting = [row for row in rows() if row.recipe and (all_of_them or row.recipe in wanted)]
    for row in fitting:
        if row.needs and row.recipe in names:
            raise InputError(f"{row.name}: needs {row.needs}; set `needs` free in rows.yaml")
    return [row for row in fitting if not row.needs]


def _measure(chosen: Sequence[Row], measurer: Measurer) -> bool:
    """Measures what is not measured yet, the quick ones first; says how it goes."""
    results = load()
    wanting = [
        (row, seed) for row in chosen for seed in row.seeds if not _known(row, seed, results)
    ]
    wanting.sort(key=lambda pair: _expected(pair[0], results))
    failed = False
    for number, (row, seed) in enumerate(wanting, start=1):
        if measurer.end - time.monotonic() < LEAST:
            print(f"out of time: {len(wanting) - number + 1} wait for the next command")
            break
        print(f"[{number}/{len(wanting)}] {row.typed}, seed {seed}", flush=True)
        try:
            result = measurer.measure(row, seed)
        except OutOfTimeError:
            print("  stopped and saved: it goes on with the next command")
            continue
        except InputError as error:
            print(f"  {error}", flush=True)
            failed = True
            continue
        results = load() | {result.key: result}  # another command may have added to the file
        save(results)
        said = ", ".join(f"{words} {value}" for words, value in measured(row, [result]))
        print(f"  {said} ({result.seconds or 0:.0f} s)", flush=True)
    return failed


def _known(row: Row, seed: int, results: Results) -> bool:
    """Whether a run is measured, with the recipe's settings and on the best corpus there is."""
    result = results.get((row.recipe, row.options, seed))
    return bool(
        result
        and result.seconds is not None
        and result.settings == digest(row.recipe)
        and result.kind in (kind_of(row.recipe), "real")
    )


def _expected(row: Row, results: Results) -> tuple[bool, float]:
    """Seconds that a run took before; those that another needs come before it."""
    known = [result.seconds or 0.0 for result in results.values() if result.recipe == row.recipe]
    return bool(row.after), max(known, default=0.0) or row.minutes * 60.0


if __name__ == "__main__":
    # Beside another job, threads that spin while they wait make small tensors ten times slower.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    sys.exit(main())
