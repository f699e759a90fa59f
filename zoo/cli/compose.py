"""From a recipe, a pair of names, a file or a checkpoint to an experiment. No torch."""

import re
from collections.abc import Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any

import yaml

from zoo.catalogue import (
    OWN,
    architectures,
    corpora,
    optimizers,
    owner,
    recipes,
    renamed,
    schedules,
)
from zoo.cli.allowed import refuse_foreign_classes
from zoo.cli.experiment import Experiment, arguments_of, facts_of, refuse_other_kinds
from zoo.cli.names import class_path, only_recipe_of, pick, refuse_place
from zoo.cli.overlays import apply
from zoo.cli.short_options import in_full
from zoo.errors import InputError

DEFAULT_OPTIMIZER = "torch.optim.Adam"  # of a task
EPOCHS = 10  # of a pair without a recipe
LENGTHS = ("--trainer.max_", "--epochs=")  # options that say how long to train
PLATEAUS = (  # in whose place the zoo's stands, which needs no metric
    "lightning.pytorch.cli.ReduceLROnPlateau",
    "torch.optim.lr_scheduler.ReduceLROnPlateau",
)


def compose(
    recipe: str | None,
    config_file: str | None,
    model: str | None,
    data: str | None,
    overrides: list[str],
    overlays: Sequence[str] = (),
    allow: Sequence[str] = (),
) -> Experiment:
    """Returns the experiment of a recipe or a configuration file, or of a model and a corpus.

    Overlays replace its settings, and the options replace theirs.

    Raises:
        InputError: A name is unknown, model or corpus is missing, overlays contradict, or a class
            is of a package that is neither trusted nor in `allow`.
    """
    for kind, name in (("model", model), ("corpus", data)):
        refuse_place(kind, name or "")
    refuse_foreign_classes({"model": model, "data": data}, overrides, allow)
    name, config = settings(recipe, config_file, model, data)
    if config_file:
        refuse_foreign_classes(config, overrides, allow)
    notes = []
    if not (recipe or config_file or name in recipes()):
        notes.append(f"no recipe is called {name}: training with the defaults")
        if not any(option.startswith(LENGTHS) for option in overrides):
            config["trainer"] = {"max_epochs": EPOCHS}
            notes[0] += f", {EPOCHS} epochs (--epochs)"
    choose(config, "model", model)
    choose(config, "data", data)
    apply(overlays, config)
    refuse_other_kinds(config)
    known = arguments_of(config["model"]["class_path"])
    overrides, lines = in_full(config, overrides, known)
    refuse_foreign_classes({}, overrides, allow)
    overrides = _choose_optimizer(config["model"], _added_callbacks(_classes_first(overrides)))
    peaks = _peaks(config["model"]["init_args"], overrides)
    note = "\n".join([*notes, *lines, *(text for _, text in peaks)])
    return Experiment(name, config, [*overrides, *(option for option, _ in peaks)], note)


def settings(
    recipe: str | None,
    config_file: str | None,
    model: str | None,
    data: str | None,
) -> tuple[str, dict[str, Any]]:
    """Returns the name and the settings of a recipe, of a file, or of the recipe of a pair.

    Nothing that a file names is imported.

    Raises:
        InputError: A name is unknown, or nothing is named; see `compose`.
    """
    if recipe and config_file:
        raise InputError(f"give a recipe ({recipe}) or a file (--config {config_file}), not both")
    if config_file:
        name, config = _run_name(Path(config_file)), _read_config(Path(config_file))
    elif recipe and recipe.endswith((".yaml", ".yml")):
        raise InputError(f"{recipe} is no recipe: a file of settings is given as --config {recipe}")
    elif recipe:
        name = pick("recipe", only_recipe_of(recipe), recipes())
        config = deepcopy(recipes()[name].config)
    elif model and data:
        name = _pair(model, data)
        config = deepcopy(recipes()[name].config) if name in recipes() else {"seed_everything": 0}
    else:
        missing = "a corpus: --data NAME" if model else "a model: --model NAME" if data else ""
        raise InputError(f"name {missing or 'a recipe'}; `zoo list` shows what there is")
    if not isinstance(config.get("trainer"), dict | None):
        raise InputError("trainer: wanted names and values of its options")
    return name, config


def from_checkpoint(
    checkpoint: dict[str, Any],
    source: str,
    data: str | None,
    overrides: list[str],
    allow: Sequence[str] = (),
) -> Experiment:
    """Returns the experiment of a checkpoint's training, on its own corpus or on `data`.

    Raises:
        InputError: The checkpoint names no corpus and `data` is not given, or a class is of a
            package that is neither trusted nor in `allow`.
    """
    noted = checkpoint["zoo"]
    saved = noted.get("data") or checkpoint.get(noted.get("corpus") or "")
    config: dict[str, Any] = {
        "model": {
            "class_path": noted.get("class_path"),
            "init_args": _plain(checkpoint.get("hyper_parameters", {})),
        }
    }
    if saved and "class_path" in saved:  # a user's own may save other things
        config["data"] = {
            "class_path": saved["class_path"],
            "init_args": _plain(saved.get("arguments") or saved.get("init_args") or {}),
        }
    elif not data:
        raise InputError(f"{source} does not say what it was trained on: add --data CORPUS")
    refuse_foreign_classes({**config, "data": data or config["data"]}, overrides, allow)
    choose(config, "data", data)
    for name in facts_of(config["data"]["class_path"]):
        config["model"]["init_args"].pop(name, None)
    state = saved or {}
    same = state.get("class_path") == config["data"]["class_path"]
    refuse_other_kinds(config)
    known = arguments_of(config["model"]["class_path"])
    overrides, lines = in_full(config, overrides, known)
    refuse_foreign_classes({}, overrides, allow)
    note, state = "\n".join(lines), state if same else {}
    return Experiment(Path(source).stem, config, overrides, note, state)


def _plain(arguments: dict[str, Any]) -> dict[str, Any]:
    """Returns hyperparameters without Lightning's own keys, as YAML has them: tuples as lists."""
    return {
        name: list(value) if isinstance(value, tuple) else value
        for name, value in arguments.items()
        if not name.startswith("_")
    }


def _pair(model: str, data: str) -> str:
    paths = (class_path("model", model, architectures), class_path("corpus", data, corpora))
    return "-".join(_in_words(path) for path in paths)


def _in_words(path: str) -> str:
    """Returns the name of a class as its module has it: lenet, or of others their_class."""
    module, name = path.split(".")[-2:]
    return module if owner(path, OWN) else re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


def _run_name(path: Path) -> str:
    """The name of a file of settings, as a folder of `runs/`: of ...yaml it would be its parent."""
    if not path.stem.strip(". ") or not path.stem.isprintable():
        raise InputError(f"{path}: its name cannot be that of a folder of runs: rename the file")
    return path.stem


def _read_config(path: Path) -> dict[str, Any]:
    try:
        config = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read ({getattr(error, 'strerror', error)})") from None
    except RecursionError:
        raise InputError(f"{path}: nested too deeply") from None
    except yaml.YAMLError as error:
        where = getattr(error, "problem_mark", None)
        line = f" in line {where.line + 1}" if where else ""
        raise InputError(f"{path}: not YAML{line}") from None
    if not isinstance(config, dict):
        raise InputError(f"{path}: not a configuration: wanted model:, data: and trainer:")
    return config


def choose(config: dict[str, Any], group: str, name: str | None) -> None:
    """Sets the class of `group`; another class than the recipe's drops the recipe's arguments."""
    kind, known = ("model", architectures) if group == "model" else ("corpus", corpora)
    given = config.get(group)
    if isinstance(given, str):
        given = {"class_path": given}
    if given:
        _refuse_other_form(group, given)
        chosen = given.get("class_path")
        given = {**given, "class_path": class_path(kind, chosen, known)} if chosen else None
    if name:
        chosen = class_path(kind, name, known)
        if not given or given["class_path"] != chosen:
            given = {"class_path": chosen}
    if not given:
        raise InputError(f"the configuration names no {kind}: add --{group} NAME")
    if given.get("init_args"):
        given["init_args"] = renamed(given["class_path"], given["init_args"])
    config[group] = given


def _classes_first(overrides: list[str]) -> list[str]:
    """Returns options with each optimizer and schedule in front of its own settings."""
    chosen = re.compile(r"--model\.\w*(optimizer|lr_scheduler)(\.class_path)?=")
    return sorted(overrides, key=lambda option: not chosen.match(option))


def _added_callbacks(overrides: list[str]) -> list[str]:
    """Returns options that add each callback that is named alone, rather than replace the list."""
    alone = re.compile(r"--trainer\.callbacks=([A-Za-z_][\w.]*)$")
    nothing = ("null", "None", "true", "false")
    found = [(option, alone.match(option)) for option in overrides]
    return [
        f"--trainer.callbacks+={match[1]}" if match and match[1] not in nothing else option
        for option, match in found
    ]


def _refuse_other_form(group: str, given: Any) -> None:
    """Refuses settings of a group that are not a class and its arguments."""
    arguments = given.get("init_args") if isinstance(given, dict) else None
    named = isinstance(given, dict) and isinstance(given.get("class_path"), str | None)
    if not named or not isinstance(arguments, dict | None):
        raise InputError(f"{group}: wanted class_path: NAME and init_args: of its arguments")


def _peaks(arguments: dict[str, Any], overrides: list[str]) -> list[tuple[str, str]]:
    """Returns the options that set the peak of a schedule to the rate that was given, with texts.

    A schedule with a `max_lr`, as a recipe gives it, would pass a rate of the optimizer by.
    """
    given = dict(option.removeprefix("--model.").partition("=")[::2] for option in overrides)
    found = []
    for name, schedule in arguments.items():
        if not name.endswith("lr_scheduler") or not isinstance(schedule, dict):
            continue
        optimizer = name.replace("lr_scheduler", "optimizer")
        rate = given.get(f"{optimizer}.init_args.lr", given.get(f"{optimizer}.lr"))
        chosen = f"{name}.max_lr" in given or f"{name}.init_args.max_lr" in given
        if rate and not chosen and "max_lr" in (schedule.get("init_args") or {}):
            option = f"--model.{name}.max_lr"
            text = f"{option} is {rate}, as --model.{optimizer}.lr, which it would pass by"
            found.append((f"{option}={rate}", text))
    return found


def _choose_optimizer(model: dict[str, Any], overrides: list[str]) -> list[str]:
    """Names the zoo's own optimizers and schedules in full; returns the options so written.

    Another class than the recipe's drops the recipe's settings of it, as another model does:
    jsonargparse would hand on those that the new class has too.
    """
    arguments = model["init_args"] = dict(model.get("init_args") or {})
    plateaus = dict.fromkeys(PLATEAUS, schedules()["ReduceLROnPlateau"])
    for argument, known in (("optimizer", optimizers()), ("lr_scheduler", schedules() | plateaus)):
        start, chosen = f"--model.{argument}=", None
        for index, option in enumerate(overrides):
            if option.startswith(start):
                name = option.removeprefix(start)
                chosen = known.get(name, name)
                overrides = [*overrides[:index], start + chosen, *overrides[index + 1 :]]
        given = arguments.get(argument)
        if isinstance(given, str):
            given = {"class_path": given}
        if isinstance(given, dict):
            path = known.get(given.get("class_path", ""), given.get("class_path", ""))
            arguments[argument] = {**given, "class_path": path}
            if chosen and chosen not in (path, path.rpartition(".")[2]):
                del arguments[argument]
    options = {option.partition("=")[0] for option in overrides}
    only_settings = "--model.optimizer" not in options and "optimizer" not in arguments
    if only_settings and any(option.startswith("--model.optimizer.") for option in options):
        arguments["optimizer"] = {"class_path": DEFAULT_OPTIMIZER}
    return overrides
