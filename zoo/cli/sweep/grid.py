"""A grid of options without a file: `zoo fit RECIPE --model.optimizer.lr 0.1,0.01 --seeds 0-2`.

It is a sweep, whose file is written: `zoo sweep runs/RECIPE-grid-1/sweep.yaml` is the same.
"""

import argparse
import re
from itertools import count
from pathlib import Path
from typing import Any

import yaml

from zoo.cli.experiment import MOST_SEED, arguments_of
from zoo.cli.short_options import FORM, SHORT, in_full
from zoo.cli.sweep.file import Sweep, sweep_of
from zoo.errors import InputError

SEEDS = re.compile(r"(\d+)(?:-(\d+))?")
TEXTS = re.compile(  # arguments whose value may have a comma, or is a list
    r"(.*_)?(devices|path|paths|root|dir|dirpath|filename|name|column|pictures|annotations|content)"
    r"|target|identifier|classes|categorical|vectors|weights|style|project|notes|tags"
    r"|callbacks|logger|plugins|metrics|augment|monitor"
)
HERE = Path("the grid")  # in the place of a file, in messages


def split_grid(
    seeds: str | None, overrides: list[str]
) -> tuple[dict[str, dict[str, list[Any]]], list[str]]:
    """Parts options with several values from the others.

    Args:
        seeds: Seeds as they are given: 0-2, or 1,3,5.
        overrides: Options `--group.option=value`; several values are parted by commas.

    Returns:
        The parameters of a sweep, and the other options.

    Raises:
        InputError: The seeds are none.
    """
    parameters: dict[str, dict[str, list[Any]]] = {}
    rest = []
    for option in overrides:
        name, _, text = option.removeprefix("--").partition("=")
        values = _values(text)
        if len(values) > 1 and not TEXTS.fullmatch(name.rpartition(".")[2]):
            parameters[name] = {"values": [_parsed(option, value) for value in values]}
        else:
            rest.append(option)
    if seeds is not None:
        if any(option.startswith("--seed_everything=") for option in overrides):
            raise InputError("--seeds and --seed_everything: give one of them")
        parameters["seed_everything"] = {"values": seeds_of(seeds)}
    return parameters, rest


def seeds_of(text: str) -> list[int]:
    """Returns the seeds of a text: 0-2 are 0, 1 and 2.

    Raises:
        InputError: There is something else in it.
    """
    found: list[int] = []
    for part in text.split(","):
        match = SEEDS.fullmatch(part.strip())
        last = int(match[2] or match[1]) if match else -1
        if not match or last < int(match[1]) or last - int(match[1]) > 10_000:
            raise InputError(f"--seeds {text}: wanted seeds: 0-4, or 1,3,5")
        if last > MOST_SEED:
            raise InputError(f"--seeds {text}: a seed is from 0 to {MOST_SEED:,}")
        found += range(int(match[1]), last + 1)
    return list(dict.fromkeys(found))


def _parsed(option: str, value: str) -> Any:
    try:
        return yaml.safe_load(value)
    except yaml.YAMLError:
        raise InputError(f"{option}: {value} is no value of a grid") from None


def _values(text: str) -> list[str]:
    """Returns the values that a text parts by commas, those within brackets or quotes not counted.

    A text with a blank beside a comma, or with nothing between two, is one value.
    """
    depth, quote, values = 0, "", [""]
    for sign in text:
        if sign in "\"'":
            quote = "" if sign == quote else quote or sign
        depth += 0 if quote else (sign in "[{(") - (sign in "]})")
        if sign == "," and depth == 0 and not quote:
            values.append("")
        else:
            values[-1] += sign
    plain = depth == 0 and all(value and value == value.strip() for value in values)
    return values if plain else [text]


def in_full_grid(
    config: dict[str, Any], parameters: dict[str, Any], overrides: list[str]
) -> dict[str, Any]:
    """Returns the parameters of a grid with short names in full: `lr` as `model.optimizer.lr`.

    Args:
        config: Settings of the experiment.
        parameters: Values by option.
        overrides: Options that all runs have.

    Raises:
        InputError: The model has several rates, or none.
    """
    found: dict[str, Any] = {}
    firsts = [f"--{name}={each['values'][0]}" for name, each in parameters.items()]
    plain = [option for option in [*overrides, *firsts] if not FORM.fullmatch(option)]
    for name, values in parameters.items():
        names = [name]
        if name in SHORT:
            known = arguments_of(config["model"]["class_path"])
            for value in values["values"][::-1]:  # all: one that is no rate is refused
                given = in_full(config, [*plain, f"--{name}={value}"], known)[0][len(plain) :]
            names = [option.removeprefix("--").partition("=")[0] for option in given]
        if len(names) > 1:
            options = " and ".join(f"--{each}" for each in names)
            raise InputError(f"--{name} is {options}: a grid names one of them")
        if names[0] in found:
            raise InputError(f"--{name} and --{names[0]} are one: give one of them")
        found[names[0]] = values
    return found


def fit_grid(
    options: argparse.Namespace,
    name: str,
    parameters: dict[str, dict[str, list[Any]]],
    overrides: list[str],
) -> int:
    """Trains every point of a grid, as `zoo sweep` does; the same command goes on with it.

    Args:
        options: Those of `zoo fit`.
        name: Name of the experiment.
        parameters: Values by option.
        overrides: Options that all have.

    Raises:
        InputError: An option is of a single run, or no run of the grid can be put together.
    """
    from zoo.cli.sweep.verb import begun_with, run_sweep

    if options.seeds is not None and options.seed_everything is not None:
        raise InputError("--seeds and --seed_everything: give one of them")
    for single in ("ckpt_path", "profile", "print_config"):
        if getattr(options, single):
            raise InputError(f"--{single} is for a single run: give each option one value")
    words = [options.recipe, *(f"+{overlay}" for overlay in options.overlays)]
    words += [
        f"--{key}={value}"
        for key in ("config", "model", "data", "seed_everything")
        if (value := getattr(options, key)) is not None
    ]
    command = ["zoo", "fit", *filter(None, words), *overrides, "${args}"]
    config = {"method": "grid", "parameters": parameters, "command": command}
    given = argparse.Namespace(**{**vars(options), "jobs": None, "count": None, "seed": 0})
    for number in count(1):
        plan = _plan({"name": f"{name}-grid-{number}", **config})
        folder = options.runs / plan.name
        if not folder.exists() or begun_with(folder, plan, [], given.seed):
            return run_sweep(plan, given, [])
    raise AssertionError


def _plan(config: dict[str, Any]) -> Sweep:
    return sweep_of(HERE, yaml.safe_dump(config, sort_keys=False), config)
