"""From a recipe, a pair of names or a checkpoint to the settings of one experiment. No torch."""

import inspect
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

import yaml

from zoo.catalogue import (
    arguments,
    corpora,
    definitions,
    facts,
)
from zoo.cli.names import listed, meant
from zoo.errors import InputError


@dataclass
class Experiment:
    """What to run.

    Attributes:
        name: Of the run: the recipe's, or `<model>-<corpus>`.
        config: Settings as the recipe gives them.
        overrides: Options that come after them, `--group.option=value`.
        facts: Arguments of the model that the corpus fills.
        note: Something to say before the run.
    """

    name: str
    config: dict[str, Any]
    overrides: list[str]
    facts: list[str] = field(default_factory=list)
    note: str = ""

    def arguments(self) -> list[str]:
        """The command line of the LightningCLI."""
        return ["--config", yaml.safe_dump(self.config, sort_keys=False), *self.overrides]


def link(experiment: Experiment) -> list[str]:
    """The facts of the corpus that the model's arguments ask for.

    Raises:
        InputError: The model needs a fact that the corpus lacks, an option does not exist, or the
            user gives a value for what the corpus fills.
    """
    model, data = (experiment.config[group]["class_path"] for group in ("model", "data"))
    wanted, offered = _arguments(model), _facts(data)
    linked = [name for name in wanted if name in offered]
    given = _given(experiment, "model")
    short, corpus = model.rpartition(".")[2], data.rpartition(".")[2]
    for name in given:
        if name in linked:
            raise InputError(f"model.{name} follows from the corpus {corpus} and cannot be set")
    for group, known, title in (("model", wanted, short), ("data", _arguments(data), corpus)):
        for name in _given(experiment, group):
            if known and name not in known:
                raise InputError(
                    f"{title} has no option {group}.{name}{meant(name, known)}; "
                    f"there are: {listed(known)}"
                )
    for name, has_default in wanted.items():
        if not (has_default or name in linked or name in given):
            fitting = [c for c, d in corpora().items() if name in facts(d, definitions())]
            raise InputError(
                f"{short} needs {name}, which {corpus} does not have; "
                f"corpora that do: {listed(fitting) or 'none'}"
            )
    return linked


def _given(experiment: Experiment, group: str) -> list[str]:
    """Names of the arguments that configuration and options set."""
    names = list(experiment.config[group].get("init_args") or {})
    for option in experiment.overrides:
        path = option.removeprefix("--").partition("=")[0].split(".")
        if path[0] == group and len(path) > 1:
            names.append(path[2] if path[1] == "init_args" and len(path) > 2 else path[1])
    return [name.rstrip("+") for name in names if name not in ("class_path", "help")]


def _arguments(path: str) -> dict[str, bool]:
    if path in definitions():
        return arguments(definitions()[path], definitions())
    merged: dict[str, bool] = {}
    for cls in _import(path).__mro__:  # as far as `**` hands arguments on
        parameters = list(inspect.signature(cls.__init__).parameters.values())[1:]
        plain = [p for p in parameters if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]
        merged = {p.name: p.default is not p.empty for p in plain} | merged
        if not any(p.kind is p.VAR_KEYWORD for p in parameters):
            break
    return merged


def _facts(path: str) -> set[str]:
    if path in definitions():
        return facts(definitions()[path], definitions())
    corpus = _import(path)
    return {
        name for name in dir(corpus) if type(getattr(corpus, name)).__name__ == "cached_property"
    }


def _import(path: str) -> Any:
    module, _, name = path.rpartition(".")
    try:
        return getattr(import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise InputError(f"{path} cannot be imported ({error})") from None
