"""The loggers of a run: metrics.csv and W&B, and whatever the user adds to them."""

import json
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import fields, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import yaml
from lightning.pytorch.loggers import CSVLogger, Logger, WandbLogger

from zoo.errors import InputError
from zoo.runs.wandb_logger import make_logger
from zoo.runs.wandb_options import WandbOptions

IN_A_FOLDER = ("CSVLogger", "TensorBoardLogger")  # to which Lightning gives none
FOLDER = re.compile(r"--trainer\.logger\.(init_args\.)?save_dir=")
MLFLOW = "sqlite:///mlflow.db"  # as `mlflow ui` has it; MLflow refuses the folder of Lightning's
EXTRAS = {"MLFlowLogger": ("mlflow",), "TensorBoardLogger": ("tensorboard", "tensorboardX")}


def placed(config: dict[str, Any], overrides: Sequence[str], folder: Path) -> list[str]:
    """Gives a place to the loggers in the settings that want one and have none.

    Args:
        config: Settings of the run; changed in place.
        overrides: Options of the run.
        folder: Folder of the run.

    Returns:
        The options, with the places in them.
    """
    trainer = config.get("trainer") or {}
    if "logger" in trainer:
        trainer["logger"] = _placed(trainer["logger"], folder)
    return [_placed_option(option, folder, overrides) for option in overrides]


def _placed_option(option: str, folder: Path, others: Sequence[str]) -> str:
    name, _, text = option.partition("=")
    if name.rstrip("+") != "--trainer.logger":
        return option
    try:
        given = yaml.safe_load(text)
    except yaml.YAMLError:
        return option
    own = "MLFlow" in text and any(map(FOLDER.match, others))  # which a place would hide
    wanted = given if own else _placed(given, folder)
    return option if wanted == given else f"{name}={json.dumps(wanted)}"


def _placed(given: Any, folder: Path) -> Any:
    if isinstance(given, list):
        return [_placed(each, folder) for each in given]
    settings = {"class_path": given} if isinstance(given, str) else given
    if not isinstance(settings, dict):
        return given
    name, own = _name(settings.get("class_path")), settings.get("init_args") or {}
    if name in IN_A_FOLDER:
        own = {"save_dir": str(folder), **own}
    elif name == "MLFlowLogger" and "save_dir" not in own:
        place = os.environ.get("MLFLOW_TRACKING_URI") or MLFLOW
        own = {"tracking_uri": place, "run_name": "/".join(folder.parts[-2:]), **own}
    return {**settings, "init_args": own} if own else given


def _name(class_path: Any) -> str:
    return str(class_path).rpartition(".")[2]


def refuse_missing_packages(chosen: Any) -> None:
    """Says what to install for the loggers in parsed settings.

    Raises:
        InputError: A package is missing.
    """
    for settings in _each(chosen):
        name = _name(settings.get("class_path"))
        packages = EXTRAS.get(name, ())
        if packages and not any(find_spec(package) for package in packages):
            raise InputError(
                f"--trainer.logger {name} needs {packages[0]}: "
                f"pip install 'deep-learning-zoo[{packages[0]}]'"
            )


def make_loggers(
    given: Any,
    chosen: Any,
    folder: Path,
    options: WandbOptions,
    settings: dict[str, Any],
    run_id: str | None,
) -> list[Logger]:
    """Returns the loggers of a run: of metrics.csv, of W&B, and the user's own.

    A WandbLogger of the user's is what the zoo's own is told to be: offline unless that was asked,
    without secrets and paths.

    Args:
        given: Loggers of the user's; False: none, nor W&B.
        chosen: Settings that they were built from.
        folder: Folder of the run.
        options: What W&B is told.
        settings: Settings of the run.
        run_id: Id of the run of W&B that is continued, if there is one.
    """
    csv = CSVLogger(folder, name="", version="")
    if given is False:
        return [csv]
    own = given if isinstance(given, list) else [given] if isinstance(given, Logger) else []
    for each in _each(chosen):
        if _name(each.get("class_path")) == "WandbLogger":
            options, run_id = _told(options, each, run_id)
    wandb = make_logger(folder, options, settings, run_id)
    others = [logger for logger in own if not isinstance(logger, WandbLogger)]
    return [csv, *([wandb] if wandb else []), *others]


def _told(
    options: WandbOptions, logger: Any, run_id: str | None
) -> tuple[WandbOptions, str | None]:
    """Returns options of W&B with what a WandbLogger's arguments say, and the id of its run."""
    arguments = {**(logger.get("init_args") or {}), **(logger.get("dict_kwargs") or {})}
    if arguments.get("offline"):
        arguments["mode"] = "offline"
    arguments["log_model"] = bool(arguments.get("log_model"))
    arguments["tags"] = tuple(arguments.get("tags") or ())
    names = [field.name for field in fields(WandbOptions)]
    told = {name: arguments.get(name) for name in names if not getattr(options, name)}
    run_id = run_id or arguments.get("version") or arguments.get("id")
    return replace(options, **{name: value for name, value in told.items() if value}), run_id


def _each(chosen: Any) -> Iterator[Any]:
    """Yields the settings of each logger."""
    for settings in chosen if isinstance(chosen, list) else [chosen]:
        if hasattr(settings, "class_path") or (isinstance(settings, dict) and settings):
            yield settings
