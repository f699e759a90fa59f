"""A sweep file: W&B's own format, read and checked. No torch.

What it trains stands in `command`, which `wandb agent` runs as it is:

    program: zoo
    command:
      - zoo
      - fit
      - lenet-fashion_mnist
      - --wandb
      - online
      - ${args}

`zoo sweep` runs the same `zoo fit` with the same options, but in folders of the sweep and with its
own `--wandb`. Parameters are options of `zoo fit`: `model.optimizer.init_args.lr`,
`data.batch_size`, `seed_everything`. Nested `parameters:` stand for dotted names; W&B alone hands
them on as one dictionary, which `zoo fit` does not take, so that files for `wandb sweep` have
dotted ones.

Source: https://docs.wandb.ai/models/sweeps/sweep-config-keys
"""

import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from zoo.cli.names import listed, suggestion
from zoo.cli.sweep.parameters import Parameter, option, read_parameters
from zoo.errors import InputError
from zoo.runs.redaction import is_secret

KEYS = (
    *("program", "command", "method", "metric", "parameters", "early_terminate", "run_cap"),
    *("name", "description", "project", "entity"),
)
UNSUPPORTED = ("job", "image_uri", "scheduler", "metrics", "controller", "apiVersion", "kind")
METHODS = ("grid", "random", "bayes")
GOALS = ("minimize", "maximize")
MACRO = re.compile(r"\$\{(.*?)\}")
ARGUMENTS = ("${args}", "${args_no_equals}")
VARIABLES = re.compile(  # not those that name a program, a server or a login, nor what we set
    r"CUDA_VISIBLE_DEVICES|OMP_NUM_THREADS"
    r"|WANDB_(?!_|X_|SERVICE|BASE_URL|\w*(CONFIG|FILE|SSL|HOST|URL|EXECUTABLE)(_|$))\w+"
    r"|ZOO_(?!RUN$|CHOSEN_RUN$)\w+"
)
ANOTHER = "give the sweep another name (name: in its file)"
FREE = ("run_cap", "description")  # what may change in a sweep that has begun


@dataclass(frozen=True)
class Metric:
    """What trials are compared by.

    Attributes:
        name: As it is logged.
        maximize: Whether more of it is better.
        target: At which the sweep ends.
    """

    name: str
    maximize: bool
    target: float | None = None

    def best(self, values: list[float]) -> float:
        """The best of values: what a trial reached."""
        return (max if self.maximize else min)(values)

    def reaches(self, value: float) -> bool:
        """Whether a value is as good as the target."""
        if self.target is None:
            return False
        return value >= self.target if self.maximize else value <= self.target


@dataclass(frozen=True)
class Hyperband:
    """When to stop trials that lag behind; iterations are logged values of the metric.

    Attributes:
        min_iter: Of the first comparison.
        max_iter: Of a trial; None: as many as it has epochs.
        eta: One of so many trials goes on.
    """

    min_iter: int
    max_iter: int | None
    eta: int


@dataclass(frozen=True)
class Sweep:
    """A checked sweep file.

    Attributes:
        path: Of the file.
        text: Of the file.
        config: What it says.
        name: Of the folder of its runs.
        method: grid, random or bayes.
        parameters: In the order of the file.
        options: Of `zoo fit`, without what the parameters set.
        environment: Variables that the command sets.
        metric: None where the model's own is meant.
        hyperband: None where every trial runs to its end.
        run_cap: The largest number of trials.
    """

    path: Path
    text: str
    config: dict[str, Any]
    name: str
    method: str
    parameters: tuple[Parameter, ...]
    options: tuple[str, ...]
    environment: dict[str, str]
    metric: Metric | None
    hyperband: Hyperband | None
    run_cap: int | None

    def arguments(self, values: dict[str, Any]) -> list[str]:
        """The command line of a trial, after `zoo`."""
        return ["fit", *self.options, *(option(name, value) for name, value in values.items())]

    def identity(self) -> dict[str, Any]:
        """What two files must agree in to be of the same sweep."""
        kept = {key: value for key, value in self.config.items() if key not in FREE}
        return json.loads(json.dumps(kept, sort_keys=True, default=str))


def read_sweep(path: Path) -> Sweep:
    """Reads a sweep file.

    Raises:
        InputError: It cannot be read, or a key or value is unknown or not supported; names the
            file and the key.
    """
    try:
        text = path.read_text(encoding="utf-8")
        config = yaml.safe_load(text)
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read ({getattr(error, 'strerror', error)})") from None
    except RecursionError:
        raise InputError(f"{path}: nested too deeply") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f" in line {mark.line + 1}" if mark else ""
        raise InputError(f"{path}: not YAML{where}; a macro within [] wants quotes") from None
    try:
        return sweep_of(path, text, config)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None


def sweep_of(path: Path, text: str, config: Any) -> Sweep:
    """Returns the sweep that settings say.

    Args:
        path: Path of their file.
        text: Text of it.
        config: The settings.

    Raises:
        InputError: A key or value is unknown or not supported; names the key.
    """
    if not isinstance(config, dict):
        raise InputError("not a sweep file: wanted method:, parameters: and command:")
    for key in config:
        if key in UNSUPPORTED:
            raise InputError(f"{key}: is not supported; a sweep of the zoo has: {listed(KEYS)}")
    _refuse_unknown("a sweep file", config, KEYS)
    method = _one_of("method", config.get("method"), METHODS)
    parameters = tuple(read_parameters(config.get("parameters"), method))
    names = [parameter.name for parameter in parameters]
    for name in names:
        if names.count(name) > 1:
            raise InputError(f"{name}: stands twice under parameters")
    for key in ("program", "name", "description", "project", "entity"):
        if not isinstance(config.get(key, ""), str):
            raise InputError(f"{key}: wanted a text, not {config[key]}")
    metric, hyperband = _metric(config.get("metric")), _hyperband(config.get("early_terminate"))
    if metric is None and (hyperband or method == "bayes"):
        raise InputError(f"metric: wanted by {'early_terminate' if hyperband else 'method: bayes'}")
    options, environment = _command(config.get("command"), config.get("program", "zoo"))
    cap = config.get("run_cap")
    return Sweep(
        *(path, text, config, _folder(config.get("name", path.stem)), method, parameters),
        *(tuple(options), environment, metric, hyperband),
        None if cap is None else _whole("run_cap", cap, 1),
    )


def _refuse_unknown(what: str, given: dict[str, Any], known: tuple[str, ...]) -> None:
    for key in given:
        if key not in known:
            near = suggestion(str(key), known)
            raise InputError(f"{key}: {what} has no such key{near}; it has: {listed(known)}")


def _one_of(key: str, value: Any, known: tuple[str, ...]) -> str:
    if value not in known:
        near = suggestion(str(value), known)
        raise InputError(f"{key}: wanted {', '.join(known)}, not {value}{near}")
    return value


def _whole(key: str, value: Any, least: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise InputError(f"{key}: wanted a whole number of at least {least}, not {value}")
    return value


def _folder(name: str) -> str:
    """A name that can be a folder's."""
    folder = name.strip().replace(" ", "-")
    if not re.fullmatch(r"\w[\w.+-]*", folder):
        raise InputError(f"name: {name!r} cannot name a folder: wanted letters, digits, . - and _")
    return folder


def _metric(given: Any) -> Metric | None:
    if given is None:
        return None
    if not isinstance(given, dict) or not isinstance(given.get("name"), str):
        raise InputError("metric: wanted name: and goal:")
    for key in ("impute", "impute_while_running"):
        if key in given:
            raise InputError(f"metric.{key}: is not supported")
    _refuse_unknown("metric", given, ("name", "goal", "target"))
    goal = _one_of("metric.goal", given.get("goal", "minimize"), GOALS)
    target = given.get("target")
    if target is not None and (isinstance(target, bool) or not isinstance(target, int | float)):
        raise InputError(f"metric.target: wanted a number, not {target}")
    return Metric(given["name"], goal == "maximize", target if target is None else float(target))


def _hyperband(given: Any) -> Hyperband | None:
    if given is None:
        return None
    if not isinstance(given, dict):
        raise InputError("early_terminate: wanted type: hyperband and min_iter: or max_iter:")
    _one_of("early_terminate.type", given.get("type"), ("hyperband",))
    if "strict" in given:
        raise InputError("early_terminate.strict: is not supported")
    _refuse_unknown("early_terminate", given, ("type", "min_iter", "max_iter", "s", "eta"))
    whole = {key: _whole(f"early_terminate.{key}", given[key], 1) for key in given if key != "type"}
    eta = _whole("early_terminate.eta", whole.get("eta", 3), 2)
    least, most = whole.get("min_iter"), whole.get("max_iter")
    if least is None:
        if most is None or "s" not in whole:
            raise InputError("early_terminate: wanted min_iter, or max_iter and s")
        least = max(1, most // eta ** whole["s"])
    elif "s" in whole:
        raise InputError("early_terminate.s: follows from min_iter; leave one out")
    if most is not None and least > most:
        raise InputError(f"early_terminate.min_iter: {least} is beyond max_iter, {most}")
    return Hyperband(least, most, eta)


def _command(given: Any, program: str) -> tuple[list[str], dict[str, str]]:
    """The options of `zoo fit` in a command, and the variables that it sets."""
    if not isinstance(given, list) or not given:
        raise InputError("command: wanted a list: zoo, fit, RECIPE, ${args}")
    tokens = [token if isinstance(token, str) else json.dumps(token) for token in given]
    tokens = [_filled(token, program) for token in tokens if token != "${env}"]
    environment: dict[str, str] = {}
    while tokens and re.match(r"[A-Za-z_]\w*=", tokens[0]):
        name, _, environment[name] = tokens.pop(0).partition("=")
        if not VARIABLES.fullmatch(name) or is_secret(name):
            raise InputError(
                f"command: {name} is no variable for a sweep file to set; those are: "
                "CUDA_VISIBLE_DEVICES, OMP_NUM_THREADS, WANDB_PROJECT and its like, ZOO_DATA and "
                "its like; export others yourself"
            )
    module = tokens[1:3] == ["-m", "zoo.cli"]
    start = tokens[3 if module else 1 :]
    if not (module or (tokens and Path(tokens[0]).name == "zoo")) or start[:1] != ["fit"]:
        raise InputError("command: must begin with zoo, fit")
    if sum(token in ARGUMENTS for token in start) != 1:
        raise InputError("command: wants ${args} once, where the parameters go")
    options = list(_without_own(token for token in start[1:] if token not in ARGUMENTS))
    for token in options:
        if token.partition("=")[0] in ("--ckpt_path", "--print_config"):
            raise InputError(f"command: {token} is not for a sweep")
        if token.partition("=")[0] == "--allow":
            raise InputError(
                "command: --allow: whom to trust is not for the file to say: zoo sweep FILE --allow"
            )
    return options, environment


def _filled(token: str, program: str) -> str:
    """A word of the command with W&B's macros replaced, but for the arguments."""
    if token in ARGUMENTS:
        return token
    for macro in MACRO.findall(token):
        name = macro.removeprefix("envvar:")
        if name == macro and macro not in ("program", "interpreter"):
            raise InputError(f"command: ${{{macro}}} is not supported; wanted ${{args}}")
        if is_secret(name):
            raise InputError(f"command: {name} would be kept with the settings of the run")
        value = {"program": program, "interpreter": "python"}.get(macro, os.environ.get(name, name))
        token = token.replace(f"${{{macro}}}", value)
    return token


def _without_own(tokens: Iterator[str]) -> Iterator[str]:
    """Leaves out `--wandb X` and `--runs X`, which the sweep sets itself."""
    for token in tokens:
        if token in ("--wandb", "--runs"):
            next(tokens, None)
        elif not token.startswith(("--wandb=", "--runs=")):
            yield token
