"""The parameters of a sweep file: values to try, and distributions to draw from, as W&B has them.

A draw of optuna is kept as it was made; what the trial gets follows from it (rounded to multiples
of q, or a quantile of a normal distribution), so that it can be worked out again.

Source: https://docs.wandb.ai/models/sweeps/sweep-config-keys
"""

import json
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import accumulate
from statistics import NormalDist
from typing import Any

from zoo.cli.names import listed, suggestion
from zoo.errors import InputError

RANGE = ("min", "max")
KINDS: dict[str, tuple[str, ...]] = {
    "constant": ("value",),
    "categorical": ("values",),
    "categorical_w_probabilities": ("values", "probabilities"),
    "int_uniform": RANGE,
    "uniform": RANGE,
    "q_uniform": (*RANGE, "q"),
    "log_uniform": RANGE,
    "log_uniform_values": RANGE,
    "q_log_uniform": (*RANGE, "q"),
    "q_log_uniform_values": (*RANGE, "q"),
    "inv_log_uniform": RANGE,
    "inv_log_uniform_values": RANGE,
    "normal": ("mu", "sigma"),
    "q_normal": ("mu", "sigma", "q"),
    "log_normal": ("mu", "sigma"),
    "q_log_normal": ("mu", "sigma", "q"),
}
UNSUPPORTED = ("beta", "q_beta")
DEFAULTS: dict[str, float | int] = {"mu": 0.0, "sigma": 1.0, "q": 1}
GRID = ("constant", "categorical", "int_uniform", "q_uniform")
NAME = re.compile(r"lr|batch_size|(model|data)(\.\w+)*|trainer(\.\w+)+|seed_everything")
EDGE = 1e-9  # of the quantiles of a normal distribution: at 0 and 1 they are infinite
LARGEST = 700.0  # whose exponential is a finite number


@dataclass(frozen=True)
class Parameter:
    """One option of `zoo fit` that a sweep sets.

    Attributes:
        name: Of the option, dotted.
        kind: Of the distribution.
        settings: What the kind asks for (min, max, values ...), checked, with its defaults.
    """

    name: str
    kind: str
    settings: Mapping[str, Any] = field(hash=False)

    @property
    def varies(self) -> bool:
        """Whether two trials may have different values."""
        return self.kind != "constant"

    @property
    def logarithmic(self) -> bool:
        """Whether it is drawn by its order of magnitude."""
        return "log_" in self.kind

    def grid(self) -> list[Any]:
        """All values; those of q_uniform end below max, as W&B's do."""
        given = self.settings
        if self.kind == "int_uniform":
            return list(range(given["min"], given["max"] + 1))
        if self.kind == "q_uniform":
            count = math.ceil((given["max"] - given["min"]) / given["q"])
            return [_tidy(given["min"] + index * given["q"]) for index in range(count)]
        texts = [json.dumps(value) for value in given.get("values", [given.get("value")])]
        return [json.loads(text) for text in dict.fromkeys(texts)]

    def example(self, *, as_grid: bool) -> Any:
        """A value that it may have, the same each time."""
        return self.suggest(_Middle(), as_grid=as_grid)

    def suggest(self, trial: Any, *, as_grid: bool) -> Any:
        """The value in a trial of optuna, drawn now or taken from it.

        Args:
            trial: An `optuna.trial.Trial`.
            as_grid: Choose among `grid()`.
        """
        given, name = self.settings, self.name
        if not self.varies:
            return given["value"]
        if as_grid or self.kind == "categorical":
            texts = [json.dumps(value) for value in self.grid()]
            return json.loads(trial.suggest_categorical(name, texts))
        if self.kind == "int_uniform":
            return trial.suggest_int(name, given["min"], given["max"])
        if self.kind == "categorical_w_probabilities":
            drawn = trial.suggest_float(name, 0.0, 1.0)
            ends = [*accumulate(given["probabilities"])][:-1]
            return given["values"][sum(drawn >= end for end in ends)]
        return self._rounded(self._draw(trial))

    def _draw(self, trial: Any) -> float:
        if self.kind.endswith("normal"):
            quantile = trial.suggest_float(self.name, EDGE, 1 - EDGE)
            value = NormalDist(self.settings["mu"], self.settings["sigma"]).inv_cdf(quantile)
            return math.exp(value) if self.logarithmic else value
        ends = self.settings["min"], self.settings["max"]
        if self.kind.endswith("log_uniform"):  # between the exponentials of what is given
            ends = math.exp(ends[0]), math.exp(ends[1])
            if self.kind.startswith("inv"):
                ends = 1 / ends[1], 1 / ends[0]
        return trial.suggest_float(self.name, *map(float, ends), log=self.logarithmic)

    def _rounded(self, value: float) -> float | int:
        q = self.settings.get("q")
        return value if q is None else _tidy(round(value / q) * q)


class _Middle:
    """Draws the first of all choices, and the middle of all ranges."""

    def suggest_categorical(self, name: str, choices: list[str]) -> str:
        return choices[0]

    def suggest_int(self, name: str, low: int, high: int) -> int:
        return (low + high) // 2

    def suggest_float(self, name: str, low: float, high: float, log: bool = False) -> float:
        return math.sqrt(low * high) if log else (low + high) / 2


def option(name: str, value: Any) -> str:
    """What stands on the command line: `--name=value`, the value as YAML reads it."""
    return f"--{name}={value if isinstance(value, str) else json.dumps(value)}"


def read_parameters(group: Any, method: str, prefix: str = "") -> Iterator[Parameter]:
    """The parameters of a sweep file; nested ones get dotted names.

    Args:
        group: What stands under `parameters`.
        method: grid, random or bayes.
        prefix: Of the names.

    Raises:
        InputError: A name, key or value is not of a sweep of the zoo; says which, not the file.
    """
    where = f"{prefix.rstrip('.')}.parameters" if prefix else "parameters"
    if not isinstance(group, dict) or not group:
        raise InputError(f"{where}: wanted names of options, each with its values")
    names = sorted(group, key=str) if method == "grid" else list(group)  # W&B's order of a grid
    for key, given in ((key, group[key]) for key in names):
        name = f"{prefix}{key}"
        if not isinstance(given, dict):
            raise InputError(f"{name}: wanted value, values, or min and max")
        if "parameters" in given:
            _refuse_unknown(name, "a group", given, ("parameters",))
            yield from read_parameters(given["parameters"], method, f"{name}.")
        else:
            yield _read(name, given, method)


def _read(name: str, given: dict[str, Any], method: str) -> Parameter:
    if not NAME.fullmatch(name):
        raise InputError(
            f"{name}: no option of zoo fit; wanted model.X, data.X, trainer.X, lr, batch_size or "
            "seed_everything"
        )
    kind = _kind(name, given)
    _refuse_unknown(name, kind, given, ("distribution", *KINDS[kind]))
    settings = {key: given.get(key, DEFAULTS.get(key)) for key in KINDS[kind]}
    for key in KINDS[kind]:
        if key not in given and key not in DEFAULTS:
            raise InputError(f"{name}: {kind} wants {key}")
    for key in {*RANGE, *DEFAULTS} & set(settings):
        _refuse_no_number(name, key, settings[key], whole=kind == "int_uniform")
    _refuse_values(name, kind, settings)
    if method == "grid" and kind not in GRID:
        raise InputError(f"{name}: a grid has no {kind}; it takes {listed(GRID)}")
    if method == "bayes" and kind == "categorical_w_probabilities":
        raise InputError(f"{name}: probabilities are for method: random")
    return Parameter(name, kind, settings)


def _kind(name: str, given: dict[str, Any]) -> str:
    """Of the distribution that is named, or that follows from the keys."""
    if "distribution" in given:
        kind = str(given["distribution"])
        if kind in UNSUPPORTED:
            raise InputError(f"{name}: distribution {kind} is not supported")
        if kind not in KINDS:
            raise InputError(
                f"{name}: there is no distribution {kind}{suggestion(kind, KINDS)}; "
                f"there are: {listed(KINDS)}"
            )
        weighted = kind == "categorical" and "probabilities" in given
        return "categorical_w_probabilities" if weighted else kind
    if "values" in given:
        return "categorical_w_probabilities" if "probabilities" in given else "categorical"
    if "value" in given:
        return "constant"
    if "min" in given or "max" in given:
        whole = all(isinstance(given.get(key, 0), int) for key in RANGE)
        return "int_uniform" if whole else "uniform"
    raise InputError(f"{name}: wanted value, values, or min and max")


def _refuse_unknown(name: str, kind: str, given: dict[str, Any], known: tuple[str, ...]) -> None:
    for key in given:
        if key not in known:
            raise InputError(
                f"{name}: {kind} has no {key}{suggestion(str(key), known)}; it has: {listed(known)}"
            )


def _refuse_no_number(name: str, key: str, value: Any, *, whole: bool) -> None:
    if isinstance(value, str) and re.fullmatch(r"[-+]?\d+(\.\d*)?[eE][-+]?\d+", value):
        mantissa, _, power = value.lower().partition("e")
        written = f"{float(mantissa)}e{int(power):+d}"
        raise InputError(f"{name}: {key}: {value} is a text to YAML; write {written}")
    wanted = int if whole else (int, float)
    if isinstance(value, bool) or not isinstance(value, wanted) or not math.isfinite(value):
        raise InputError(f"{name}: {key} must be a {'whole ' if whole else ''}number, not {value}")
    if key in ("q", "sigma") and value <= 0:
        raise InputError(f"{name}: {key} must be above 0, not {value}")


def _refuse_values(name: str, kind: str, settings: dict[str, Any]) -> None:
    if "min" in settings:
        low, high = settings["min"], settings["max"]
        if low >= high:
            raise InputError(f"{name}: min must be below max, not {low} and {high}")
        if "log_uniform_values" in kind and low <= 0:
            raise InputError(f"{name}: {kind} wants min above 0, not {low}")
        if kind.endswith("log_uniform") and max(-low, high) > LARGEST:
            raise InputError(f"{name}: {kind} takes exponents, up to {LARGEST:.0f}")
    for key in ("value", "values", "probabilities"):
        if key in settings:
            _refuse_no_data(name, key, settings[key])
    if "probabilities" in settings:
        chances = settings["probabilities"]
        good = all(isinstance(c, int | float) and 0 <= c <= 1 for c in chances)
        if not good or len(chances) != len(settings["values"]) or abs(sum(chances) - 1) > 1e-6:
            raise InputError(f"{name}: probabilities: wanted one for each value, with the sum 1")


def _refuse_no_data(name: str, key: str, value: Any) -> None:
    if key != "value" and (not isinstance(value, list) or not value):
        raise InputError(f"{name}: {key}: wanted a list")
    try:
        json.dumps(value)
    except TypeError:
        raise InputError(f"{name}: {key}: wanted numbers and texts; quote a date") from None


def _tidy(value: float | int) -> float | int:
    """Without the last digits, where multiples of 0.1 become 0.30000000000000004."""
    return value if isinstance(value, int) else float(f"{value:.12g}")


def shown(value: Any) -> str:
    """A value as tables show it: four digits of a number, the last part of a class path."""
    if isinstance(value, float):
        return f"{value:.4g}"
    text = str(value)
    named = isinstance(value, str) and all(part.isidentifier() for part in value.split("."))
    return text.rpartition(".")[2] if named else text
