"""Objects: the ten classes of CIFAR-10, drawn instead of photographed, in both of its forms.

As in the corpus, colour says little: things come in all colours, in front of sky, sea, road or
meadow; a cat and a dog differ by ears and muzzle, a car and a truck by their cabins.
"""

import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.random import Generator, default_rng
from PIL import Image

from datamodules.files.staging import written_once
from datamodules.synthetic.canvas import Canvas, Color, shaded, tinted

SIZE = 32
BATCHES = {"data_batch_1": 800, "data_batch_2": 800, "test_batch": 400}
FILES = {"train": 400, "test": 50}
LABELS = (
    *("airplane", "automobile", "bird", "cat", "deer"),
    *("dog", "frog", "horse", "ship", "truck"),
)
SKY, SEA, ROAD, MEADOW = (150, 190, 230), (60, 100, 150), (130, 130, 130), (90, 140, 70)


def _scene(rng: Generator, above: Color, below: Color) -> Canvas:
    """What is seen in the distance, and the origin moved, turned and scaled a little."""
    canvas = Canvas(SIZE, SIZE, tinted(rng, above, 30))
    horizon = rng.uniform(-0.1, 0.5)
    ground = tinted(rng, below, 30)
    canvas.shape(ground, [(-1, horizon), (1, horizon), (1, 1), (-1, 1)])
    for _ in range(int(rng.integers(2, 6))):  # clouds, stones, bushes
        x, y, size = *rng.uniform(-1, 1, 2), rng.uniform(0.05, 0.28)
        canvas.disc(tinted(rng, above if y < horizon else below, 45), x, y, 2 * size, size)
    x, y = rng.uniform(-0.12, 0.12, 2)
    canvas.move(x, y, rng.uniform(0.75, 1), rng.uniform(-0.1, 0.1))
    return canvas


def _box(
    canvas: Canvas, color: Color, left: float, top: float, right: float, bottom: float
) -> None:
    canvas.shape(color, [(left, top), (right, top), (right, bottom), (left, bottom)])


def _coat(rng: Generator) -> Color:
    """Any colour, for what comes in all of them."""
    red, green, blue = rng.integers(20, 236, 3).tolist()
    return red, green, blue


def _airplane(rng: Generator) -> Canvas:
    canvas, coat = _scene(rng, SKY, SKY), _coat(rng)
    canvas.disc(coat, 0, 0, 0.85, 0.13)
    canvas.shape(shaded(coat, 0.6), [(0.2, 0), (-0.35, 0.6), (-0.15, 0.6), (0.4, 0)])
    canvas.shape(shaded(coat, 0.8), [(0.15, -0.05), (-0.2, -0.5), (-0.05, -0.5), (0.35, -0.05)])
    canvas.shape(coat, [(-0.6, 0), (-0.85, -0.4), (-0.65, -0.4), (-0.4, 0)])
    return canvas


def _automobile(rng: Generator) -> Canvas:
    canvas, coat = _scene(rng, SKY, ROAD), _coat(rng)
    canvas.shape(coat, [(-0.5, 0), (-0.3, -0.38), (0.25, -0.38), (0.5, 0)])
    canvas.shape((170, 200, 215), [(-0.36, -0.03), (-0.24, -0.3), (0.2, -0.3), (0.36, -0.03)])
    _box(canvas, coat, -0.85, -0.02, 0.85, 0.3)
    _wheels(canvas, -0.5, 0.5)
    return canvas


def _truck(rng: Generator) -> Canvas:
    canvas, coat = _scene(rng, SKY, ROAD), _coat(rng)
    _box(canvas, _coat(rng), -0.9, -0.6, 0.3, 0.28)
    _box(canvas, coat, 0.34, -0.3, 0.8, 0.28)
    _box(canvas, (170, 200, 215), 0.55, -0.22, 0.78, 0)
    _wheels(canvas, -0.65, -0.25, 0.58)
    return canvas


def _wheels(canvas: Canvas, *places: float) -> None:
    for x in places:
        canvas.disc((25, 25, 25), x, 0.3, 0.17, 0.17)
        canvas.disc((150, 150, 150), x, 0.3, 0.07, 0.07)


def _ship(rng: Generator) -> Canvas:
    canvas, coat = _scene(rng, SKY, SEA), _coat(rng)
    canvas.shape(coat, [(-0.9, 0.05), (0.9, 0.05), (0.65, 0.42), (-0.7, 0.42)])
    _box(canvas, (225, 225, 225), -0.5, -0.25, 0.3, 0.06)
    _box(canvas, shaded(coat, 0.6), -0.25, -0.6, -0.05, -0.24)
    canvas.stroke((60, 60, 60), [(0.2, -0.25), (0.2, -0.8)], 0.05)
    return canvas


def _bird(rng: Generator) -> Canvas:
    canvas, coat = _scene(rng, SKY, MEADOW), _coat(rng)
    canvas.shape(shaded(coat, 0.6), [(-0.4, 0), (-0.9, 0.15), (-0.85, -0.1)])
    canvas.disc(coat, 0, 0, 0.5, 0.3)
    canvas.disc(coat, 0.45, -0.28, 0.22, 0.2)
    canvas.shape((225, 150, 40), [(0.64, -0.34), (0.9, -0.24), (0.64, -0.18)])
    canvas.shape(shaded(coat, 0.7), [(-0.2, -0.1), (0.2, -0.05), (-0.35, rng.uniform(-0.6, 0.3))])
    canvas.disc((10, 10, 10), 0.5, -0.32, 0.05, 0.05)
    for x in (-0.05, 0.12):
        canvas.stroke((225, 150, 40), [(x, 0.28), (x, 0.62)], 0.05)
    return canvas


def _frog(rng: Generator) -> Canvas:
    canvas = _scene(rng, MEADOW, MEADOW)
    coat = tinted(rng, (110, 130, 60), 40)
    for side in (-1, 1):
        canvas.disc(shaded(coat, 0.8), 0.62 * side, 0.3, 0.28, 0.3)
        canvas.disc(coat, 0.3 * side, -0.42, 0.18, 0.18)
        canvas.disc((240, 230, 160), 0.3 * side, -0.44, 0.1, 0.1)
        canvas.disc((10, 10, 10), 0.3 * side, -0.44, 0.05, 0.07)
    canvas.disc(coat, 0, 0.05, 0.62, 0.48)
    canvas.stroke(shaded(coat, 0.5), [(-0.4, 0), (0.4, 0)], 0.05)
    return canvas


def _face(rng: Generator) -> tuple[Canvas, Color]:
    canvas, coat = _scene(rng, _coat(rng), _coat(rng)), tinted(rng, (150, 110, 75), 55)
    canvas.disc(shaded(coat, 0.85), 0, 0.8, 0.6, 0.5)
    return canvas, coat


def _cat(rng: Generator) -> Canvas:
    canvas, coat = _face(rng)
    for side in (-1, 1):
        canvas.shape(coat, [(0.1 * side, -0.35), (0.5 * side, -0.9), (0.58 * side, -0.1)])
    canvas.disc(coat, 0, 0, 0.58, 0.5)
    for side in (-1, 1):
        canvas.disc((190, 210, 90), 0.24 * side, -0.08, 0.12, 0.1)
        canvas.disc((10, 10, 10), 0.24 * side, -0.08, 0.04, 0.1)
        canvas.stroke((240, 240, 240), [(0.12 * side, 0.22), (0.8 * side, 0.16)], 0.03)
    canvas.shape((200, 120, 120), [(-0.08, 0.12), (0.08, 0.12), (0, 0.22)])
    return canvas


def _dog(rng: Generator) -> Canvas:
    canvas, coat = _face(rng)
    canvas.disc(coat, 0, -0.05, 0.48, 0.52)
    for side in (-1, 1):
        canvas.disc(shaded(coat, 0.7), 0.55 * side, 0.05, 0.17, 0.45)
        canvas.disc((10, 10, 10), 0.2 * side, -0.18, 0.07, 0.07)
    canvas.disc(tinted(rng, (215, 190, 160), 30), 0, 0.28, 0.3, 0.27)
    canvas.disc((20, 20, 20), 0, 0.15, 0.12, 0.09)
    canvas.disc((215, 110, 110), 0, 0.5, 0.09, rng.uniform(0.04, 0.15))
    return canvas


def _on_four_legs(rng: Generator, neck: float) -> tuple[Canvas, Color]:
    """A trunk, legs, and a neck that rises by so much to a head."""
    canvas, coat = _scene(rng, SKY, MEADOW), tinted(rng, (140, 95, 60), 40)
    for x in (-0.48, -0.3, 0.22, 0.4):
        canvas.stroke(shaded(coat, 0.8), [(x, 0.1), (x + rng.uniform(-0.12, 0.12), 0.8)], 0.09)
    canvas.disc(coat, -0.05, 0.08, 0.58, 0.24)
    canvas.shape(coat, [(0.25, 0.1), (0.5, -neck), (0.68, -neck), (0.55, 0.15)])
    canvas.disc(coat, 0.68, -neck, 0.24, 0.12)
    return canvas, coat


def _deer(rng: Generator) -> Canvas:
    canvas, coat = _on_four_legs(rng, rng.uniform(0.25, 0.4))
    horn = shaded(coat, 0.45)
    for x in (0.48, 0.62):
        canvas.stroke(horn, [(x, -0.4), (x - 0.12, -0.95)], 0.06)
        canvas.stroke(horn, [(x - 0.06, -0.65), (x + 0.15, -0.85)], 0.05)
    canvas.disc((235, 230, 220), -0.62, 0.05, 0.08, 0.1)
    return canvas


def _horse(rng: Generator) -> Canvas:
    canvas, coat = _on_four_legs(rng, rng.uniform(0.4, 0.55))
    mane = shaded(coat, 0.35)
    canvas.shape(mane, [(0.2, 0), (0.42, -0.62), (0.55, -0.6), (0.38, 0)])
    canvas.shape(mane, [(-0.58, -0.05), (-0.9, 0.5), (-0.75, 0.55), (-0.52, 0.1)])
    return canvas


DRAWN: tuple[Callable[[Generator], Canvas], ...] = (
    *(_airplane, _automobile, _bird, _cat, _deer),
    *(_dog, _frog, _horse, _ship, _truck),
)


def draw(label: int, rng: Generator) -> np.ndarray:
    """One picture of a class, uint8 (3, 32, 32)."""
    pixels = np.asarray(DRAWN[label](rng).photographed(rng)).transpose(2, 0, 1)
    return pixels[:, :, :: rng.choice([-1, 1])]


def _drawn(count: int, seed: int) -> tuple[list[int], list[np.ndarray]]:
    """As many pictures of each class as of any other, shuffled."""
    rng = default_rng(seed)
    labels = rng.permutation(np.arange(count) % len(LABELS)).tolist()
    return labels, [draw(label, rng) for label in labels]


@written_once
def write_batches(folder: Path) -> None:
    """Writes the pickled batches and their names as the folder, whole or not at all."""
    folder.mkdir()
    for seed, (name, count) in enumerate(BATCHES.items()):
        labels, pictures = _drawn(count, seed)
        names = [f"{LABELS[label]}_s_{row:06}.png" for row, label in enumerate(labels)]
        pixels = np.stack(pictures).reshape(count, -1)
        batch = {"batch_label": name, "labels": labels, "data": pixels, "filenames": names}
        (folder / name).write_bytes(pickle.dumps(batch, protocol=2))


@written_once
def write_files(folder: Path) -> None:
    """Writes what Kaggle gives as the folder, whole or not: train, test, trainLabels.csv."""
    for seed, (part, count) in enumerate(FILES.items()):
        labels, pictures = _drawn(count, len(BATCHES) + seed)
        (folder / part).mkdir(parents=True)
        for number, picture in enumerate(pictures, start=1):
            Image.fromarray(picture.transpose(1, 2, 0)).save(folder / part / f"{number}.png")
        if part == "train":
            rows = [f"{number},{LABELS[label]}" for number, label in enumerate(labels, start=1)]
            (folder / "trainLabels.csv").write_text("\n".join(["id,label", *rows, ""]))
