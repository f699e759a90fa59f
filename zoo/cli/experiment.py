"""The settings of one experiment, and what its model takes from its corpus. No torch."""

import inspect
import re
from dataclasses import dataclass, field
from typing import Any

import yaml

from zoo.catalogue import (
    OWN,
    Definition,
    ancestry,
    arguments,
    corpora,
    definitions,
    facts,
    imported,
    owner,
    renamed,
)
from zoo.cli.foreign_signatures import trainer_options
from zoo.cli.names import listed, suggestion
from zoo.cli.short_options import SHORT, hint, other_name
from zoo.errors import InputError

MOST_SEED = 2**32 - 1  # numpy's


@dataclass
class Experiment:
    """What to run.

    Attributes:
        name: Name of the run: the recipe's, or `<model>-<corpus>`.
        config: Settings as the recipe gives them.
        overrides: Options that come after them, `--group.option=value`.
        note: Text to print before the run.
        state: What a corpus of this class left in a checkpoint, for one that lacks a part.
        facts: Arguments of the model that the corpus sets.

    Raises:
        InputError: The model needs a fact that the corpus lacks, an option does not exist, or the
            user gives a value for what the corpus sets.
    """

    name: str
    config: dict[str, Any]
    overrides: list[str]
    note: str = ""
    state: dict[str, Any] = field(default_factory=dict)
    facts: list[str] = field(init=False)

    def __post_init__(self) -> None:
        self._refuse_seed()
        refuse_other_kinds(self.config)
        model, data = (self.config[group]["class_path"] for group in ("model", "data"))
        wanted, offered = arguments_of(model), facts_of(data)
        self.facts = [name for name in wanted if name in offered]
        given = given_arguments("model", self.config["model"], self.overrides)
        short, corpus = model.rpartition(".")[2], data.rpartition(".")[2]
        for name in given:
            if name in self.facts:
                raise InputError(f"model.{name} follows from the corpus {corpus} and cannot be set")
        for group in ("model", "data"):
            refuse_unknown_options(group, self.config[group], self.overrides)
        _refuse_unknown_trainer_options(self.overrides)
        for name, has_default in wanted.items():
            if not (has_default or name in self.facts or name in given):
                fitting = [c for c, d in corpora().items() if name in facts(d, definitions())]
                raise InputError(
                    f"{short} needs {name}, which {corpus} does not have; "
                    f"corpora that do: {listed(fitting) or 'none'}"
                )

    def title(self) -> str:
        """Returns the names of the model and the corpus."""
        paths = (self.config[group]["class_path"] for group in ("model", "data"))
        return " on ".join(path.rpartition(".")[2] for path in paths)

    def arguments(self) -> list[str]:
        """Returns the command line of the LightningCLI."""
        return ["--config", yaml.safe_dump(self.config, sort_keys=False), *self.overrides]

    def _refuse_seed(self) -> None:
        seed = self.config.get("seed_everything")
        for option in self.overrides:
            if option.startswith("--seed_everything="):
                seed = option.partition("=")[2]
        if re.fullmatch(r"[+-]?\d+", str(seed)) and not 0 <= int(str(seed)) <= MOST_SEED:
            raise InputError(f"--seed_everything {seed}: a seed is from 0 to {MOST_SEED:,}")

    def trainer_option(self, name: str) -> Any:
        """Returns the value of an option of the Trainer, None where none is given."""
        for option in reversed(self.overrides):
            if option.startswith(f"--trainer.{name}="):
                value = option.partition("=")[2]
                return None if value in ("null", "None") else value
        return (self.config.get("trainer") or {}).get(name)

    def optimizer(self) -> str:
        """Returns the class path of the optimizer, or its name as given; "" for the default."""
        for option in reversed(self.overrides):
            if option.startswith(("--model.optimizer=", "--model.optimizer.class_path=")):
                return option.partition("=")[2]
        given = (self.config["model"].get("init_args") or {}).get("optimizer") or {}
        return given.get("class_path", "") if isinstance(given, dict) else str(given)


def refuse_other_kinds(config: dict[str, Any]) -> None:
    """Refuses classes of others that are no model, or no datamodule.

    Raises:
        InputError: One is something else.
    """
    for group in ("model", "data"):
        _refuse_other_kind(group, config[group]["class_path"])


def _refuse_other_kind(group: str, path: str) -> None:
    """Refuses a class of others that is no model, or no datamodule.

    Raises:
        InputError: It is something else.
    """
    if path in definitions():
        return
    from lightning.pytorch import LightningDataModule, LightningModule

    base = LightningModule if group == "model" else LightningDataModule
    found = imported(path)
    if not (isinstance(found, type) and issubclass(found, base)):
        raise InputError(f"--{group} {path} is no {base.__name__}")


def given_arguments(group: str, settings: dict[str, Any], overrides: list[str]) -> list[str]:
    """Returns names of the arguments that settings and options of a group set."""
    names = list(settings.get("init_args") or {})
    for option in overrides:
        path = option.removeprefix("--").partition("=")[0].split(".")
        if path[0] == group and len(path) > 1:
            names.append(path[2] if path[1] == "init_args" and len(path) > 2 else path[1])
    return [name.rstrip("+") for name in names if name not in ("class_path", "help")]


def refuse_unknown_options(group: str, settings: dict[str, Any], overrides: list[str]) -> None:
    """Refuses an option that the class of a group does not have.

    Raises:
        InputError: There is one; suggests the nearest.
    """
    known = arguments_of(settings["class_path"])
    for name in given_arguments(group, settings, overrides):
        if known and name not in known:
            title = settings["class_path"].rpartition(".")[2]
            now = next(iter(renamed(settings["class_path"], {name: None})), name)
            hint = suggestion(name, known) if now == name else f" (it is now called {now})"
            if not hint and (other := other_name(f"--{group}.{name}", map("--{}".format, SHORT))):
                hint = f" (did you mean {other}?)"
            raise InputError(
                f"{title} has no option {group}.{name}{hint}; there are: {listed(known)}"
            )


def _refuse_unknown_trainer_options(overrides: list[str]) -> None:
    """Refuses before Lightning is imported, which takes seconds, what its Trainer does not have."""
    known = [f"--trainer.{name}" for name in trainer_options()]
    for option in overrides:
        named = re.match(r"--trainer\.\w+", option)
        if known and named and named[0] not in known:
            near = hint(named[0], [*known, *map("--{}".format, SHORT)])
            raise InputError(f"there is no option {named[0]}{near}")


def arguments_of(path: str) -> dict[str, bool]:
    """Returns the arguments of a model or a corpus by class path: whether each has a default."""
    found = _found(path)
    if path in found:
        return arguments(found[path], found)
    merged: dict[str, bool] = {}
    for cls in imported(path).__mro__:  # as far as `**` hands arguments on
        parameters = list(inspect.signature(cls.__init__).parameters.values())[1:]
        plain = [p for p in parameters if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]
        merged = {p.name: p.default is not p.empty for p in plain} | merged
        if not any(p.kind is p.VAR_KEYWORD for p in parameters):
            break
    return merged


def without_none(path: str) -> set[str]:
    """Returns the arguments of a model or a corpus, by class path, whose types leave out None."""
    found: dict[str, str] = {}
    for cls in reversed(imported(path).__mro__):
        parameters = inspect.signature(cls.__init__).parameters
        found |= {name: str(each.annotation) for name, each in parameters.items()}
    anything = str(inspect.Parameter.empty), str(Any)
    return {
        name
        for name, kind in found.items()
        if kind not in anything and not re.search(r"\b(None|Optional)\b", kind)
    }


def _found(path: str) -> dict[str, Definition]:
    """Returns definitions with that of a class, if it has one, and of its bases."""
    return ancestry(path) if owner(path, OWN) else definitions()


def facts_of(path: str) -> set[str]:
    """Returns the facts that a corpus offers, by class path."""
    found = _found(path)
    if path in found:
        return facts(found[path], found)
    corpus = imported(path)
    return {
        name for name in dir(corpus) if type(getattr(corpus, name)).__name__ == "cached_property"
    }
