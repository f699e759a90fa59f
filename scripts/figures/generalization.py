"""Topic 7: models that are too small, data that are too few, and what keeps weights in check."""

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import zoo
from datamodules.high_dimensional import HighDimensional
from datamodules.polynomial import Polynomial
from scripts.figures.runs import Runs
from scripts.figures.style import BLUE, GREEN, GREY, INK, ORANGE, POINT, RED, mark, sheet
from zoo.regression.linear_regression import least_squares
from zoo.runs.history import Line

TOPIC = (7, "Generalization")
CUBIC, DECAYED = "polynomial_regression-polynomial", "linear_regression-high_dimensional"
# Title, training rows, overrides of the recipe.
FITS: tuple[tuple[str, int, tuple[str, ...]], ...] = (
    ("a cubic, 100 rows", 100, ()),
    ("a line, 100 rows: underfits", 100, ("--model.degree=1",)),
    ("a cubic, 2 rows: overfits", 2, ("--data.num_examples=2",)),
)
DECAYS = (0.0, 3.0, 10.0)


def draw_curves(panel: Axes, lines: list[Line], metric: str) -> None:
    """Draws what a run logged of a metric on its training and validation rows, by epoch."""
    for logged, color, label in (
        (f"train/{metric}_epoch", BLUE, "training"),
        (f"val/{metric}", ORANGE, "validation"),
    ):
        points = [(line["epoch"] + 1, line[logged]) for line in lines if logged in line]
        panel.plot(*zip(*points, strict=True), color=color, linewidth=2, label=label)


def learning_curves(runs: Runs) -> Figure:
    """Learning curves of a fit, of a model that is too small, of data that are too few.

    The cubic learns what made the rows: both losses fall to the level of the noise. A line stays
    far above it on all rows alike. Two rows alone are learned as well as one likes, while the
    loss on other rows stays where it was: only the rows that were held out show it.

    Made from runs of `polynomial_regression-polynomial` as it is, with `--model.degree 1`, and
    with `--data.num_examples 2`; the loss is half the squared error.
    """
    figure, panels = sheet(1, len(FITS), 3.7, sharey=True)
    for panel, (title, _, overrides) in zip(panels, FITS, strict=True):
        draw_curves(panel, runs.metrics(runs.fit(CUBIC, *overrides)), "loss")
        panel.set(yscale="log", title=title, xlabel="epoch")
    panels[0].set_ylabel("loss")
    panels[0].legend()
    return figure


def fits(runs: Runs) -> Figure:
    """What the three models learned, over the cubic that made the rows.

    The line cannot bend. The cubic of two rows goes through both, and elsewhere wherever it likes.

    Made from the last checkpoints of the runs above, called on x in [-3, 3]; the points are their
    training rows, the dashed curve is y = 5 + 1.2x - 3.4x² + 5.6x³.
    """
    figure, panels = sheet(1, len(FITS), 3.7, sharex=True, sharey=True)
    x = torch.linspace(-3, 3, 301)
    truth = Polynomial()
    y = truth.bias + sum(a * x**i for i, a in enumerate(truth.coefficients, 1))
    for panel, (title, num_examples, overrides) in zip(panels, FITS, strict=True):
        model = zoo.load(runs.fit(CUBIC, *overrides) / "checkpoints" / "last.ckpt")
        rows, targets = Polynomial(num_examples=num_examples).read("train").tensors
        with torch.no_grad():
            panel.plot(x, model(x.unsqueeze(1)), color=ORANGE, linewidth=3, label="fit")
        panel.plot(x, y, color=INK, linewidth=1.2, linestyle="--", label="truth")
        points = {**POINT, "ms": 4.5, "mec": "none", "alpha": 0.7}
        panel.plot(rows, targets, color=BLUE, **points, label="training rows")
        panel.set(ylim=(-130, 130), title=title, xlabel="x")
    panels[0].set_ylabel("y")
    panels[0].legend(loc="upper left")
    return figure


def weight_decay(runs: Runs) -> Figure:
    """Two hundred weights and twenty rows: what weight decay does to the loss.

    Without decay the rows are learned by heart and the validation loss stays where it began.
    Decay gives up the perfect fit of the training rows, and the validation loss halves.

    Made from runs of `linear_regression-high_dimensional` with `--model.weight_decay` 0, 3 and 10.
    """
    figure, panels = sheet(1, len(DECAYS), 3.7, sharey=True)
    for panel, decay in zip(panels, DECAYS, strict=True):
        run = runs.fit(DECAYED, f"--model.weight_decay={decay}")
        draw_curves(panel, runs.metrics(run), "loss")
        panel.set(yscale="log", ylim=(1e-6, 0.1), title=f"λ = {decay:g}", xlabel="epoch")
    panels[0].set_ylabel("loss")
    panels[-1].legend(loc="lower right")
    return figure


def weight_norms(runs: Runs) -> Figure:
    """The more decay, the shorter the weights.

    Without decay most of the length is what the weights began with: twenty rows say nothing about
    180 of the 200 directions. Decay takes that away, and then from what the rows do say. Steps on
    one row at a time end a little above the minimum, drawn as a curve.

    Made from the last checkpoints of runs of `linear_regression-high_dimensional`, marked at
    λ = 0, 3 and 10; the minimum by `zoo.regression.linear_regression.least_squares`.
    """
    figure, (panel,) = sheet(1, 1, 4.2)
    norms = {}
    for decay in (*DECAYS, 0.01, 0.03, 0.1, 0.3, 1.0, 30.0):
        # Of those that are only drawn here no loss is shown, and none need be measured.
        quickly = () if decay in DECAYS else ("--trainer.limit_val_batches=0",)
        run = runs.fit(DECAYED, f"--model.weight_decay={decay}", *quickly)
        norms[decay] = zoo.load(run / "checkpoints" / "last.ckpt").linear.weight.norm().item()
    rows, targets = (tensor.double() for tensor in HighDimensional().read("train").tensors)
    decays = [0.0, *torch.logspace(-2, 1.5, 71).tolist()]
    lowest = [least_squares(rows, targets, decay)[0].norm().item() for decay in decays]
    panel.plot(decays, lowest, color=GREY, linewidth=2, label="at the minimum")
    panel.plot(*zip(*sorted(norms.items()), strict=True), color=BLUE, linewidth=1, zorder=2)
    panel.plot(list(norms), list(norms.values()), color=BLUE, **POINT, label="after 100 epochs")
    for decay, color in zip(DECAYS, (RED, ORANGE, GREEN), strict=True):
        mark(panel, decay, norms[decay], f"{norms[decay]:.3f}", (8, 24), color)
    panel.set_xscale("symlog", linthresh=0.01, linscale=0.5)
    panel.set_xticks((0, 0.01, 0.1, 1, 3, 10), ("0", "0.01", "0.1", "1", "3", "10"))
    panel.set(xlim=(-0.002, 45), ylim=(0, 0.19))
    panel.set(title="length of the 200 weights", xlabel="weight decay λ", ylabel="|w|")
    panel.legend()
    return figure


def dropout(runs: Runs) -> Figure:
    """Dropout on few rows: less learned by heart, and less sure of what is wrong.

    Without dropout the network soon knows its 600 rows by heart, and its validation loss rises
    again: it grows surer of its mistakes. With dropout, under which the training rows are measured
    too, training and validation stay closer together, and the validation loss ends lower. As many
    validation rows are right in the end: here dropout makes better probabilities, not fewer errors.

    Made from runs of `mlp_dropout-fashion_mnist` on the synthetic stand-in of Fashion-MNIST: 600
    rows to train on, 5,400 to validate, two layers of 512 units, dropout 0 and 0.5, 40 epochs.
    """
    figure, panels = sheet(2, 2, 6, sharex=True, sharey="row")
    overrides = (
        *("--data.synthetic=true", "--data.validation_fraction=0.9", "--data.batch_size=50"),
        *("--model.hidden_sizes=[512,512]", "--trainer.max_epochs=40"),
        "--trainer.check_val_every_n_epoch=2",
    )
    for column, (title, share) in enumerate((("without dropout", 0.0), ("dropout 0.5", 0.5))):
        run = runs.fit("mlp_dropout-fashion_mnist", f"--model.dropout={share}", *overrides)
        lines = runs.metrics(run)
        for panel, metric in zip(panels[column::2], ("accuracy", "loss"), strict=True):
            draw_curves(panel, lines, metric)
            last = next(line[f"val/{metric}"] for line in lines[::-1] if f"val/{metric}" in line)
            panel.text(40, last, f"\n{last:.3f}", ha="right", va="top", fontsize=9, color=ORANGE)
        panels[column].set(title=title, ylabel="" if column else "accuracy")
        panels[2 + column].set(title=title, xlabel="epoch", ylabel="" if column else "loss")
    panels[0].set_ylim(0.3, 1.02)
    panels[2].set_ylim(0, 1.3)
    panels[0].legend(loc="lower right")
    return figure
