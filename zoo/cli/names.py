"""Names of models, corpora and recipes: what there is, and what a misspelt one may have meant."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache, cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import yaml

import zoo
from zoo.catalogue import Definition, architectures, lineage, scan
from zoo.errors import InputError

RECIPES = Path(zoo.__file__).parent / "recipes"
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # in C where there is one: 10 times faster
MANY = 24  # names, more than which a message does not list


@dataclass(frozen=True)
class Recipe:
    """One experiment: a file of at most 20 lines whose first line says what it is.

    Attributes:
        name: `<model>-<corpus>`, the name of the file.
        path: Of the file.
        text: Of the file.
    """

    name: str
    path: Path
    text: str

    @property
    def summary(self) -> str:
        return self.text.partition("\n")[0].removeprefix("#").strip()

    @cached_property
    def config(self) -> dict[str, Any]:
        """The settings; to be copied before they are changed."""
        return yaml.load(self.text, Loader=LOADER)

    @property
    def model(self) -> str:
        return self.config["model"]["class_path"].rpartition(".")[2]

    @property
    def corpus(self) -> str:
        return self.config["data"]["class_path"].rpartition(".")[2]

    @property
    def result(self) -> str:
        """The measured result, out of the header of the architecture."""
        lines = architectures()[self.model].results if self.model in architectures() else ()
        return next((line for line in lines if line.startswith(f"{self.name}: ")), "")


@cache
def definitions() -> dict[str, Definition]:
    """Every public class of both packages, by class path."""
    spec = find_spec("datamodules")
    folders = (spec.submodule_search_locations if spec else None) or []
    found = dict(scan("zoo", Path(zoo.__file__).parent))
    for folder in folders:
        found |= scan("datamodules", Path(folder))
    return found


@cache
def corpora() -> dict[str, Definition]:
    """The corpora by class name: those that say where their data comes from."""
    return {
        definition.name: definition
        for definition in definitions().values()
        if "Source" in definition.header
        and "datamodules.corpus.Corpus" in lineage(definition, definitions())
    }


@cache
def optimizers() -> dict[str, str]:
    """Class paths of optimizers by class name: the zoo's own, and torch's of the same name.

    The papers' spelling tells the others apart: AdaGrad is the zoo's, Adagrad torch's.
    """
    torchs = {name: f"torch.optim.{name}" for name in ("SGD", "Adam")}
    return _derived_from("torch.optim.Optimizer") | torchs


@cache
def schedules() -> dict[str, str]:
    """Class paths of the zoo's own learning-rate schedules by class name."""
    return _derived_from("torch.optim.lr_scheduler.LRScheduler")


def _derived_from(base: str) -> dict[str, str]:
    return {
        definition.name: definition.class_path
        for definition in definitions().values()
        if base in lineage(definition, definitions()) and "Source" in definition.header
    }


@cache
def recipes() -> dict[str, Recipe]:
    """The recipes by name."""
    paths = sorted(set(RECIPES.glob("*/*.yaml")) - set(RECIPES.glob("overlays/*.yaml")))
    return {p.stem: Recipe(p.stem, p, p.read_text(encoding="utf-8")) for p in paths}


def pick(kind: str, name: str, known: Iterable[str]) -> str:
    """`name` as it is written in `known`; case does not matter.

    Raises:
        InputError: It is not known; suggests the nearest, and names them all, or where they are
            many those alike.
    """
    names = list(known)
    for candidate in names:
        if candidate.lower() == name.lower():
            return candidate
    raise InputError(f"no {kind} is called {name}{meant(name, names)}; {_choice(name, names)}")


def in_full(name: str) -> str:
    """The recipe that is meant by a name without its corpus, if there is just one."""
    fitting = [recipe for recipe in recipes() if recipe.partition("-")[0] == name.lower()]
    return fitting[0] if len(fitting) == 1 else name


def meant(name: str, known: Iterable[str]) -> str:
    """`, did you mean X?` where one of the known names is near."""
    spelt = {candidate.lower().lstrip("-"): candidate for candidate in known}
    near = get_close_matches(name.lower().lstrip("-"), spelt, n=1)
    return f" (did you mean {spelt[near[0]]}?)" if near else ""


def _choice(name: str, known: Sequence[str]) -> str:
    """What there is, in a line that can still be read."""
    if len(known) <= MANY:
        return f"there are: {listed(known)}"
    alike = [candidate for candidate in known if name.lower() in candidate.lower()]
    some = f"there are: {listed(alike)}; " if 0 < len(alike) <= MANY else ""
    return f"{some}`zoo list` names all {len(known)}"


def listed(names: Iterable[str]) -> str:
    """The names in alphabetical order."""
    return ", ".join(sorted(names, key=str.lower))


def class_path(kind: str, name: str, known: dict[str, Definition]) -> str:
    """The class path of a short name; a full class path is handed on as it is."""
    return name if "." in name else known[pick(kind, name, known)].class_path
