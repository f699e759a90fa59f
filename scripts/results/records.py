"""results.json: what was measured, with what it cost and where."""

import hashlib
import json
import subprocess
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from scripts.results.rows import BY_DEFAULT, Row
from zoo.catalogue import recipes
from zoo.errors import InputError
from zoo.files import write_json

FILE = Path(__file__).with_name("results.json")
FORMAT = 1
Key = tuple[str, tuple[str, ...], int]  # recipe, options, seed


@dataclass(frozen=True)
class Result:
    """What one run gave.

    Attributes:
        recipe: Its name.
        options: That were added.
        seed: Of the run.
        settings: Digest of the recipe's settings, by which a changed recipe is told.
        corpus: What was read, in words.
        kind: Of the corpus: real, synthetic or generated.
        epochs: Of the training; the mean of folds counts as one run.
        steps: Of the training.
        metrics: The last value of each that was logged.
        tested: Checkpoint, epoch and metrics of the test, if there was one.
        date: Of the end of the run.
        commit: Of the code; "+" where it was changed.
        machine: Processor or accelerator, and threads.
        seconds: Of the training with its validation; none where that was not kept.
        rows_per_second: Of the training alone.
        peak_memory_bytes: Of the process, or of its GPU.
        versions: Of the zoo, torch and lightning.
    """

    recipe: str
    options: list[str]
    seed: int
    settings: str
    corpus: str
    kind: str
    epochs: int
    steps: int
    metrics: dict[str, float]
    tested: dict[str, Any]
    date: str
    commit: str
    machine: str
    seconds: float | None
    rows_per_second: float | None
    peak_memory_bytes: int | None
    versions: dict[str, str] = field(default_factory=dict)

    @property
    def key(self) -> Key:
        return self.recipe, tuple(self.options), self.seed

    def value(self, metric: str) -> float | None:
        """A metric of the test or of the last epoch, or `rows_per_second`, if it was measured."""
        if metric == "rows_per_second":
            return self.rows_per_second
        return {**self.metrics, **self.tested.get("metrics", {})}.get(metric)


Results = dict[Key, Result]


def load() -> Results:
    """The results by recipe, options and seed.

    Raises:
        InputError: The file cannot be read; names it.
    """
    if not FILE.is_file():
        return {}
    try:
        content = json.loads(FILE.read_text(encoding="utf-8"))
        results = [Result(**entry) for entry in content["results"]]
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise InputError(f"{FILE}: cannot be read ({error}); `git checkout` it") from None
    return {result.key: result for result in results}


def save(results: Results) -> None:
    """Writes them in the order of their names, whole or not at all."""
    entries = [asdict(results[key]) for key in sorted(results)]
    write_json(FILE, {"format": FORMAT, "results": entries})


def of(row: Row, results: Results) -> list[Result]:
    """The results of a row, in the order of its seeds."""
    keys = [(row.recipe, row.options, seed) for seed in row.seeds]
    return [results[key] for key in keys if key in results]


def figures(row: Row, results: list[Result]) -> dict[str, str]:
    """What is measured of a row, with its words; by default the first that its run has logged."""
    if row.figures or not results:
        return row.figures
    found = next((name for name in BY_DEFAULT if results[0].value(name) is not None), None)
    return {found: BY_DEFAULT[found]} if found else {}


def digest(recipe: str) -> str:
    """Of the settings of a recipe, whatever its comments and the order of its lines."""
    text = json.dumps(recipes()[recipe].config, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def commit() -> str:
    """Of the checkout, with "+" behind it where files that count were changed; "" outside git."""
    here = Path(__file__).parent
    try:
        head = _git(here, "rev-parse", "--short=10", "HEAD")
        changed = _git(here, "status", "--porcelain", "--", ":/zoo", ":/datamodules")
    except (OSError, subprocess.CalledProcessError):
        return ""
    return head + "+" * bool(changed)


def _git(folder: Path, *arguments: str) -> str:
    command = ["git", "-C", str(folder), *arguments]
    return subprocess.run(command, capture_output=True, check=True, text=True).stdout.strip()
