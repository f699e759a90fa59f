"""rows.yaml: what is measured of which recipe, what it has to reach, what the course reached."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from zoo.catalogue import Recipe, recipes
from zoo.cli.names import listed, pick, suggestion
from zoo.errors import InputError

FILE = Path(__file__).with_name("rows.yaml")
LIMIT = re.compile(r"(>=|<=|>|<) (-?[\d.]+)")
RANGE = re.compile(r"(-?[\d.]+) to (-?[\d.]+)")
BY_DEFAULT = {  # of a recipe that has no row: the first of these that it logs
    "val/value": "f",
    "test/accuracy": "test accuracy",
    "test/rmse": "test RMSE",
    "test/perplexity": "test perplexity",
    "test/loss": "test loss",
    "val/perplexity": "held-out perplexity",
    "val/loss": "held-out loss",
    "train/loss_epoch": "training loss",
}


@dataclass(frozen=True)
class Prerequisite:
    """A run that another needs.

    Attributes:
        recipe: Of it.
        option: That takes its checkpoint.
        of: The verb whose option that is: fit or test.
        options: Added to its command.
    """

    recipe: str
    option: str
    of: str = "fit"
    options: tuple[str, ...] = ()

    @property
    def row(self) -> "Row":
        """The run as an experiment of its own."""
        return Row(what="", recipe=self.recipe, options=self.options)


@dataclass(frozen=True)
class Row:
    """One experiment: a recipe, perhaps with options, with some seeds.

    Attributes:
        what: The experiment in words.
        topic: Of the course; 0 where it belongs to none.
        recipe: Its name; none where no training belongs to the topic.
        figures: What is measured: metrics as they are logged, with their words; `val/loss most` is
            the largest of all epochs, `val/loss least` the smallest.
        options: Added to the command.
        seeds: One run each.
        part: Of the corpus that is trained on, in words, where its title does not say it.
        folds: Cross-validated on so many; 0 for an ordinary run.
        checkpoint: The one that is tested: best, or last.
        after: What has to be trained before.
        course: What the course, or one of its sister editions, recorded.
        bar: What has to be reached: a limit (">= 0.832", "0.1 to 0.8") for each metric; in words
            for a topic whose bar is kept by `tests`.
        reason: Why a bar is not met.
        minutes: That a run takes, about; what takes least is measured first.
        needs: What is wanting here, so that nothing is measured: "a GPU".
        command: Instead of a recipe's.
        tests: The file that keeps the bar.
    """

    what: str
    topic: int = 0
    recipe: str = ""
    figures: dict[str, str] = field(default_factory=dict)
    options: tuple[str, ...] = ()
    seeds: tuple[int, ...] = (0,)
    part: str = ""
    folds: int = 0
    checkpoint: str = "best"
    after: Prerequisite | None = None
    course: str = ""
    bar: dict[str, str] | str = ""
    reason: str = ""
    minutes: float = 1
    needs: str = ""
    command: str = ""
    tests: str = ""

    @property
    def name(self) -> str:
        """The recipe with its options, as they are typed."""
        return " ".join([self.recipe, *(shown(option) for option in self.options)])

    @property
    def typed(self) -> str:
        """The command that a reader types."""
        verb = "cross-validate" if self.folds else "fit"
        return self.command or f"zoo {verb} {self.name}"

    @property
    def plain(self) -> bool:
        """Whether it is the recipe itself."""
        return bool(self.recipe) and not self.options


def shown(option: str) -> str:
    """An option in quotation marks where a shell would not leave it alone."""
    return option if re.fullmatch(r"[\w.,=/+-]+", option) else f"'{option}'"


@cache
def rows() -> tuple[Row, ...]:
    """The rows of the file in their order, then one for each recipe that has none.

    Raises:
        InputError: The file is wrong; names it, the row and what is wrong in it.
    """
    given = tuple(_parse(number, entry) for number, entry in _entries())
    plain = {row.recipe for row in given if row.plain}
    rest = [recipe for name, recipe in recipes().items() if name not in plain]
    return (*given, *(_by_default(recipe) for recipe in rest))


def _entries() -> Iterator[tuple[int, Any]]:
    try:
        entries = yaml.safe_load(FILE.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise InputError(f"{FILE}: cannot be read ({' '.join(str(error).split())})") from None
    yield from enumerate(entries, start=1)


def _parse(number: int, entry: dict[str, Any]) -> Row:
    where = f"{FILE.name}: row {number}"
    known = [each.name for each in fields(Row)]
    for key in entry:
        if key not in known:
            raise InputError(f"{where}: there is no {key}{suggestion(key, known)}: {listed(known)}")
    entry = {
        key: tuple(value) if isinstance(value, list) else value for key, value in entry.items()
    }
    after = entry.get("after")
    if after:
        after = Prerequisite(**after | {"options": tuple(after.get("options", ()))})
    row = Row(**entry | {"after": after, "course": str(entry.get("course", ""))})
    try:
        for recipe in filter(None, (row.recipe, after.recipe if after else "")):
            pick("recipe", recipe, recipes())
    except InputError as error:
        raise InputError(f"{where}: {error}") from None
    for limit in row.bar.values() if isinstance(row.bar, dict) else ():
        if not (LIMIT.fullmatch(limit) or RANGE.fullmatch(limit)):
            raise InputError(f"{where}: the bar {limit!r} is no limit: '>= 0.832' or '0.1 to 0.8'")
    return row


def _by_default(recipe: Recipe) -> Row:
    seed = recipe.config.get("seed_everything", 0)
    return Row(what=recipe.summary, recipe=recipe.name, seeds=(seed,))
