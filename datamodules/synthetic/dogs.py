"""Dogs of 120 breeds, drawn instead of photographed, in the files of the Kaggle competition.

A breed is a coat, ears and markings that no other has together, and a size, a muzzle and a fur;
what differs from picture to picture is where the dog is and how it holds its head.
"""

import csv
import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from numpy.random import Generator, default_rng

from datamodules.files.staging import written_once
from datamodules.synthetic.canvas import Canvas, Color, shaded, tinted

SIZES = ((128, 96), (128, 96), (96, 128), (128, 85), (112, 112))
COATS = (
    *((58, 52, 54), (104, 66, 46), (178, 108, 54)),
    *((222, 190, 140), (134, 136, 144), (238, 234, 226)),
)
EARS = ("pricked", "hanging", "folded", "round")
MARKINGS = ("plain", "blaze", "mask", "points", "patches")
WHITE, TAN, DARK = (244, 240, 232), (196, 132, 74), (44, 38, 38)


class Breed(NamedTuple):
    """What the pictures of a breed have in common; lengths are shares of the head's."""

    coat: Color
    ears: str
    marking: str
    size: float
    width: float
    muzzle: float
    fray: float

    @property
    def contrast(self) -> Color:
        """What white markings are on a white dog, and dark ones on a dark dog."""
        bright = sum(self.coat) > 600
        if self.marking in ("blaze", "patches"):
            return TAN if bright else WHITE
        return TAN if sum(self.coat) < 240 or self.marking == "points" else DARK


def breed(number: int) -> Breed:
    """The breed of a number from 0 to 119."""
    pick = int(default_rng(0).permutation(len(COATS) * len(EARS) * len(MARKINGS))[number])
    rest, ears = divmod(pick, len(EARS))
    coat, marking = divmod(rest, len(MARKINGS))
    rng = default_rng((1, number))
    size, width, muzzle = rng.uniform((0.72, 0.85, 0.24), (0.95, 1.1, 0.4)).tolist()
    fray = float(rng.choice([0, 0, 0.06]))
    return Breed(COATS[coat], EARS[ears], MARKINGS[marking], size, width, muzzle, fray)


def _outdoors(rng: Generator) -> Canvas:
    """Sky, wall or wood above; meadow, sand or floor below; bushes and stones."""
    width, height = SIZES[rng.integers(len(SIZES))]
    above = ((166, 200, 232), (206, 196, 180), (96, 120, 84))[rng.integers(3)]
    below = ((110, 152, 78), (196, 178, 138), (146, 112, 84))[rng.integers(3)]
    canvas = Canvas(width, height, tinted(rng, above))
    x, y = canvas.reach
    horizon, ground = rng.uniform(-0.2, 0.5), tinted(rng, below)
    canvas.shape(ground, [(-x, horizon), (x, horizon), (x, y), (-x, y)])
    for _ in range(int(rng.integers(2, 7))):
        size = rng.uniform(0.08, 0.3)
        place = rng.uniform(-x, x), horizon + rng.normal(0, 0.15)
        canvas.disc(tinted(rng, shaded(ground, 0.8), 20), *place, 1.4 * size, size, 0.06)
    return canvas


def draw(kind: Breed, rng: Generator) -> Canvas:
    """A dog that looks at you: shoulders, ears, head, markings, face."""
    canvas = _outdoors(rng)
    coat, wide = tinted(rng, kind.coat, 6), 0.56 * kind.width
    x, y = rng.normal(0, 0.07, 2)
    scale, tilt = kind.size * rng.uniform(0.9, 1.05), rng.normal(0, 0.13)
    canvas.move(x, y - 0.05, scale)
    canvas.disc(shaded(coat, 0.78), 0, 1.15, 0.85 * kind.width, 0.75, kind.fray)
    if kind.marking in ("blaze", "points"):
        canvas.disc(kind.contrast, 0, 1.0, 0.34, 0.5, kind.fray)
    if rng.random() < 0.6:
        canvas.stroke(tinted(rng, (170, 60, 60), 60), [(-0.46, 0.6), (0, 0.7), (0.46, 0.6)], 0.12)
    canvas.move(x, y - 0.05, scale, tilt)
    if kind.ears in ("pricked", "round"):
        _ears(canvas, kind, coat, wide)
    canvas.disc(shaded(coat, 0.85), 0, 0.03, wide, 0.62, kind.fray)
    canvas.disc(coat, 0, 0, 0.97 * wide, 0.6, kind.fray)
    _marking(canvas, kind, wide)
    _face(canvas, kind, coat, wide, rng)
    if kind.ears in ("hanging", "folded"):
        _ears(canvas, kind, coat, wide)
    return canvas


def _ears(canvas: Canvas, kind: Breed, coat: Color, wide: float) -> None:
    dark, pink = shaded(coat, 0.72), (206, 150, 140)
    for side in (-1, 1):
        near, far = side * 0.25 * wide, side * 1.02 * wide
        if kind.ears == "pricked":
            canvas.shape(dark, [(near, -0.42), (side * 0.86 * wide, -1.02), (far, -0.1)])
            canvas.shape(pink, [(1.8 * near, -0.5), (side * 0.82 * wide, -0.86), (0.9 * far, -0.3)])
        elif kind.ears == "round":
            canvas.disc(dark, 0.82 * far, -0.55, 0.27, 0.3, kind.fray)
            canvas.disc(pink, 0.82 * far, -0.52, 0.15, 0.18)
        elif kind.ears == "hanging":
            canvas.disc(shaded(dark, 0.85), far, 0.16, 0.2, 0.6, kind.fray)
            canvas.disc(dark, far, 0.12, 0.17, 0.56, kind.fray)
        else:
            canvas.shape(coat, [(1.4 * near, -0.5), (0.95 * far, -0.68), (far, -0.2)])
            canvas.shape(dark, [(1.8 * near, -0.56), (0.97 * far, -0.7), (1.25 * far, -0.12)])


def _marking(canvas: Canvas, kind: Breed, wide: float) -> None:
    color = kind.contrast
    if kind.marking == "blaze":
        canvas.shape(color, [(-0.06, -0.58), (0.06, -0.58), (0.17, 0.3), (-0.17, 0.3)])
        canvas.disc(color, 0, 0.34, 0.34, 0.26, kind.fray)
    elif kind.marking == "mask":
        canvas.disc(color, 0, 0.26, 0.36, 0.34, kind.fray)
        for side in (-1, 1):
            canvas.disc(color, side * 0.46 * wide, -0.1, 0.17, 0.16)
    elif kind.marking == "points":
        canvas.disc(color, 0, 0.36, 0.32, 0.22, kind.fray)
        for side in (-1, 1):
            canvas.disc(color, side * 0.42 * wide, -0.28, 0.09, 0.06)
    elif kind.marking == "patches":
        canvas.disc(color, -0.5 * wide, -0.12, 0.26, 0.32)
        canvas.disc(color, 0.5 * wide, 0.4, 0.2, 0.14)
        canvas.disc(color, 0.3 * wide, -0.5, 0.16, 0.09)


def _face(canvas: Canvas, kind: Breed, coat: Color, wide: float, rng: Generator) -> None:
    for side in (-1, 1):
        x = side * 0.44 * wide
        canvas.disc(shaded(coat, 0.5), x, -0.1, 0.105, 0.1)
        canvas.disc((62, 38, 24), x, -0.1, 0.085, 0.085)
        canvas.disc((250, 250, 250), x + 0.03, -0.13, 0.025, 0.025)
    plain = kind.marking in ("plain", "patches")
    snout = shaded(coat, 1.12) if plain else kind.contrast
    nose = 0.16 + 0.4 * (kind.muzzle - 0.24)
    canvas.disc(snout, 0, 0.32, kind.muzzle, 0.24, kind.fray)
    if rng.random() < 0.5:
        canvas.disc((216, 112, 120), 0, 0.56, 0.1, rng.uniform(0.1, 0.18))
    mouth = shaded(snout, 0.45)
    canvas.stroke(mouth, [(0, nose), (0, 0.42)], 0.03)
    canvas.stroke(mouth, [(-0.17, 0.4), (-0.09, 0.46), (0, 0.42), (0.09, 0.46), (0.17, 0.4)], 0.035)
    canvas.disc((30, 26, 28), 0, nose, 0.12, 0.085)
    canvas.disc((120, 116, 118), 0.03, nose - 0.03, 0.03, 0.018)


@written_once
def write(folder: Path, breeds: Sequence[str], *, num_train: int = 300, num_test: int = 24) -> None:
    """Writes `train/<id>.jpg`, `test/<id>.jpg` and `labels.csv`, whole or not at all.

    Args:
        folder: Gets the files; if it exists, nothing is done.
        breeds: Names of the breeds, at most 120.
        num_train: Pictures with a label, as many of each breed as of any other, or one more.
        num_test: Pictures without.
    """
    counts = {"train": num_train, "test": num_test}
    rows, kinds = [], default_rng(2).permutation(len(breeds)).tolist()
    for seed, (split, count) in enumerate(counts.items()):
        (folder / split).mkdir(parents=True)
        for number in range(count):
            name = hashlib.sha256(f"{split} {number}".encode()).hexdigest()[:32]
            rng, kind = default_rng((seed, number)), kinds[number % len(breeds)]
            picture = draw(breed(kind), rng).photographed(rng)
            picture.save(folder / split / f"{name}.jpg", quality=85)
            if split == "train":
                rows.append((name, breeds[kind]))
    with (folder / "labels.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n").writerows([("id", "breed"), *sorted(rows)])
