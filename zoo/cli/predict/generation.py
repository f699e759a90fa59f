"""predict, for a generator: pictures that it makes, in a grid or one by one, or points."""

from __future__ import annotations

from argparse import ArgumentParser
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.cli.predict.prediction import ROWS, Prediction, write_figure, write_rows
from zoo.cli.predict.shared_options import add_seed
from zoo.errors import InputError
from zoo.files import written_whole

if TYPE_CHECKING:
    from torch import Tensor

DOES = "draws samples"
WRITES = (".png", *ROWS)
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
) -> list[Path]:
    """Draws samples, or interpolates between pairs of them.

    A conditional network draws a column for each label, or a row for each interpolation. Into a
    folder go the samples as well, one by one; points can be rows of a file.

    Raises:
        InputError: There are inputs, the number is not positive, points are to be interpolated,
            pictures are to be rows, or a file cannot be written.
    """
    from torchvision.transforms.v2.functional import to_pil_image

    from zoo.generation.sample_grids import DPI, draw_grid
    from zoo.generation.sample_scatters import draw_scatter

    prediction.refuse(inputs, "a generator takes --num, --seed and --interpolate")
    if num < 1:
        raise InputError(f"num is {num}; it has to be 1 or more")
    samples, columns = _samples(prediction.model(), num, interpolate, seed)
    pictures, asked = samples.ndim == 4, prediction.output
    if interpolate and not pictures:
        raise InputError("there is no grid of points to interpolate in: leave out --interpolate")
    if pictures and asked and asked.suffix.lower() in ROWS:
        raise InputError(f"{asked}: pictures are no rows: ask for FILE.png, or for a folder")
    places = prediction.places(".png") if pictures else prediction.places(".png", ".csv")
    for ending, path in places.items():
        if ending == ".png":
            figure = draw_grid(samples, columns) if pictures else draw_scatter(samples)
            write_figure(path, figure, DPI)
        else:
            write_rows(path, [{f"x{i}": x for i, x in enumerate(row)} for row in samples.tolist()])
    if pictures and asked and asked not in places.values():
        for number, sample in enumerate(samples):
            with written_whole(asked / f"{number:0{len(str(num - 1))}}.png") as partial:
                to_pil_image(((sample + 1) / 2).clamp(0, 1)).save(partial, "PNG")
    return list(places.values())


def _samples(model: Any, num: int, interpolate: bool, seed: int) -> tuple[Tensor, int]:
    """Returns samples, pictures (batch, channels, height, width) or points (batch, values).

    With them, the number of columns of a grid of them.
    """
    from torch import Generator

    from zoo.generation.sample_grids import arranged, drawn

    generator = Generator().manual_seed(seed % 2**63)
    if interpolate:
        rows = ceil(num / STEPS)
        noise, labels, _ = arranged(model, 2 * rows, generator)
        repeated = None if labels is None else labels[:rows].repeat_interleave(STEPS)
        return drawn(model, interpolated(noise[:rows], noise[rows:], STEPS), repeated), STEPS
    noise, labels, columns = arranged(model, num, generator)
    return drawn(model, noise, labels), columns


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
