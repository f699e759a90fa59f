"""The parallel coordinates of a sweep, by optuna: an axis a parameter, a line a trial."""

import warnings
from collections.abc import Sequence
from typing import Any

import optuna
from matplotlib import pyplot
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution
from optuna.visualization.matplotlib import plot_parallel_coordinate

from zoo.cli.sweep.file import Metric
from zoo.cli.sweep.parameters import Parameter, shown
from zoo.cli.sweep.study import Trial
from zoo.runs.rounding import rounded, short_names

SPREAD = 100.0  # ratio of the largest to the least number, from which on an axis is logarithmic
LISTED_SPREAD = 8.0  # likewise, of numbers that the file lists


def draw(
    trials: Sequence[Trial], parameters: Sequence[Parameter], metric: Metric, title: str
) -> Figure:
    """Draws a line for each trial that has a result, coloured by it; pruned ones are dotted.

    Args:
        trials: Trials, the best first; one has a result at least.
        parameters: Parameters that vary.
        metric: First axis.
        title: Title of the picture.
    """
    names = short_names([parameter.name for parameter in parameters])
    reached = {trial.number: trial.result(metric) for trial in trials}
    measured = [trial for trial in reversed(trials) if reached[trial.number] is not None]
    axis = {names[p.name]: _axis(p, [t.values[p.name] for t in measured]) for p in parameters}
    spaces = {name: space for name, (space, _) in axis.items()}
    study = optuna.create_study(direction="maximize" if metric.maximize else "minimize")
    for place, trial in enumerate(measured):
        values = {name: found[place] for name, (_, found) in axis.items()}
        result = reached[trial.number]
        study.add_trial(optuna.create_trial(value=result, params=values, distributions=spaces))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that it is experimental, or that all have one value
        axes = plot_parallel_coordinate(study, target_name=metric.name)
    lines = axes.collections[-1]
    lines.set_linestyle([":" if trial.state == "pruned" else "-" for trial in measured])
    lines.set_linewidth([3.5 if trial is measured[-1] else 1.5 for trial in measured])
    notes = [f"{title}: best {metric.name} {rounded(reached[measured[-1].number] or 0)}"]
    if any(trial.state == "pruned" for trial in measured):
        notes.append("dotted: pruned")
    if absent := len(trials) - len(measured):
        notes.append(f"without a result: {absent}")
    axes.set_title("; ".join(notes), pad=20)
    for label in axes.get_xticklabels():
        label.set(rotation=15, ha="right")
    figure: Any = axes.get_figure()
    for label in (label for each in figure.axes for label in each.get_yticklabels()):
        label.set_path_effects([withStroke(linewidth=3, foreground="white")])
    figure.set_size_inches(3 + 1.9 * (len(parameters) + 1), 5.2)
    figure.tight_layout()
    pyplot.close(figure)
    return figure


def _axis(parameter: Parameter, values: Sequence[Any]) -> tuple[BaseDistribution, list[Any]]:
    """What optuna takes for an axis: a distribution, and the values of the trials in it."""
    try:
        numbers = [float(value) for value in values if not isinstance(value, bool)]
    except (TypeError, ValueError):
        numbers = []
    if len(numbers) < len(values):
        texts = [shown(value)[:18] for value in values]
        return CategoricalDistribution(sorted(set(texts))), texts
    low, high = min(numbers), max(numbers)
    spread = LISTED_SPREAD if "values" in parameter.settings else SPREAD
    logarithmic = low > 0 and (parameter.logarithmic or high / low >= spread)
    return FloatDistribution(low, high, log=logarithmic), numbers
