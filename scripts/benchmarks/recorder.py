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
from pathlib import Path
from typing import Any

import psutil
import pytest

FOLDER = Path(os.environ["SUITE_RECORD"])
PACKAGES = ("zoo", "datamodules")
TIMED = {  # what a test may do, and the attribute that does it
    "synthetic corpora": ("datamodules.corpus", "Corpus.prepare_data"),
    "drawing": ("matplotlib.figure", "Figure.savefig"),
    "training": ("lightning.pytorch", "Trainer.fit"),
    "evaluation": ("lightning.pytorch", "Trainer.test"),
    "waiting for processes": ("subprocess", "Popen.wait"),
    "talking to processes": ("subprocess", "Popen.communicate"),
    "starting processes": ("subprocess", "Popen.__init__"),
}


def started_coverage() -> Any:
    """Begins to note which lines run, before anything of the zoo is imported."""
    import coverage

    measured = coverage.Coverage(
        data_file=str(FOLDER / "lines"), data_suffix=True, source=list(PACKAGES), messages=False
    )
    measured.start()
    return measured


IN_WORKER = "PYTEST_XDIST_WORKER" in os.environ
COVERAGE = started_coverage() if os.environ.get("SUITE_COVERAGE") and IN_WORKER else None


def named(fixture: Any) -> str:
    """A fixture and where it is defined."""
    return f"{fixture.argname} ({fixture.baseid})"


class Recorder:
    """In a worker, times what a test does; in the controller, gathers it."""

    def __init__(self) -> None:
        self.costs: defaultdict[str, float] = defaultdict(float)
        self.counts: Counter[str] = Counter()
        self.fixtures: dict[str, float] = {}
        self.begun = 0.0
        self.tests: dict[str, dict[str, Any]] = defaultdict(lambda: {"seconds": 0.0})
        self.workers: dict[str, float] = {}

    # In a worker

    def wrap(self, kind: str, module: str, attribute: str) -> None:
        """Times each call of a method, if its module is there."""
        name, _, method = attribute.partition(".")
        try:
            owner = getattr(importlib.import_module(module), name)
        except ImportError:
            return
        original: Callable[..., Any] = getattr(owner, method)

        def timed(*args: Any, **kwargs: Any) -> Any:
            begun = time.perf_counter()
            try:
                return original(*args, **kwargs)
            finally:
                self.costs[kind] += time.perf_counter() - begun
                self.counts[kind] += 1

        setattr(owner, method, timed)

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        if not IN_WORKER:
            return
        for kind, (module, attribute) in TIMED.items():
            self.wrap(kind, module, attribute)
        if COVERAGE:  # imports are no test's
            for package in map(importlib.import_module, PACKAGES):
                for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
                    if not found.name.endswith("__main__"):
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
            worker = os.environ.get("PYTEST_XDIST_WORKER", "")
            known = item._fixtureinfo.name2fixturedefs.values()  # type: ignore[attr-defined]
            uses = [named(one[-1]) for one in known]
            found = [self.costs, self.counts, self.fixtures, uses, worker, self.begun]
            item.user_properties.append(("recorded", json.dumps(found)))
        return (yield)

    # In the controller

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if IN_WORKER:
            return
        test = self.tests[report.nodeid]
        test["seconds"] += report.duration
        if report.outcome != "passed":
            test["outcome"] = report.outcome
        for name, value in report.user_properties:
            if name == "recorded" and report.when == "teardown":
                *found, worker, begun = json.loads(str(value))
                test |= dict(zip(("costs", "counts", "fixtures", "uses"), found, strict=True))
                self.workers[worker] = begun

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self) -> None:
        if COVERAGE:
            COVERAGE.stop()
            COVERAGE.save()
        if not IN_WORKER:
            FOLDER.mkdir(parents=True, exist_ok=True)
            record = {"workers": self.workers, "tests": self.tests}
            (FOLDER / "record.json").write_text(json.dumps(record), encoding="utf-8")


def pytest_configure(config: pytest.Config) -> None:
    """Registers the recorder."""
    config.pluginmanager.register(Recorder())
