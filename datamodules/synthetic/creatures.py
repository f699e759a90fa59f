"""Creatures: of six kinds, no two alike, drawn in the forms of pictures that the corpus has.

A kind has its colours and its tail; body, ears, wings, belly and marks are drawn by lot. One in
three pictures is transparent, one in three has a palette, and one is a photograph's JPEG on white.
"""

import math
from pathlib import Path

import numpy as np
from numpy.random import Generator, default_rng
from PIL import Image

from datamodules.files.staging import written_once
from datamodules.synthetic.canvas import OVERSAMPLING, Canvas, Color, shaded, tinted

SIZE = 96
KINDS: dict[str, tuple[Color, Color]] = {  # coat, and what stands out from it
    "flame": ((232, 116, 52), (250, 206, 70)),
    "sea": ((84, 150, 214), (206, 230, 244)),
    "leaf": ((112, 174, 86), (222, 106, 122)),
    "spark": ((244, 206, 66), (70, 56, 48)),
    "stone": ((154, 136, 118), (226, 208, 176)),
    "night": ((120, 96, 158), (236, 96, 130)),
}
DARK, WHITE = (34, 28, 32), (252, 250, 246)


def creature(rng: Generator, canvas: Canvas, kind: str) -> None:
    """Tail, wings, feet, body, ears and face, from the back to the front."""
    coat, accent = (tinted(rng, color, 14) for color in KINDS[kind])
    width, height = rng.uniform(0.3, 0.5), rng.uniform(0.32, 0.46)
    head = rng.uniform(0.34, 0.46)
    top = 0.38 - height - 0.55 * head
    _tail(rng, canvas, kind, coat, accent)
    if rng.random() < 0.3:
        _wings(canvas, accent, rng.uniform(0.5, 0.8))
    for side in (-1, 1):
        _part(canvas, shaded(coat, 0.9), 0.7 * width * side, 0.42 + height, 0.17, 0.1)
    _part(canvas, coat, 0, 0.4, width, height)
    if rng.random() < 0.6:
        canvas.disc(shaded(accent, 1.08), 0, 0.46, 0.62 * width, 0.7 * height)
    else:
        _stripes(canvas, accent, width, height)
    for side in (-1, 1):
        _part(canvas, shaded(coat, 0.92), 1.02 * width * side, 0.26, 0.1, 0.19)
    _ears(rng, canvas, coat, accent, top, head)
    _part(canvas, coat, 0, top, 1.08 * head, head)
    _face(rng, canvas, accent, top, head)


def _part(canvas: Canvas, color: Color, x: float, y: float, width: float, height: float) -> None:
    """An ellipse with an outline, darker below."""
    canvas.disc(shaded(color, 0.45), x, y, width + 0.03, height + 0.03)
    canvas.disc(shaded(color, 0.85), x, y, width, height)
    canvas.disc(color, x - 0.08 * width, y - 0.1 * height, 0.9 * width, 0.88 * height)


def _tail(rng: Generator, canvas: Canvas, kind: str, coat: Color, accent: Color) -> None:
    side = int(rng.choice([-1, 1]))
    if kind == "spark":
        points = [(0.3, 0.7), (0.62, 0.4), (0.5, 0.28), (0.96, -0.2), (0.8, 0.42), (0.36, 0.84)]
        canvas.shape(shaded(coat, 0.8), [(side * x, y) for x, y in points])
        return
    curl = rng.uniform(0.5, 1.1)
    line = [(side * (0.25 + 0.5 * t), 0.7 - 0.5 * curl * t * t) for t in np.linspace(0, 1, 7)]
    canvas.stroke(shaded(coat, 0.45), line, 0.17)
    canvas.stroke(shaded(coat, 0.9), line, 0.12)
    x, y = line[-1]
    if kind in ("flame", "leaf"):
        canvas.shape(accent, [(x - 0.15, y), (x, y - 0.36), (x + 0.15, y), (x, y + 0.14)])
        canvas.shape(shaded(accent, 0.8), [(x - 0.07, y), (x, y - 0.18), (x + 0.07, y)])
    else:
        _part(canvas, accent, x, y, 0.12, 0.12)


def _wings(canvas: Canvas, color: Color, span: float) -> None:
    for side in (-1, 1):
        ends = [(0.2, 0.1), (0.35 + span, -0.45), (0.4 + span, 0), (0.2 + span, 0.1), (0.25, 0.45)]
        canvas.shape(shaded(color, 0.7), [(side * min(x, 0.98), y) for x, y in ends])


def _stripes(canvas: Canvas, color: Color, width: float, height: float) -> None:
    for level in (-0.35, 0.15, 0.6):
        reach = width * math.sqrt(1 - level * level) * 0.8
        y = 0.4 + level * height
        canvas.stroke(color, [(-reach, y), (0, y + 0.05), (reach, y)], 0.06)


def _ears(
    rng: Generator, canvas: Canvas, coat: Color, accent: Color, top: float, head: float
) -> None:
    kind, length = rng.integers(4), rng.uniform(0.35, 0.6)
    for side in (-1, 1):
        x, y = 0.62 * head * side, top - 0.6 * head
        if kind == 0:
            inner, outer = (x - 0.2 * head * side, y), (x + 0.3 * head * side, y + 0.3 * head)
            canvas.shape(shaded(coat, 0.45), [inner, (x + 0.25 * side, y - length), outer])
            canvas.shape(coat, [inner, (x + 0.21 * side, y - length + 0.08), outer])
        elif kind == 1:
            _part(canvas, coat, x + 0.06 * side, y - 0.05, 0.4 * length, 0.4 * length)
            canvas.disc(accent, x + 0.06 * side, y - 0.05, 0.2 * length, 0.2 * length)
        elif kind == 2:
            _part(canvas, coat, x, y - 0.4 * length, 0.1, 0.75 * length)
            canvas.disc(accent, x, y - 0.4 * length, 0.05, 0.55 * length)
        else:
            canvas.stroke(shaded(accent, 0.5), [(x, y + 0.1), (x + 0.12 * side, y - 0.2)], 0.09)
            canvas.stroke(accent, [(x, y + 0.1), (x + 0.12 * side, y - 0.2)], 0.05)


def _face(rng: Generator, canvas: Canvas, accent: Color, top: float, head: float) -> None:
    apart, large = rng.uniform(0.35, 0.5) * head, rng.uniform(0.16, 0.26) * head
    for side in (-1, 1):
        canvas.disc(WHITE, apart * side, top, 1.15 * large, 1.3 * large)
        canvas.disc(DARK, apart * side, top + 0.02, 0.75 * large, 0.95 * large)
        canvas.disc(WHITE, apart * side - 0.02, top - 0.03, 0.28 * large, 0.28 * large)
        canvas.disc(accent, 0.72 * head * side, top + 0.38 * head, 0.14 * head, 0.1 * head)
    bend = rng.uniform(-0.03, 0.08)
    y = top + 0.5 * head
    canvas.stroke(DARK, [(-0.2 * head, y), (0, y + bend), (0.2 * head, y)], 0.03)


def draw(number: int, kind: str) -> Image.Image:
    """A creature, RGBA: what differs on white and on black is transparent."""
    looks = []
    for ground in ((255, 255, 255), (0, 0, 0)):
        rng = default_rng(number)
        canvas = Canvas(SIZE, SIZE, ground)
        canvas.move(0, 0.02, rng.uniform(0.75, 0.95), rng.normal(0, 0.05))
        creature(rng, canvas, kind)
        looks.append(np.asarray(canvas.picture.reduce(OVERSAMPLING), dtype=np.float32))
    white, black = looks
    alpha = 1 - (white - black).mean(-1, keepdims=True) / 255
    pixels = np.concatenate([black / alpha.clip(1 / 255), 255 * alpha], -1)
    return Image.fromarray(pixels.round().clip(0, 255).astype(np.uint8), "RGBA")


@written_once
def write(folder: Path, *, count: int = 480) -> None:
    """Writes `<kind>/<number>.png` or `.jpg`, whole or not at all.

    Args:
        folder: Gets the folders; if it exists, nothing is done.
        count: Number of pictures, of each kind as many.
    """
    kinds = list(KINDS)
    for kind in kinds:
        (folder / kind).mkdir(parents=True)
    for number in range(count):
        kind = kinds[number % len(kinds)]
        picture, place = draw(number, kind), folder / kind / str(number)
        form = number // len(kinds) % 3
        if form == 0:
            picture.save(place.with_suffix(".png"))
        elif form == 1:
            few = picture.quantize(64, Image.Quantize.FASTOCTREE)
            few.save(place.with_suffix(".png"))
        else:
            ground = Image.new("RGBA", picture.size, "white")
            ground.alpha_composite(picture)
            ground.convert("RGB").save(place.with_suffix(".jpg"), quality=92)
