"""Hot dogs, and other food, drawn instead of photographed, in the folders of the corpus.

Colour says little: burgers have a bun and meat too, tables come in all colours, and chips and
sauce lie about everywhere; a baguette and a banana are as long as a hot dog.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.random import Generator, default_rng

from datamodules.files.staging import written_once
from datamodules.synthetic.canvas import Canvas, Points, shaded, tinted

LABELS = ("hotdog", "not-hotdog")
SIZES = ((96, 96), (112, 84), (84, 112), (128, 96))
BUN, CRUMB, CRUST, MEAT = (214, 158, 86), (240, 212, 158), (176, 114, 54), (158, 70, 44)
MUSTARD, KETCHUP, CHEESE = (232, 186, 40), (186, 34, 28), (246, 200, 76)
LEAF, TOMATO, CHIP, PAPER = (104, 156, 60), (206, 62, 44), (236, 194, 96), (240, 238, 232)


def _table(rng: Generator) -> Canvas:
    """A table of planks, cloth or stone, with a plate or a napkin on most, and things about."""
    width, height = SIZES[rng.integers(len(SIZES))]
    grey = int(rng.integers(70, 200))
    color = tinted(rng, (grey, grey, grey), 40)
    canvas = Canvas(width, height, color)
    canvas.move(angle=rng.uniform(0, np.pi))
    step = rng.uniform(0.25, 0.6)
    for offset in np.arange(-2, 2, step) if rng.random() < 0.6 else ():
        line = shaded(color, rng.uniform(0.75, 1.2))
        canvas.stroke(line, [(-2.5, offset), (2.5, offset)], step * rng.uniform(0.1, 0.6))
    canvas.move()
    for _ in range(int(rng.integers(1, 5))):
        _clutter(rng, canvas)
    x, y = rng.normal(0, 0.05, 2)
    kind, size = rng.random(), rng.uniform(0.85, 1.05)
    if kind < 0.4:
        plate = tinted(rng, PAPER, 12)
        canvas.disc(shaded(color, 0.6), x + 0.04, y + 0.05, size, size)
        canvas.disc(plate, x, y, size, size)
        canvas.disc(shaded(plate, 0.93), x, y, 0.72 * size, 0.72 * size)
    elif kind < 0.7:
        canvas.move(x, y, size, rng.uniform(0, np.pi))
        canvas.shape(tinted(rng, PAPER, 12), [(-0.9, -0.7), (0.9, -0.7), (0.9, 0.7), (-0.9, 0.7)])
    return canvas


def _clutter(rng: Generator, canvas: Canvas) -> None:
    """A chip, a leaf, a blob of sauce, a cup, off the middle."""
    side, reach = rng.choice([-1, 1]), canvas.reach
    x, y = side * rng.uniform(0.6, reach[0]), rng.uniform(-reach[1], reach[1])
    if rng.random() < 0.5:
        x, y = rng.uniform(-reach[0], reach[0]), side * rng.uniform(0.6, reach[1])
    canvas.move(x, y, 1, rng.uniform(0, np.pi))
    kind = rng.integers(4)
    if kind == 0:
        canvas.stroke(tinted(rng, CHIP), [(-0.2, 0), (0.2, 0)], 0.1)
    elif kind == 1:
        canvas.disc(tinted(rng, LEAF), 0, 0, 0.26, 0.14, 0.15)
    elif kind == 2:
        canvas.disc(tinted(rng, KETCHUP if rng.random() < 0.5 else MUSTARD), 0, 0, 0.14, 0.1)
    else:
        cup = tinted(rng, (180, 180, 190), 50)
        canvas.disc(cup, 0, 0, 0.3, 0.3)
        canvas.disc(shaded(cup, 0.5), 0, 0, 0.23, 0.23)
    canvas.move()


def _bow(length: float, bend: float) -> Points:
    """A line from left to right that hangs through by `bend`."""
    return [(x, bend * (1 - (x / length) ** 2)) for x in np.linspace(-length, length, 9).tolist()]


def _raised(points: Points, by: float) -> Points:
    return [(x, y - by) for x, y in points]


def _wave(points: Points, height: float, turns: float) -> Points:
    first, last = points[0][0], points[-1][0]
    xs = np.linspace(0.82 * first, 0.82 * last, 40)
    ys = np.interp(xs, [x for x, _ in points], [y for _, y in points])
    waves = height * np.sin(turns * np.pi * np.linspace(0, 2, len(xs)))
    return list(zip(xs.tolist(), (ys + waves).tolist(), strict=True))


def hot_dog(rng: Generator, canvas: Canvas) -> None:
    """A sausage in a bun that it is longer than, with mustard, ketchup or neither."""
    length, bend = rng.uniform(0.58, 0.72), rng.uniform(-0.1, 0.1)
    bun, meat = tinted(rng, BUN), tinted(rng, MEAT, 18)
    line, sausage = _bow(length, bend), _bow(length * rng.uniform(1.08, 1.28), bend)
    wide, thick = rng.uniform(0.5, 0.66), rng.uniform(0.2, 0.27)
    canvas.stroke(shaded(bun, 0.72), _raised(line, -0.04), wide)
    canvas.stroke(bun, line, wide * 0.94)
    canvas.stroke(shaded(bun, 1.12), _raised(line, wide * 0.3), wide * 0.14)
    canvas.stroke(tinted(rng, CRUMB, 8), line, thick * 1.4)
    canvas.stroke(shaded(meat, 0.65), _raised(sausage, -0.03), thick)
    canvas.stroke(meat, sausage, thick * 0.92)
    canvas.stroke(shaded(meat, 1.35), _raised(sausage, thick * 0.22), thick * 0.16)
    if rng.random() < 0.75:
        sauce = tinted(rng, MUSTARD if rng.random() < 0.65 else KETCHUP)
        canvas.stroke(sauce, _wave(sausage, thick * 0.3, rng.uniform(2.5, 4.5)), 0.065)
    for _ in range(int(rng.integers(0, 7))):  # onions or herbs
        x, y = rng.uniform(-0.6, 0.6) * length, rng.normal(0, 0.07)
        canvas.disc(tinted(rng, (236, 226, 206) if rng.random() < 0.5 else LEAF), x, y, 0.04, 0.03)


def burger(rng: Generator, canvas: Canvas) -> None:
    """From the side: bun, leaf, cheese, meat, bun."""
    bun, meat, wide = tinted(rng, BUN), tinted(rng, shaded(MEAT, 0.8)), rng.uniform(0.6, 0.75)
    canvas.stroke(shaded(bun, 0.9), [(-wide + 0.1, 0.42), (wide - 0.1, 0.42)], 0.3)
    canvas.stroke(meat, [(-wide, 0.2), (wide, 0.2)], 0.24)
    canvas.shape(tinted(rng, CHEESE), [(-wide, 0.06), (wide, 0.06), (0.3, 0.26), (-0.1, 0.14)])
    canvas.stroke(tinted(rng, LEAF), _wave([(-wide * 1.3, 0), (wide * 1.3, 0)], 0.04, 4), 0.12)
    if rng.random() < 0.5:
        canvas.stroke(tinted(rng, TOMATO), [(-wide + 0.1, -0.08), (wide - 0.1, -0.08)], 0.12)
    dome = [(wide * np.cos(t), -0.1 - 0.55 * np.sin(t)) for t in np.linspace(0, np.pi, 20)]
    canvas.shape(bun, [*dome, (-wide, -0.05), (wide, -0.05)])
    for _ in range(int(rng.integers(0, 12))):  # sesame
        x, y = rng.uniform(-0.6, 0.6) * wide, rng.uniform(-0.5, -0.25)
        canvas.disc(CRUMB, x, y, 0.035, 0.025)


def pizza(rng: Generator, canvas: Canvas) -> None:
    """A slice, or all of it."""
    cheese, crust = tinted(rng, CHEESE), tinted(rng, CRUST)
    whole = rng.random() < 0.5
    if whole:
        canvas.disc(crust, 0, 0, 0.8, 0.8)
        canvas.disc(cheese, 0, 0, 0.68, 0.68, 0.02)
    else:
        canvas.shape(cheese, [(-0.55, -0.5), (0.55, -0.5), (0, 0.8)])
        canvas.stroke(crust, [(-0.55, -0.5), (0.55, -0.5)], 0.22)
    for _ in range(int(rng.integers(4, 9))):
        r, turn = 0.55 * np.sqrt(rng.random()), rng.uniform(0, 2 * np.pi)
        x, y = (r * np.cos(turn), r * np.sin(turn)) if whole else (0.4 * r - 0.1, r - 0.35)
        canvas.disc(tinted(rng, TOMATO if rng.random() < 0.7 else LEAF), x, y, 0.12, 0.12)


def doughnut(rng: Generator, canvas: Canvas) -> None:
    """A ring with icing and sprinkles."""
    dough, icing = tinted(rng, CRUST), tinted(rng, (200, 120, 120), 50)
    canvas.disc(dough, 0, 0.03, 0.74, 0.74)
    canvas.disc(icing, 0, 0, 0.68, 0.68, 0.03)
    for turn in rng.uniform(0, 2 * np.pi, int(rng.integers(0, 16))).tolist():
        x, y = 0.46 * np.cos(turn), 0.46 * np.sin(turn)
        canvas.stroke(tinted(rng, (200, 200, 120), 60), [(x, y), (x + 0.06, y + 0.03)], 0.04)
    canvas.disc(shaded(dough, 0.7), 0, 0, 0.24, 0.24)
    canvas.disc(tinted(rng, PAPER, 20), 0, 0.02, 0.2, 0.2)


def chips(rng: Generator, canvas: Canvas) -> None:
    """In a paper bag."""
    bag = tinted(rng, KETCHUP if rng.random() < 0.5 else (90, 110, 170), 30)
    for x in np.linspace(-0.4, 0.4, 9).tolist():
        top = rng.uniform(-0.85, -0.35)
        canvas.stroke(tinted(rng, CHIP), [(x, 0.1), (x * 1.3 + rng.normal(0, 0.08), top)], 0.11)
    canvas.shape(bag, [(-0.58, -0.2), (0.58, -0.2), (0.42, 0.75), (-0.42, 0.75)])
    canvas.shape(shaded(bag, 0.8), [(-0.58, -0.2), (0.58, -0.2), (0.2, 0.02), (-0.2, 0.02)])


def egg(rng: Generator, canvas: Canvas) -> None:
    """One, fried, or two with a slice of ham."""
    if rng.random() < 0.5:
        canvas.disc(tinted(rng, (206, 110, 92)), 0.3, 0.3, 0.5, 0.36, 0.03)
    for x, y in ((-0.25, -0.15), (0.35, -0.1))[: int(rng.integers(1, 3))]:
        canvas.disc(tinted(rng, (246, 244, 238), 5), x, y, 0.5, 0.44, 0.06)
        canvas.disc(tinted(rng, (240, 172, 40)), x, y, 0.2, 0.19)


def banana(rng: Generator, canvas: Canvas) -> None:
    """As long as a hot dog, and bent."""
    peel, line = tinted(rng, (226, 196, 60)), _bow(rng.uniform(0.7, 0.85), rng.uniform(0.3, 0.5))
    canvas.stroke(shaded(peel, 0.75), _raised(line, -0.03), 0.3)
    canvas.stroke(peel, line, 0.27)
    canvas.stroke(shaded(peel, 1.15), _raised(line, 0.06), 0.05)
    for end in (line[0], line[-1]):
        canvas.disc((84, 62, 40), *end, 0.07, 0.07)


def baguette(rng: Generator, canvas: Canvas) -> None:
    """As long as a hot dog, and as brown; nothing is in it."""
    crust, line = tinted(rng, CRUST, 20), _bow(rng.uniform(0.7, 0.9), rng.uniform(-0.08, 0.08))
    canvas.stroke(shaded(crust, 0.7), _raised(line, -0.04), rng.uniform(0.4, 0.55))
    canvas.stroke(crust, line, 0.4)
    canvas.stroke(shaded(crust, 1.2), _raised(line, 0.1), 0.08)
    for x, y in line[1:-1]:
        canvas.stroke(tinted(rng, CRUMB, 10), [(x - 0.08, y + 0.12), (x + 0.08, y - 0.12)], 0.06)


def skewer(rng: Generator, canvas: Canvas) -> None:
    """Meat and vegetables in a row on a stick."""
    canvas.stroke((150, 120, 80), [(-1, 0), (1, 0)], 0.05)
    colors = (MEAT, LEAF, TOMATO, CHEESE)
    for x in np.linspace(-0.6, 0.6, 5).tolist():
        color = tinted(rng, colors[rng.integers(len(colors))])
        canvas.disc(shaded(color, 0.75), x, 0.03, 0.15, 0.2, 0.04)
        canvas.disc(color, x, 0, 0.14, 0.18, 0.04)


OTHERS: tuple[Callable[[Generator, Canvas], None], ...] = (
    *(burger, pizza, doughnut, chips, egg),
    *(banana, baguette, skewer),
)


@written_once
def write(folder: Path, *, num_train: int = 480, num_test: int = 120) -> None:
    """Writes `{train,test}/{hotdog,not-hotdog}/<number>.jpg`, whole or not at all.

    Args:
        folder: Gets the folders; if it exists, nothing is done.
        num_train: Training pictures, half of them hot dogs.
        num_test: Test pictures, likewise.
    """
    counts = {"train": num_train, "test": num_test}
    for seed, (split, count) in enumerate(counts.items()):
        for label in LABELS:
            (folder / split / label).mkdir(parents=True)
        for number in range(count):
            rng, other = default_rng((seed, number)), number % 2
            food = OTHERS[number // 2 % len(OTHERS)] if other else hot_dog
            canvas = _table(rng)
            x, y = rng.normal(0, 0.06, 2)
            canvas.move(x, y, rng.uniform(0.75, 1), rng.uniform(0, 2 * np.pi))
            food(rng, canvas)
            picture = canvas.photographed(rng)
            picture.save(folder / split / LABELS[other] / f"{number}.jpg", quality=85)
