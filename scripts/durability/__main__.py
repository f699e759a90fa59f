"""What a run survives, tried many times.

    python -m scripts.durability [CHECK ...] [--count N]

Without a count, as many tries as the README's figures are of: some hours on two cores.
"""

import os
import sys
import tempfile
import time
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

from zoo.cli.parser import Parser
from zoo.errors import InputError

CHECKS = {  # how many tries by default
    "kills": 2000,
    "full": 100,
    "resume": 200,
    "signals": 200,
    "mutations": 10_000,
    "archives": 100,
    "configs": 200,
    "ranks": 4,
}
SHOWN = 5  # failures


def main(argv: Sequence[str] | None = None) -> int:
    """Runs checks and returns 0 where nothing failed, 1 where something did, 2 for bad input."""
    parser = Parser(prog="python -m scripts.durability", description="Try what a run survives.")
    parser.add_argument("checks", nargs="*", metavar="CHECK", help=", ".join(CHECKS))
    parser.add_argument("--count", type=int, metavar="N", help="tries of each check")
    try:
        options = parser.parse_args(argv)
        for name in options.checks:
            if name not in CHECKS:
                raise InputError(f"there is no check {name}; choose from {', '.join(CHECKS)}")
        if options.count is not None and options.count < 1:
            raise InputError(f"--count is {options.count}; it has to be at least 1")
    except InputError as error:
        print(f"durability: {error}", file=sys.stderr)
        return 2
    os.environ["WANDB_MODE"] = "disabled"
    failed = [_run(name, options.count or CHECKS[name]) for name in options.checks or CHECKS]
    return int(any(failed))


def _run(name: str, count: int) -> bool:
    check = import_module(f"scripts.durability.{name}").check
    begun = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        outcome = check(count, Path(folder))
    seconds = time.perf_counter() - begun
    notes = "".join(f", {number:,} {what}" for what, number in outcome.notes.items())
    failures = outcome.failures
    print(f"{name:<10} {outcome.tries:,} tries, {len(failures)} failures{notes}; {seconds:.0f} s")
    for failure in failures[:SHOWN]:
        print(f"           {failure}", flush=True)
    return bool(failures)


if __name__ == "__main__":
    raise SystemExit(main())
