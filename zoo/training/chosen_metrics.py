"""Metrics that a user names, of torchmetrics, measured in evaluations beside a task's own."""

import inspect
import re
import warnings
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import Any, Literal

import torch
import torchmetrics
from torch import Tensor
from torchmetrics import Metric, classification

from zoo.errors import InputError

Judged = Literal["", "classes", "numbers"]  # what a task's predictions are
MOST = 1000  # classes that a metric is tried with before their number is known
NAMED = re.compile(r"(?P<name>[A-Za-z]\w*)(@(?P<top_k>[1-9]\d*))?")


def made(
    chosen: Sequence[str | Mapping[str, Any]], judged: Judged, num_classes: int = MOST
) -> dict[str, Metric]:
    """Makes metrics, by the names under which they are logged.

    Of classes they are those that torchmetrics calls Multiclass..., which weigh all classes alike;
    Accuracy weighs all rows alike.

    Args:
        chosen: Names, `Accuracy@5` for one of the five best, or mappings from a name to its
            options: `{F1Score: {average: weighted}}`.
        judged: Kind of the predictions; none for tasks whose predictions are neither.
        num_classes: Number of classes.

    Raises:
        InputError: There is no such metric of these predictions, or no such option.
    """
    found: dict[str, Metric] = {}
    for entry in chosen:
        text, given = _entry(entry)
        match = NAMED.fullmatch(text)
        if not judged:
            raise InputError(f"metrics, {text}: the predictions of this model are not compared so")
        if not match:
            raise InputError(f"metrics, {text}: wanted the name of one of torchmetrics, or Name@5")
        options = dict(given)
        if judged == "classes":
            options["num_classes"] = num_classes
            if match["name"] == "Accuracy":
                options.setdefault("average", "micro")
            if match["top_k"]:
                options["top_k"] = int(match["top_k"])
        if (logged := _logged(text)) in found:
            raise InputError(f"metrics, {text}: it is there twice, and is logged once")
        found[logged] = _metric(match["name"], judged, options)
    return found


def _entry(entry: str | Mapping[str, Any]) -> tuple[str, Mapping[str, Any]]:
    """Returns the name and the options of an entry."""
    if not isinstance(entry, Mapping):
        return str(entry), {}
    ((name, options),) = entry.items() if len(entry) == 1 else ((str(dict(entry)), None),)
    if not isinstance(options, Mapping):
        raise InputError(f"metrics, {name}: wanted a name or {{name: {{option: value}}}}")
    return str(name), options


def _metric(name: str, judged: Judged, options: dict[str, Any]) -> Metric:
    """Makes a metric, and tries whether it measures predictions of that kind with one number."""
    home, prefix = (classification, "Multiclass") if judged == "classes" else (torchmetrics, "")
    cls = getattr(home, f"{prefix}{name.removeprefix('Multiclass')}", None)
    if not (inspect.isclass(cls) and issubclass(cls, Metric)):
        known = [each.removeprefix(prefix) for each in home.__all__ if each.startswith(prefix)]
        near = get_close_matches(name, known, n=1)
        hint = f" (did you mean {near[0]}?)" if near else ""
        raise InputError(f"metrics: torchmetrics has no {name} of {judged}{hint}")
    try:
        metric, trial = cls(**options), cls(**options)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of classes that the trial lacks
            trial.update(*_example(judged, options))
            value = trial.compute()
    except (ValueError, TypeError, RuntimeError, ImportError) as error:
        raise InputError(f"metrics, {name}: {' '.join(str(error).split())}") from None
    if not isinstance(value, Tensor) or value.numel() != 1:
        raise InputError(f"metrics, {name}: it is no single number, which can be logged")
    return metric


def _example(judged: Judged, options: dict[str, Any]) -> tuple[Tensor, Tensor]:
    """Returns a few predictions and targets."""
    if judged == "numbers":
        return torch.arange(12.0) + 1, torch.arange(12.0) + 2
    classes = torch.arange(12) % options["num_classes"]
    return torch.eye(options["num_classes"])[classes], classes


def _logged(text: Any) -> str:
    """F1Score -> f1_score, AUROC -> auroc, Accuracy@5 -> accuracy@5."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", str(text)).lower()
