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


class InWorker:
    """Times what a test does, and sends it with the report of the test's end."""

    def __init__(self) -> None:
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
        for counter in (self.costs, self.counts, self.fixtures):
            counter.clear()
        if COVERAGE:
            COVERAGE.switch_context(item.nodeid)
        try:
            return (yield)
        finally:
            if COVERAGE:
                COVERAGE.switch_context("")

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_makereport(self, item: pytest.Item, call: Any) -> Iterator[None]:
        if call.when == "teardown":
            known = item._fixtureinfo.name2fixturedefs.values()  # type: ignore[attr-defined]
            found = {"costs": self.costs, "counts": self.counts, "fixtures": self.fixtures}
            found |= {"uses": [named(one[-1]) for one in known]}
            found |= {"worker": WORKER, "begun": self.begun}
            item.user_properties.append(("recorded", json.dumps(found)))
        return (yield)

    def pytest_sessionfinish(self) -> None:
        if COVERAGE:
            COVERAGE.stop()
            COVERAGE.save()


class InController:
    """Gathers what the workers send: by test, seconds, outcome and what was recorded."""

    def __init__(self) -> None:
        self.tests: dict[str, dict[str, Any]] = defaultdict(lambda: {"seconds": 0.0})

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        test = self.tests[report.nodeid]
        test["seconds"] += report.duration
        if report.outcome != "passed":
            test["outcome"] = report.outcome
        if report.when == "teardown":
            test |= json.loads(str(dict(report.user_properties).get("recorded", "{}")))

    def pytest_sessionfinish(self) -> None:
        FOLDER.mkdir(parents=True, exist_ok=True)
        record = json.dumps({"tests": self.tests})
        (FOLDER / "record.json").write_text(record, encoding="utf-8")


def named(fixture: Any) -> str:
    """Returns a fixture's name and where it is defined."""
    return f"{fixture.argname} ({fixture.baseid})"


def pytest_configure(config: pytest.Config) -> None:
    """Registers the recorder."""
    config.pluginmanager.register(InWorker() if WORKER else InController())
