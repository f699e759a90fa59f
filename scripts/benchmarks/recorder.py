"""Plugin of pytest that records what tests cost and run: `-p recorder`, this folder on the path.

It imports nothing of the zoo, so that it also measures another checkout. $SUITE_RECORD names the
folder of what it writes; with $SUITE_COVERAGE set, also which lines each test runs.
"""

import importlib
import json
import os
import pkgutil
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest

FOLDER = Path(os.environ["SUITE_RECORD"])
PACKAGES = ("zoo", "datamodules")
TIMED = {  # what a test may do, and the method that does it
    "synthetic corpora": ("datamodules.corpus", "Corpus", "prepare_data"),
    "drawing": ("matplotlib.figure", "Figure", "savefig"),
    "training": ("lightning.pytorch", "Trainer", "fit"),
    "evaluation": ("lightning.pytorch", "Trainer", "test"),
    "waiting for processes": ("subprocess", "Popen", "wait"),
    "talking to processes": ("subprocess", "Popen", "communicate"),
    "starting processes": ("subprocess", "Popen", "__init__"),
}
WORKER = os.environ.get("PYTEST_XDIST_WORKER", "")
COVERAGE: Any = None
if os.environ.get("SUITE_COVERAGE") and WORKER:  # before anything of the zoo is imported
    import coverage

    COVERAGE = coverage.Coverage(str(FOLDER / "lines"), True, source=[*PACKAGES], messages=False)
    COVERAGE.start()


class Recorder:
    """In a worker, times what a test does, and in the end writes it to a file of the worker."""

    def __init__(self) -> None:
        self.tests: dict[str, dict[str, Any]] = defaultdict(lambda: {"seconds": 0.0})
        self.costs: defaultdict[str, float] = defaultdict(float)
        self.counts: Counter[str] = Counter()
        self.fixtures: dict[str, float] = {}
        self.begun = 0.0

    def wrap(self, kind: str, owner: type, method: str) -> None:
        """Times each call of a method."""
        original: Callable[..., Any] = getattr(owner, method)

        def timed(*args: Any, **kwargs: Any) -> Any:
            begun = time.perf_counter()
            try:
                return original(*args, **kwargs)
            finally:
                self.costs[kind] += time.perf_counter() - begun
                self.counts[kind] += 1

        setattr(owner, method, timed)

    def pytest_collection_finish(self) -> None:
        for kind, (module, name, method) in TIMED.items():
            with suppress(ImportError):  # another checkout may lack it
                self.wrap(kind, getattr(importlib.import_module(module), name), method)
        for package in map(importlib.import_module, PACKAGES if COVERAGE else ()):
            for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
                if not found.name.endswith("__main__"):  # imports are no test's
                    importlib.import_module(found.name)
        self.begun = time.time() - psutil.Process().create_time()

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(self, fixturedef: Any) -> Iterator[None]:
        begun = time.perf_counter()
        try:
            return (yield)
        finally:
            self.fixtures[named(fixturedef)] = time.perf_counter() - begun

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        test = self.tests[item.nodeid]
        known = item._fixtureinfo.name2fixturedefs.values()  # type: ignore[attr-defined]
        test["uses"] = [named(one[-1]) for one in known]
        if COVERAGE:
            COVERAGE.switch_context(item.nodeid)
        try:
            return (yield)
        finally:
            if COVERAGE:
                COVERAGE.switch_context("")
            for name in ("costs", "counts", "fixtures"):
                test[name] = dict(getattr(self, name))
                getattr(self, name).clear()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        test = self.tests[report.nodeid]
        test["seconds"] += report.duration
        if report.outcome != "passed":
            test["outcome"] = report.outcome

    def pytest_sessionfinish(self) -> None:
        if COVERAGE:
            COVERAGE.stop()
            COVERAGE.save()
        record = json.dumps({"begun": self.begun, "tests": self.tests})
        (FOLDER / f"{WORKER}.json").write_text(record, encoding="utf-8")


def named(fixture: Any) -> str:
    """Returns a fixture's name and where it is defined."""
    return f"{fixture.argname} ({fixture.baseid})"


def pytest_configure(config: pytest.Config) -> None:
    """Registers the recorder."""
    if WORKER:
        config.pluginmanager.register(Recorder())
