"""Garments: the ten classes of Fashion-MNIST, drawn instead of photographed, in its file format.

As in the corpus, some classes differ in little: shirts, coats, pullovers and t-shirts are one cut
with other sleeves, collars and buttons; a high sneaker and a low ankle boot have one outline.
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.random import Generator, SeedSequence, default_rng
from PIL import Image, ImageDraw

from datamodules.files.staging import written_once
from datamodules.formats.idx import write_idx

SIZE = 28
OVERSAMPLING = 4  # Pillow draws hard edges; the mean of 4 x 4 pixels is soft
UNIT = 13.0 * OVERSAMPLING  # the length 1 in drawn pixels; the picture's middle is the origin
CLOTH = 180  # grey value drawn for shade 1, so that trimmings can be brighter
ROWS, COLUMNS = np.mgrid[-1 : 1 : SIZE * 1j, -1 : 1 : SIZE * 1j]

Points = list[tuple[float, float]]  # x to the right and y down, both from -1 to 1


class Piece(NamedTuple):
    """A polygon of cloth, or a line if it has a width; a shade of 1 is the garment's own."""

    points: Points
    shade: float = 1.0
    width: float = 0.0


def _flip(right: Points) -> Points:
    return [(-x, y) for x, y in reversed(right)]


def _arc(x: float, y: float, width: float, height: float, turn: float = 1.0) -> Points:
    """Part of an ellipse: all (1), or its upper (0.5) or lower half (-0.5)."""
    angles = np.pi * np.linspace(1, 1 + 2 * turn, 13)
    return list(zip(x + width * np.cos(angles), y + height * np.sin(angles), strict=True))


def _top(rng: Generator, width: float, length: float, hem: float, skirt: float = 1) -> list[Piece]:
    """A trunk and two sleeves; the longer the sleeves, the steeper they hang."""
    angle = rng.uniform(0.5, 0.7) - 0.22 * length
    along, out = np.array([np.sin(angle), np.cos(angle)]), np.array([np.cos(angle), -np.sin(angle)])
    shoulder, girth = np.array([width * 0.8, -0.66]), rng.uniform(0.3, 0.4) * width
    wrist, cuff = shoulder + length * along, girth * rng.uniform(0.6, 0.85)
    sleeve: Points = [
        *(tuple(shoulder - girth * out), tuple(shoulder + girth * out)),
        *(tuple(wrist + cuff * out), tuple(wrist - cuff * out)),
    ]
    waist = (width * rng.uniform(0.86, 1), 0.0)
    side = [(width, -0.4), waist, (width * (1 + skirt) / 2, 0.4), (width * skirt, hem)]
    trunk = [(rng.uniform(0.18, 0.26), -0.95), (width * 0.95, -0.8), *side]
    pieces = [Piece(trunk + _flip(trunk))]
    if length:
        shade = rng.uniform(0.8, 1)
        pieces = [Piece(sleeve, shade), Piece(_flip(sleeve), shade), *pieces]
        pieces += [Piece(side, 0.6, 0.04), Piece(_flip(side), 0.6, 0.04)]  # the arms' shadow
    return pieces


def _neckline(rng: Generator, depth: float) -> Piece:
    """Either cut out, or one sees the inside of the back through it."""
    return Piece(_arc(0, -0.96, rng.uniform(0.17, 0.26), depth, -0.5), rng.choice([0, 0.5, 0.7]))


def _collar(size: float, shade: float) -> list[Piece]:
    """Two lapels, and the lining between them."""
    lapel = [(0, size - 0.95), (0.28, 0.4 * size - 0.8), (0.2, -1), (0.08, -0.95)]
    lining = Piece([(-0.12, -0.98), (0.12, -0.98), (0, 0.6 * size - 0.95)], 0.3)
    return [Piece(lapel, shade), Piece(_flip(lapel), shade), lining]


def _emblem(rng: Generator) -> list[Piece]:
    """Something on the chest of some: a box or a disc."""
    x, y, tall = rng.uniform(0.1, 0.32), rng.uniform(-0.4, 0), rng.uniform(0.06, 0.3)
    box = [(-x, y), (x, y), (x, y + tall), (-x, y + tall)]
    outline = box if rng.random() < 0.5 else _arc(0, y, x, tall)
    return [Piece(outline, rng.choice([0.35, 0.6, 1.25]))] * int(rng.random() < 0.4)


def t_shirt(rng: Generator) -> list[Piece]:
    """Sleeves short or none; a round neck; on some, an emblem."""
    length = rng.choice([0, 0.5, 0.6, 0.75])
    pieces = _top(rng, rng.uniform(0.44, 0.58), length, rng.uniform(0.85, 1))
    return [*pieces, _neckline(rng, rng.uniform(0.1, 0.35)), *_emblem(rng)]


def trouser(rng: Generator) -> list[Piece]:
    """Two legs, some cut off at the calf, and a fly."""
    waist, ankle, apart = rng.uniform(0.24, 0.36), rng.uniform(0.2, 0.32), rng.uniform(0.05, 0.14)
    crotch, end = rng.uniform(-0.5, -0.25), rng.choice([0.6, 0.98, 0.98])
    outside = [(waist, -0.95), (waist + 0.08, -0.5), (apart + ankle, end)]
    leg = [(0, crotch), (0, -0.95), *outside, (apart, end)]
    fly = Piece([(0, -0.95), (0, crotch)], 0.75, 0.05)
    return [Piece(leg), Piece(_flip(leg), rng.uniform(0.85, 1)), fly]


def pullover(rng: Generator) -> list[Piece]:
    """Long sleeves, a round neck that is high, a ribbed hem."""
    width, hem = rng.uniform(0.42, 0.58), rng.uniform(0.75, 1)
    pieces = _top(rng, width, rng.uniform(1.2, 1.6), hem)
    rib = Piece([(-width, hem - 0.1), (width, hem - 0.1)], rng.choice([0.75, 1]), 0.08)
    return [*pieces, rib, _neckline(rng, rng.uniform(0.06, 0.2)), *_emblem(rng)]


def dress(rng: Generator) -> list[Piece]:
    """Narrow, longer than wide; a skirt straight or flared; sleeves of any length."""
    width, length = rng.uniform(0.26, 0.4), rng.choice([0, 0.35, 0.5, 1.2])
    pieces = _top(rng, width, length, rng.uniform(0.9, 1), rng.uniform(0.9, 1.9))
    belt = Piece([(-width * 0.9, 0), (width * 0.9, 0)], rng.choice([0.4, 1, 1, 1.2]), 0.08)
    return [*pieces, belt, _neckline(rng, rng.uniform(0.1, 0.4))]


def coat(rng: Generator) -> list[Piece]:
    """Long sleeves, large lapels, a dark opening all the way down, pockets."""
    width, hem = rng.uniform(0.42, 0.6), rng.uniform(0.8, 1)
    pieces = _top(rng, width, rng.uniform(1.2, 1.6), hem, rng.uniform(0.95, 1.15))
    pieces += _collar(rng.uniform(0.25, 0.6), rng.uniform(0.75, 1.15))
    opening = [(0, -0.5), (rng.uniform(-0.08, 0.08), hem)]
    pocket = [(width * 0.35, rng.uniform(0.2, 0.5)), (width * 0.8, rng.uniform(0.2, 0.4))]
    shade = rng.choice([0.6, 1])
    pieces += [Piece(pocket, shade, 0.06), Piece(_flip(pocket), shade, 0.06)]
    return [*pieces, Piece(opening, rng.uniform(0.1, 0.6), rng.uniform(0.05, 0.1))]


def sandal(rng: Generator) -> list[Piece]:
    """Flat, on a sole or on a stiletto; straps, and black between them."""
    heel, sole = rng.choice([0, 0.12, 0.75]), rng.uniform(0.1, 0.22)
    floor = rng.uniform(0.35, 0.6) + 0.3 * heel
    ball, back = floor - sole, floor - sole - heel  # heights of the two ends of the foot
    foot = [(-0.95, ball + 0.05), (-0.3, ball), (0.85, back), (0.85, back + sole), (-0.2, floor)]
    stiletto = [(0.6, back), (0.85, back), (0.82, floor), (0.72, floor)]
    pieces = [Piece([*foot, (-0.9, floor)], rng.uniform(0.5, 1)), Piece(stiletto)]
    for x in rng.uniform(-0.65, 0.3, rng.integers(1, 4)):
        strap = _arc(x, ball - max(0, x + 0.2) * heel, rng.uniform(0.12, 0.3), 0.35, 0.5)
        pieces.append(Piece(strap, rng.uniform(0.6, 1), rng.uniform(0.06, 0.14)))
    ankle = back - rng.uniform(0.3, 0.5)
    loop = [(0.8, back), (0.82, ankle), (0.35, ankle - 0.05), (-0.1, ball)]
    return pieces + [Piece(loop, 0.9, rng.uniform(0.06, 0.12))] * int(rng.random() < 0.6)


def shirt(rng: Generator) -> list[Piece]:
    """Sleeves short or long, a small collar, a row of buttons."""
    hem, length = rng.uniform(0.85, 1), rng.choice([0.55, 0.75, 1.35, 1.5])
    pieces = _top(rng, rng.uniform(0.42, 0.58), length, hem)
    pieces += _collar(rng.uniform(0.12, 0.3), rng.uniform(0.85, 1.2))
    shade, size = rng.choice([0.35, 0.55, 1.35]), rng.uniform(0.055, 0.08)
    buttons = np.arange(-0.6, hem, rng.uniform(0.22, 0.36))
    return pieces + [Piece(_arc(0, y, size, size), shade) for y in buttons]


def _shoe(rng: Generator, floor: float, cuff: float, ankle: float, front: float) -> Piece:
    """The upper of a closed shoe, toe to the left; its leg, if any, is above the ankle."""
    toe = floor - rng.uniform(0.22, 0.36)
    upper = [(-0.95, floor), (-0.94, (toe + floor) / 2), (-0.8, toe), (-0.45, toe - 0.08)]
    upper += [(front - 0.1, ankle), (front, cuff), ((front + 0.85) / 2, cuff + 0.06)]
    heel = [(0.85, cuff), (0.82, ankle), (0.93, floor - 0.2), (0.9, floor)]
    return Piece(upper + heel)


def sneaker(rng: Generator) -> list[Piece]:
    """Low, some high; a sole of another colour, laces, the maker's stripe."""
    floor, sole = rng.uniform(0.4, 0.6), rng.uniform(0.1, 0.2)
    cuff = floor - rng.choice([0.6, 0.7, 1.0]) - rng.uniform(0, 0.1)
    front = rng.uniform(0.05, 0.35)
    edge = [(-0.97, floor - sole), (0.95, floor - sole), (0.95, floor), (-0.9, floor)]
    pieces = [_shoe(rng, floor, cuff, cuff + 0.12, front)]
    pieces.append(Piece(edge, rng.choice([0.4, 0.7, 1.3])))
    for t in np.linspace(0.2, 0.9, rng.integers(2, 5)):  # laces, from the toe to the tongue
        x, y = t * (front + 0.45) - 0.45, floor - 0.35 - t * (floor - 0.35 - cuff)
        pieces.append(Piece([(x, y), (x + 0.12, y + 0.16)], rng.choice([0.5, 1.3]), 0.06))
    x, lean = rng.uniform(-0.1, 0.4), rng.uniform(-0.3, 0.3)
    stripe = Piece([(x, floor - sole), (x + lean, floor - 0.45)], 0.5, 0.12)
    return pieces + [stripe] * int(rng.random() < 0.6)


def bag(rng: Generator) -> list[Piece]:
    """A box or a trapezium, with or without a handle, a flap and a clasp."""
    top, bottom = rng.uniform(-0.5, 0), rng.uniform(0.5, 0.95)
    wide, bend = rng.uniform(0.55, 0.95), rng.uniform(0.02, 0.2)
    rim = min(0.95, wide * rng.uniform(0.75, 1.1))
    side = [(rim - bend, top), (rim, top + bend), (wide, bottom - bend), (wide - bend, bottom)]
    handle = _arc(0, top, rng.uniform(0.2, 0.9) * rim, rng.uniform(0.1, 0.95 + top), 0.5)
    pieces = [Piece(handle, 0.9, rng.uniform(0.05, 0.12))] * int(rng.random() < 0.8)
    pieces.append(Piece(side + _flip(side)))
    y, shade = top + rng.uniform(0.15, 0.6) * (bottom - top), rng.choice([0.5, 0.7, 1])
    flap = [(rim, top + bend), (wide * 0.6, y)]
    clasp = Piece(_arc(0, y, 0.09, 0.09), rng.choice([0.3, 1, 1.3]))
    return [*pieces, Piece(flap + _flip(flap), shade, 0.06), clasp]


def ankle_boot(rng: Generator) -> list[Piece]:
    """As a high sneaker, or higher, or on a heel; some have a zip."""
    heel, floor = rng.choice([0.1, 0.18, 0.45]), rng.uniform(0.55, 0.75)
    arch, front = floor - heel, rng.uniform(0.0, 0.35)
    cuff = max(arch - rng.choice([0.8, 1.0, 1.3]) - rng.uniform(0, 0.1), -0.98)
    sole = [(-0.97, arch), (-0.1, arch), (-0.5, floor), (-0.9, floor)]
    block = [(rng.uniform(0.3, 0.65), arch), (0.92, arch), (0.88, floor), (0.6, floor)]
    if heel < 0.3:  # flat: the sole runs on to the heel
        sole[1:3] = [(0.94, arch), (0.94, floor)]
    x, shade = rng.uniform(0.35, 0.6), rng.choice([0.5, 0.7, 1])
    zipper, trim = Piece([(x, cuff), (x + 0.05, arch)], shade, 0.1), rng.choice([0.6, 1])
    upper = _shoe(rng, arch, cuff, max(cuff + 0.12, arch - 0.6), front)
    return [upper, Piece(sole, trim), Piece(block, trim), zipper]


GARMENTS = (t_shirt, trouser, pullover, dress, coat, sandal, shirt, sneaker, bag, ankle_boot)
LEATHER = (sandal, sneaker, ankle_boot)


def _cloth(rng: Generator, plain: bool) -> np.ndarray:
    """Brightness [28, 28] of a cloth in soft folds: plain, striped, checked or printed."""
    folds = 1 + 0.1 * np.sin(COLUMNS * rng.uniform(2, 8) + ROWS * rng.uniform(-3, 3))
    across, down = (np.sin(axis * rng.uniform(8, 26)) > 0.2 for axis in (ROWS, COLUMNS))
    spots = rng.random((SIZE // 2, SIZE // 2)).repeat(2, 0).repeat(2, 1)
    patterns = (0.0, across, down, (across + 1.0 * down) / 2, spots)
    pattern = patterns[0 if plain else rng.choice(5, p=[0.6, 0.12, 0.05, 0.08, 0.15])]
    return rng.uniform(0.35, 0.95) ** 0.7 * folds * (1 - rng.uniform(0.15, 0.6) * pattern)


def _picture(label: int, rng: Generator) -> np.ndarray:
    """Lays the pieces down in order, a little turned, stretched and shifted, and lights them."""
    angle = rng.normal(0, 0.04)
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    axes = rng.uniform(0.88, 1.04, (2, 1)) * UNIT * turn
    middle = OVERSAMPLING * (SIZE / 2 + rng.normal(0, 0.9, 2))
    image = Image.new("L", (SIZE * OVERSAMPLING, SIZE * OVERSAMPLING))
    pen = ImageDraw.Draw(image)
    for points, shade, width in GARMENTS[label](rng):
        at = (np.array(points) @ axes + middle).ravel().tolist()
        if width:
            pen.line(at, round(CLOTH * shade), round(width * UNIT), joint="curve")
        else:
            pen.polygon(at, round(CLOTH * shade))
    light = np.asarray(image.reduce(OVERSAMPLING)) * (255 / CLOTH)
    # The background is an even black, as it is in the corpus: only cloth has grain.
    light *= _cloth(rng, plain=GARMENTS[label] in LEATHER) * rng.normal(1, 0.05, (SIZE, SIZE))
    return light.clip(0, 255).astype(np.uint8)


def draw(labels: np.ndarray, seed: int) -> np.ndarray:
    """Draws one garment a label.

    A picture depends on its label, its position and the seed, and on no other picture.

    Args:
        labels: Classes 0 to 9, in the order of Fashion-MNIST, [n].
        seed: Seed of all that varies within a class; not negative.

    Returns:
        Grey pictures, bright on black, uint8 [n, 28, 28].
    """
    pictures = np.zeros((len(labels), SIZE, SIZE), dtype=np.uint8)
    for index, label in enumerate(labels):
        rng = default_rng(SeedSequence(seed, spawn_key=(index,)))
        pictures[index] = _picture(label, rng)
    return pictures


@written_once
def write(folder: Path, *, num_train: int = 6000, num_test: int = 1000, seed: int = 0) -> None:
    """Writes the stand-in as Fashion-MNIST's four files, whole or not at all.

    It is made in a folder beside `folder`, which gets its name last; several processes may call
    this at once, the first one draws. If `folder` exists, nothing is done.

    Args:
        folder: Gets {train,t10k}-{images-idx3,labels-idx1}-ubyte.gz.
        num_train: Training pictures, as many of each class as of any other, shuffled.
        num_test: Test pictures, likewise.
        seed: Equal seeds give equal bytes.
    """
    folder.mkdir()
    # Two seeds a stand-in, so that the test pictures do not depend on num_train.
    splits = (("train", num_train, 2 * seed), ("t10k", num_test, 2 * seed + 1))
    for split, count, split_seed in splits:
        labels = (np.arange(count) % len(GARMENTS)).astype(np.uint8)
        labels = default_rng(SeedSequence(split_seed)).permutation(labels)
        write_idx(folder / f"{split}-images-idx3-ubyte.gz", draw(labels, split_seed))
        write_idx(folder / f"{split}-labels-idx1-ubyte.gz", labels)
