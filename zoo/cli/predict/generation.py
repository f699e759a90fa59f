"""predict, for a generator: a grid of pictures that it makes, or points, as a PNG."""

from __future__ import annotations

from argparse import ArgumentParser
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.cli.predict.prediction import Prediction, write_figure
from zoo.cli.predict.shared_options import add_seed
from zoo.errors import InputError

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from torch import Tensor

DOES = "draws samples"
STEPS = 8  # pictures from one noise to another


def add_arguments(parser: ArgumentParser) -> None:
    """Adds the options of generators."""
    parser.add_argument("--num", type=int, help="number of samples to draw; 64 by default")
    parser.add_argument(
        "--interpolate", action="store_true", help="interpolate between pairs of samples"
    )
    add_seed(parser)


def predict(
    prediction: Prediction,
    inputs: list[str],
    *,
    num: int = 64,
    interpolate: bool = False,
    seed: int = 0,
) -> Path:
    """Draws samples, or interpolates between pairs of them.

    A conditional network draws a column for each label, or a row for each interpolation.

    Raises:
        InputError: There are inputs, the number is not positive, points are to be interpolated, or
            the PNG cannot be written.
    """
    from zoo.generation.sample_grids import DPI

    prediction.refuse(inputs, "a generator takes --num, --seed and --interpolate")
    if num < 1:
        raise InputError(f"num is {num}; it has to be 1 or more")
    figure = _figure(prediction.model(), num, interpolate, seed)
    path = prediction.place(".png")
    write_figure(path, figure, DPI)
    return path


def _figure(model: Any, num: int, interpolate: bool, seed: int) -> Figure:
    from torch import Generator

    from zoo.generation.sample_grids import arranged, draw_grid, drawn
    from zoo.generation.sample_scatters import draw_scatter

    generator = Generator().manual_seed(seed % 2**63)
    if interpolate:
        rows = ceil(num / STEPS)
        noise, labels, _ = arranged(model, 2 * rows, generator)
        repeated = None if labels is None else labels[:rows].repeat_interleave(STEPS)
        samples = drawn(model, interpolated(noise[:rows], noise[rows:], STEPS), repeated)
        if samples.ndim == 4:
            return draw_grid(samples, STEPS)
        raise InputError("there is no grid of points to interpolate in: leave out --interpolate")
    noise, labels, columns = arranged(model, num, generator)
    samples = drawn(model, noise, labels)
    return draw_grid(samples, columns) if samples.ndim == 4 else draw_scatter(samples)


def interpolated(start: Tensor, end: Tensor, steps: int) -> Tensor:
    """Returns noise on the arcs from one to another, whose norm does not shrink halfway.

    Args:
        start: Noise, (rows, latent).
        end: Noise, (rows, latent).
        steps: Number of points on each arc, both ends included; at least 2.

    Returns:
        (rows * steps, latent), arc after arc.

    Source: White 2016, https://arxiv.org/abs/1609.04468, Section 2.1
    """
    from torch import linspace

    share = linspace(0, 1, steps, dtype=start.dtype)[:, None]
    units = [points / points.norm(dim=1, keepdim=True) for points in (start, end)]
    angle = (units[0] * units[1]).sum(1).clamp(-1, 1).acos()[:, None, None]
    weights = [((1 - share) * angle).sin(), (share * angle).sin()]
    arcs = weights[0] * start[:, None] + weights[1] * end[:, None]
    return (arcs / angle.sin()).flatten(0, 1)
