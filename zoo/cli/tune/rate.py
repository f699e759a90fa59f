"""The learning-rate range test: how the loss moves while the rate rises from step to step."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from math import exp, isfinite
from operator import sub
from statistics import mean, stdev
from typing import Any, NamedTuple

from lightning.pytorch import Trainer
from lightning.pytorch.tuner import Tuner
from matplotlib.figure import Figure
from torch.optim import Optimizer

from zoo.errors import InputError, NonFiniteError
from zoo.training.optimization import evaluates_repeatedly

BEGINNING = 10  # steps, whose losses are those before the rate matters
WIDTH = 4.0  # standard deviation of the smoothing, in steps


class RangeTest(NamedTuple):
    """What a range test saw.

    Attributes:
        rates: The learning rate of each step.
        losses: The loss of each step, before it.
        smoothed: The same, smoothed to both sides.
        lowest: Index of the lowest of those.
    """

    rates: list[float]
    losses: list[float]
    smoothed: list[float]
    lowest: int

    @property
    def suggested(self) -> float:
        """A tenth of the rate of the lowest loss, where it still falls and nothing blows up."""
        return self.rates[self.lowest] / 10

    @property
    def at_the_end(self) -> bool:
        """Whether the loss may go on to fall beyond the highest rate."""
        return self.lowest >= len(self.rates) - WIDTH


def range_test(
    trainer: Trainer, model: Any, corpus: Any, *, least: float, most: float, steps: int
) -> RangeTest:
    """Trains with a rate that rises from `least` to `most`, by Lightning's finder.

    Its suggestion is not used: it looks at the slope over the rate, not its logarithm, so that of
    any noise at the lowest rates is the steepest, and its smoothing lags by decades. The model is
    as before in the end.

    Source: Smith 2017, https://arxiv.org/abs/1506.01186, section 3.3

    Args:
        trainer: Without a fixed number of epochs.
        model: A task without a schedule.
        corpus: What it trains on.
        least: The rate of the first step.
        most: The rate of the last step.
        steps: How many.

    Raises:
        InputError: The task has no single rate that could be searched, or none lowers the loss.
    """
    with _watched(model) as seen, suppress(NonFiniteError):  # the end of the rates that work
        Tuner(trainer).lr_find(
            model,
            datamodule=corpus,
            min_lr=least,
            max_lr=most,
            num_training=steps,
            early_stop_threshold=None,
            update_attr=False,
        )
    points = [(rate, loss) for rate, loss in seen if isfinite(loss)]
    if len(points) < 2 * BEGINNING:
        raise InputError(
            f"the loss was finite in {len(points)} steps only: lower --min-lr, or --max-lr"
        )
    rates, losses = (list(column) for column in zip(*points, strict=True))
    smoothed = _smoothed(losses)
    lowest = smoothed.index(min(smoothed))
    fall = mean(losses[:BEGINNING]) - smoothed[lowest]
    if lowest < BEGINNING or fall < stdev(map(sub, losses[:lowest], smoothed)):
        raise InputError(
            f"no learning rate from {least:g} to {most:g} lowers the loss in {steps} steps: more "
            "--steps, or other --min-lr and --max-lr"
        )
    return RangeTest(rates, losses, smoothed, lowest)


@contextmanager
def _watched(model: Any) -> Iterator[list[tuple[float, float]]]:
    """Rates and losses of the steps to come; refuses optimizers whose rate says nothing."""
    seen: list[tuple[float, float]] = []
    step, configure = model.step, model.configure_optimizers

    def watched_step(batch: Any) -> Any:
        made = step(batch)
        group = model.trainer.optimizers[0].param_groups[0]
        seen.append((float(group.get("scheduled_lr", group["lr"])), made.loss.item()))
        return made

    def checked_configure() -> Any:
        configured = configure()
        _refuse(model, configured)
        return configured

    model.step, model.configure_optimizers = watched_step, checked_configure
    try:
        yield seen
    finally:
        del model.step, model.configure_optimizers


def _refuse(model: Any, optimizer: Any) -> None:
    name, kind = type(model).__name__, type(optimizer).__name__
    reason = ""
    if not model.automatic_optimization or not isinstance(optimizer, Optimizer):
        reason = f"{name} steps its optimizers itself"
    elif "lr" not in optimizer.param_groups[0]:
        reason = f"{name} counts, and descends nothing"
    elif evaluates_repeatedly(optimizer):
        reason = f"{kind} takes its steps' lengths from the second order; 1 is its rate"
    if reason:
        raise InputError(f"there is no learning rate to find: {reason}")


def _smoothed(losses: list[float]) -> list[float]:
    """Weighted means of the neighbours on both sides; what blows up is cut off above."""
    top, low = max(losses[:BEGINNING]), min(losses)
    cut = [min(loss, 2 * top - low) for loss in losses]
    means = []
    for center in range(len(cut)):
        weights = [exp(-0.5 * ((index - center) / WIDTH) ** 2) for index in range(len(cut))]
        means.append(sum(w * x for w, x in zip(weights, cut, strict=True)) / sum(weights))
    return means


def draw(test: RangeTest, title: str) -> Figure:
    """The loss over the learning rate, the lowest and the suggested one marked."""
    figure = Figure(figsize=(7, 4.2), layout="constrained")
    panel = figure.subplots()
    panel.plot(test.rates, test.losses, ".", color="tab:blue", alpha=0.35, label="loss of a step")
    panel.plot(test.rates, test.smoothed, color="tab:blue", linewidth=2.2, label="smoothed")
    panel.axvline(test.rates[test.lowest], color="gray", linestyle=":", label="lowest")
    label = f"suggested: {test.suggested:.2g}"
    panel.axvline(test.suggested, color="tab:red", linewidth=1.8, label=label)
    low, high = min(test.losses), max(test.smoothed)
    margin = 0.15 * (high - low)
    panel.set(xscale="log", xlabel="learning rate", ylabel="loss", title=title)
    panel.set_ylim(low - margin, high + margin)
    panel.grid(alpha=0.3)
    panel.spines[["top", "right"]].set_visible(False)
    panel.legend(frameon=False)
    return figure
