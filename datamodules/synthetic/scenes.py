"""A landscape and a painting, drawn: a photograph to be painted anew, and how it is to look.

The landscape is smooth, cool and bright. The painting is all short strokes of a brush, warm and
dark, that run around a few swirls: its colours and its grain are what a style is.
"""

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.random import Generator, default_rng
from PIL import Image

from datamodules.files.staging import written_once
from datamodules.synthetic.canvas import Canvas, Color, shaded, tinted

SIZES = {"landscape": (480, 320), "painting": (440, 320)}
SKY, SNOW, ROCK = (126, 172, 222), (236, 240, 246), (104, 112, 134)
MEADOW, WOOD, LAKE = (120, 164, 84), (44, 88, 62), (84, 138, 176)
PAINTS: tuple[Color, ...] = (
    *((150, 54, 28), (206, 112, 34), (234, 176, 62)),
    *((88, 46, 40), (38, 44, 76), (118, 92, 44)),
)
STROKES, LENGTH, BEND = 2600, 7, 0.05


def landscape(rng: Generator) -> Image.Image:
    """A mountain with snow on it, behind a wood, a meadow and a lake."""
    canvas = Canvas(*SIZES["landscape"], SKY)
    wide, deep = canvas.reach
    for _ in range(6):  # clouds
        x, y = rng.uniform(-wide, wide), rng.uniform(-deep, -0.4)
        for shift in (-0.12, 0, 0.12):
            canvas.disc(tinted(rng, SNOW, 4), x + shift, y + shift * rng.normal(), 0.16, 0.05)
    peak, foot = (rng.uniform(-0.2, 0.2), -0.78), 0.25
    canvas.shape(ROCK, [(-1.2, foot), peak, (1.3, foot)])
    canvas.shape(shaded(ROCK, 0.72), [peak, (1.3, foot), (0.2, foot)])
    edge = [(-0.42, -0.38), (-0.2, -0.46), (-0.06, -0.34), (0.12, -0.44), (0.44, -0.4)]
    canvas.shape(SNOW, [*edge, peak])
    for x in np.arange(-wide, wide, 0.055).tolist():  # firs
        height, base = rng.uniform(0.12, 0.26), 0.3 + rng.uniform(0, 0.06)
        canvas.shape(tinted(rng, WOOD, 9), [(x - 0.05, base), (x, base - height), (x + 0.05, base)])
    canvas.shape(MEADOW, [(-wide, 0.3), (wide, 0.3), (wide, deep), (-wide, deep)])
    canvas.disc(shaded(LAKE, 0.8), 0.25, 0.72, 1.02, 0.24)
    canvas.disc(LAKE, 0.25, 0.72, 1, 0.22)
    for _ in range(160):  # flowers
        x, y = rng.uniform(-wide, wide), rng.uniform(0.36, deep)
        if ((x - 0.25) / 1.05) ** 2 + ((y - 0.72) / 0.27) ** 2 > 1:
            canvas.disc(tinted(rng, SNOW, 20), x, y, 0.012, 0.012)
    return canvas.photographed(rng)


def painting(rng: Generator) -> Image.Image:
    """Strokes that run around swirls, of which each has its paint."""
    canvas = Canvas(*SIZES["painting"], PAINTS[3])
    wide, deep = canvas.reach
    centres = rng.uniform((-wide, -deep), (wide, deep), (9, 2))
    turns = rng.choice([-1, 1], len(centres))
    for _ in range(STROKES):
        x, y = rng.uniform(-wide, wide), rng.uniform(-deep, deep)
        near = int(np.hypot(*(centres - (x, y)).T).argmin())
        distance = math.hypot(*(centres[near] - (x, y)))
        paint = PAINTS[(near + int(distance / 0.13)) % len(PAINTS)]
        points = [(x, y)]
        for _ in range(LENGTH):
            across, down = points[-1] - centres[near]
            angle = math.atan2(down, across) + turns[near] * math.pi / 2
            x, y = x + BEND * math.cos(angle), y + BEND * math.sin(angle)
            points.append((x, y))
        canvas.stroke(tinted(rng, paint, 16), points, rng.uniform(0.02, 0.05))
    return canvas.photographed(rng)


def write(content: Path, style: Path) -> None:
    """Writes the landscape and the painting as JPEG, each whole or not at all."""
    for path, draw, seed in ((content, landscape, 0), (style, painting, 1)):
        _save(path, draw, seed)


@written_once
def _save(path: Path, draw: Callable[[Generator], Image.Image], seed: int) -> None:
    draw(default_rng(seed)).save(path, "JPEG", quality=92)
