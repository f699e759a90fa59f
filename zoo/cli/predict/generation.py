"""predict, for a generator: a grid of pictures that it makes, or points, as a PNG."""

from math import ceil
from pathlib import Path
from typing import Any

import torch
from matplotlib.figure import Figure
from torch import Tensor

from zoo.checkpoints.checkpoint import load
from zoo.cli.predict.prediction import Prediction
from zoo.errors import InputError
from zoo.generation.sample_grids import DPI, arranged, draw_grid, drawn
from zoo.generation.sample_scatters import draw_scatter

STEPS = 8  # pictures from one noise to another


def predict_samples(prediction: Prediction, inputs: list[str]) -> Path:
    """Draws samples, or the ways between some of them; returns where the PNG is.

    A conditional network draws a column for each label, or a row where it goes from one noise to
    another.

    Raises:
        InputError: There are inputs, the number is not positive, points are to be interpolated, or
            the PNG cannot be written.
    """
    if inputs or prediction.overrides:
        first = [*inputs, *prediction.overrides][0]
        raise InputError(f"a generator takes --num, --seed and --interpolate, not {first}")
    if prediction.num < 1:
        raise InputError(f"num is {prediction.num}; it has to be 1 or more")
    model: Any = load(prediction.ckpt_path, allow=prediction.allow)
    figure = _figure(model, prediction)
    path = prediction.place("", ".png")
    try:
        figure.savefig(path, dpi=DPI, format="png")
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({error.strerror})") from None
    return path


def _figure(model: Any, prediction: Prediction) -> Figure:
    generator = torch.Generator().manual_seed(prediction.sampling["seed"] % 2**63)
    if prediction.interpolate:
        rows = ceil(prediction.num / STEPS)
        noise, labels, _ = arranged(model, 2 * rows, generator)
        told = None if labels is None else labels[:rows].repeat_interleave(STEPS)
        samples = drawn(model, interpolated(noise[:rows], noise[rows:], STEPS), told)
        if samples.ndim == 4:
            return draw_grid(samples, STEPS)
        raise InputError("there is no grid of points to interpolate in: leave out --interpolate")
    noise, labels, columns = arranged(model, prediction.num, generator)
    samples = drawn(model, noise, labels)
    return draw_grid(samples, columns) if samples.ndim == 4 else draw_scatter(samples)


def interpolated(start: Tensor, end: Tensor, steps: int) -> Tensor:
    """Noise on the arcs from one to another: halfway it is as long as noise is, not shorter.

    Args:
        start: (rows, latent).
        end: (rows, latent).
        steps: On each arc, both ends included; at least 2.

    Returns:
        (rows * steps, latent), arc after arc.

    Source: White 2016, https://arxiv.org/abs/1609.04468, Section 2.1
    """
    share = torch.linspace(0, 1, steps, dtype=start.dtype)[:, None]
    units = [points / points.norm(dim=1, keepdim=True) for points in (start, end)]
    angle = (units[0] * units[1]).sum(1).clamp(-1, 1).acos()[:, None, None]
    weights = [((1 - share) * angle).sin(), (share * angle).sin()]
    arcs = weights[0] * start[:, None] + weights[1] * end[:, None]
    return (arcs / angle.sin()).flatten(0, 1)
