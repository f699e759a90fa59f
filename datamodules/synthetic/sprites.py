"""Sprites: a mouse, a banana and a ladybird, put into drawn places, and the boxes around them.

As in the corpora, a sprite is the same creature each time, at any place, of any size and a little
turned, before meadows, seas and rooms whose things come in all colours, its own among them. Written
in the forms of MXNet's records, a table of pixels, COCO's JSON, YOLO's lines and VOC's XML.
"""

import io
import json
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree

import numpy as np
from numpy.random import Generator, default_rng
from PIL import Image, ImageChops

from datamodules.files.staging import written_once
from datamodules.formats import record_io
from datamodules.synthetic.canvas import OVERSAMPLING, Canvas, Color, shaded, tinted

SIZE = 128
COUNTS = {"train": 96, "test": 24}
CATEGORIES = {3: "mouse", 8: "banana", 21: "ladybird"}  # as in COCO, the ids leave gaps
NUMBERS = (1, 2, 1, 3, 0, 2)  # of sprites in a picture of several, in turn
FUR, TIP, CHEEK, DARK = (246, 206, 62), (70, 48, 36), (226, 84, 66), (34, 26, 24)
PEEL, SHELL, WHITE = (238, 208, 60), (208, 42, 36), (252, 250, 244)
PLACES: tuple[tuple[Color, Color], ...] = (
    *(((150, 190, 230), (96, 146, 78)), ((176, 204, 224), (66, 108, 156))),
    *(((206, 196, 182), (140, 100, 72)), ((158, 160, 170), (104, 104, 108))),
)


class Sprite(NamedTuple):
    """What was put into a picture.

    Attributes:
        kind: Number of the kind.
        box: Left, top, right, bottom in pixels; between pixels, to a third of one.
    """

    kind: int
    box: tuple[float, float, float, float]


def _place(rng: Generator, size: tuple[int, int]) -> Canvas:
    """What is above and below a horizon, and things all over."""
    above, below = PLACES[rng.integers(len(PLACES))]
    canvas = Canvas(*size, tinted(rng, above, 22))
    reach, horizon = canvas.reach, rng.uniform(-0.3, 0.5)
    wide, deep = reach
    ground = tinted(rng, below, 22)
    canvas.shape(ground, [(-wide, horizon), (wide, horizon), (wide, deep), (-wide, deep)])
    for _ in range(int(rng.integers(6, 13))):
        x, y = rng.uniform(-wide, wide), rng.uniform(-deep, deep)
        canvas.move(x, y, rng.uniform(0.1, 0.4), rng.uniform(-0.3, 0.3))
        _thing(rng, canvas, above if y < horizon else below)
    canvas.move()
    return canvas


def _thing(rng: Generator, canvas: Canvas, color: Color) -> None:
    """A cloud, a box, a pole, a tent or a ball; one in three of any colour."""
    if rng.random() < 0.35:
        red, green, blue = rng.integers(30, 236, 3).tolist()
        color = (red, green, blue)
    color = tinted(rng, color, 30)
    kind = rng.integers(5)
    if kind == 0:
        for x in (-0.5, 0, 0.5):
            canvas.disc(color, x, rng.uniform(-0.15, 0.15), 0.5, 0.35)
    elif kind == 1:
        canvas.shape(color, [(-0.6, -0.5), (0.6, -0.5), (0.6, 0.5), (-0.6, 0.5)])
        canvas.shape(shaded(color, 0.7), [(-0.6, 0.3), (0.6, 0.3), (0.6, 0.5), (-0.6, 0.5)])
    elif kind == 2:
        canvas.stroke(shaded(color, 0.6), [(0, -0.9), (0, 0.9)], 0.16)
    elif kind == 3:
        canvas.shape(color, [(0, -0.7), (0.7, 0.5), (-0.7, 0.5)])
        canvas.shape(shaded(color, 0.75), [(0, -0.7), (0.7, 0.5), (0.2, 0.5)])
    else:
        canvas.disc(color, 0, 0, 0.45, 0.45)
        canvas.disc(shaded(color, 1.25), -0.15, -0.15, 0.14, 0.14)


def mouse(rng: Generator, canvas: Canvas) -> None:
    """Yellow, upright, with long ears, dark at their ends, red cheeks and a tail in zigzag."""
    fur, dim = tinted(rng, FUR, 5), shaded(FUR, 0.82)
    canvas.shape(dim, [(0.3, 0.62), (0.62, 0.3), (0.52, 0.2), (0.98, -0.3), (0.9, 0.3), (0.4, 0.8)])
    for side in (-1, 1):
        canvas.disc(dim, 0.26 * side, 0.86, 0.2, 0.1)
        canvas.shape(fur, [(0.14 * side, -0.5), (0.5 * side, -1), (0.46 * side, -0.3)])
        canvas.shape(TIP, [(0.37 * side, -0.82), (0.5 * side, -1), (0.49 * side, -0.7)])
    canvas.disc(fur, 0, 0.44, 0.46, 0.46)
    canvas.disc(shaded(FUR, 1.12), 0, 0.5, 0.27, 0.3)
    canvas.disc(fur, 0, -0.22, 0.52, 0.42)
    for side in (-1, 1):
        canvas.disc(dim, 0.36 * side, 0.3, 0.11, 0.17)
        canvas.disc(CHEEK, 0.36 * side, -0.08, 0.12, 0.11)
        canvas.disc(DARK, 0.21 * side, -0.28, 0.09, 0.11)
        canvas.disc(WHITE, 0.19 * side, -0.32, 0.035, 0.04)
    canvas.disc(DARK, 0, -0.16, 0.04, 0.03)
    canvas.stroke(TIP, [(-0.1, -0.06), (0, -0.02), (0.1, -0.06)], 0.035)


def banana(rng: Generator, canvas: Canvas) -> None:
    """Bent, with a stalk, an edge and a few spots."""
    peel = tinted(rng, PEEL, 5)
    turns = np.linspace(0.15 * math.pi, 0.85 * math.pi, 15)
    outer = [(0.98 * math.cos(t), 1.15 * math.sin(t) - 0.55) for t in turns]
    inner = [(0.9 * math.cos(t), 0.62 * math.sin(t) - 0.45) for t in turns]
    middle = [((x + u) / 2, (y + v) / 2) for (x, y), (u, v) in zip(outer, inner, strict=True)]
    canvas.stroke(shaded(PEEL, 0.6), [outer[0], (outer[0][0] + 0.08, outer[0][1] - 0.3)], 0.14)
    canvas.shape(shaded(peel, 0.85), [*outer, *reversed(inner)])
    canvas.shape(peel, [*middle, *reversed(inner)])
    canvas.stroke(shaded(peel, 1.15), middle[2:-2], 0.05)
    canvas.disc(TIP, *outer[-1], 0.09, 0.08)
    for x, y in (outer[5], middle[8], outer[10]):
        canvas.disc(shaded(PEEL, 0.55), x, y - 0.12, 0.05, 0.03)


def ladybird(rng: Generator, canvas: Canvas) -> None:
    """Red, with a dark head, seven dots and six legs."""
    for side in (-1, 1):
        for y in (-0.3, 0.1, 0.5):
            canvas.stroke(DARK, [(0.5 * side, y), (0.9 * side, y + 0.12)], 0.09)
        canvas.stroke(DARK, [(0.15 * side, -0.75), (0.34 * side, -0.98)], 0.06)
    canvas.disc(DARK, 0, -0.6, 0.38, 0.3)
    shell = tinted(rng, SHELL, 5)
    canvas.disc(shaded(shell, 0.75), 0, 0.17, 0.7, 0.76)
    canvas.disc(shell, -0.02, 0.14, 0.66, 0.71)
    canvas.stroke(DARK, [(0, -0.5), (0, 0.86)], 0.05)
    for x, y in ((0, -0.4), *((0.36 * s, h) for s in (-1, 1) for h in (-0.16, 0.22, 0.56))):
        canvas.disc(DARK, x, y, 0.12, 0.12)
    for side in (-1, 1):
        canvas.disc(WHITE, 0.2 * side, -0.68, 0.09, 0.09)


KINDS: tuple[Callable[[Generator, Canvas], None], ...] = (mouse, banana, ladybird)


def draw(
    rng: Generator, kinds: list[int], size: tuple[int, int] = (SIZE, SIZE)
) -> tuple[Image.Image, list[Sprite]]:
    """A picture with a sprite of each of these kinds, none of which hides another.

    Args:
        rng: Draws the place, and where the sprites are.
        kinds: Numbers of kinds, any number of them.
        size: Width and height in pixels.
    """
    canvas = _place(rng, size)
    wide, deep = canvas.reach
    sprites: list[Sprite] = []
    taken: list[tuple[float, float, float]] = []
    for kind in kinds:
        while True:
            scale = rng.uniform(0.2, 0.42 if len(kinds) < 2 else 0.32)
            room = 1.1 * scale
            x, y = rng.uniform(room - wide, wide - room), rng.uniform(room - deep, deep - room)
            if all(math.hypot(x - u, y - v) > 1.2 * (scale + other) for u, v, other in taken):
                break
        taken.append((x, y, scale))
        before = canvas.picture.copy()
        canvas.move(x, y, scale, rng.normal(0, 0.12))
        KINDS[kind](rng, canvas)
        changed = ImageChops.difference(before, canvas.picture).getbbox() or (0, 0, 0, 0)
        left, top, right, bottom = (round(edge / OVERSAMPLING, 2) for edge in changed)
        sprites.append(Sprite(kind, (left, top, right, bottom)))
    return canvas.photographed(rng), sprites


@written_once
def write_records(folder: Path) -> None:
    """Writes `train.rec` and `val.rec`, with a mouse in each picture, whole or not at all."""
    folder.mkdir()
    for seed, (name, count) in enumerate(zip(("train", "val"), COUNTS.values(), strict=True)):
        contents = []
        for number in range(count):
            picture, (sprite,) = draw(default_rng((seed, number)), [0])
            file = io.BytesIO()
            picture.save(file, "JPEG", quality=90)
            place = [edge / SIZE for edge in sprite.box]
            labels = [4, 5, SIZE, SIZE, sprite.kind, *place]  # as MXNet's own tool writes them
            contents.append(record_io.packed(labels, file.getvalue(), number))
        record_io.write_records(folder / f"{name}.rec", contents)


@written_once
def write_table(folder: Path) -> None:
    """Writes `bananas_{train,val}/label.csv` and their pictures, whole or not at all."""
    for seed, (name, count) in enumerate(zip(("train", "val"), COUNTS.values(), strict=True)):
        place = folder / f"bananas_{name}"
        (place / "images").mkdir(parents=True)
        lines = ["img_name,label,xmin,ymin,xmax,ymax"]
        for number in range(count):
            picture, (sprite,) = draw(default_rng((2 + seed, number)), [1])
            picture.save(place / "images" / f"{number}.png")
            lines.append(",".join(map(str, (f"{number}.png", 0, *map(round, sprite.box)))))
        (place / "label.csv").write_text("\n".join([*lines, ""]))


@written_once
def write_coco(folder: Path) -> None:
    """Writes `train.json`, `test.json` and `pictures`, with 0 to 3 sprites in each."""
    (folder / "pictures").mkdir(parents=True)
    ids = list(CATEGORIES)
    for part in COUNTS:
        images, annotations = [], []
        for number, (picture, sprites) in enumerate(_several(part)):
            name = f"{part}_{number}.jpg"
            picture.save(folder / "pictures" / name, quality=90)
            size = dict(zip(("width", "height"), picture.size, strict=True))
            images.append({"id": number, "file_name": name, **size})
            annotations += [_annotation(sprite, number, ids) for sprite in sprites]
        # From 1: COCO's own evaluation takes the id 0 for no annotation.
        numbered = [{"id": row, **entry} for row, entry in enumerate(annotations, start=1)]
        categories = [{"id": key, "name": name} for key, name in CATEGORIES.items()]
        content = {"images": images, "annotations": numbered, "categories": categories}
        (folder / f"{part}.json").write_text(json.dumps(content))


@written_once
def write_yolo(folder: Path) -> None:
    """Writes `data.yaml` and `{images,labels}/{train,test}`, with 0 to 3 sprites in a picture."""
    for part in COUNTS:
        for place in ("images", "labels"):
            (folder / place / part).mkdir(parents=True)
        for number, (picture, sprites) in enumerate(_several(part)):
            picture.save(folder / "images" / part / f"{number}.jpg", quality=90)
            lines = []
            for kind, (left, top, right, bottom) in sprites:
                middle = (left + right) / 2, (top + bottom) / 2
                values = zip((*middle, right - left, bottom - top), picture.size * 2, strict=True)
                lines.append(" ".join([str(kind), *(f"{v / side:.6f}" for v, side in values)]))
            if lines:  # as tools do, nothing for a picture of nothing
                text = "\n".join([*lines, ""])
                (folder / "labels" / part / f"{number}.txt").write_text(text)
    entries = [f"  {index}: {name}" for index, name in enumerate(CATEGORIES.values())]
    parts = [f"{part}: images/{part}" for part in COUNTS]
    (folder / "data.yaml").write_text("\n".join([*parts, "val:", "names:", *entries, ""]))


@written_once
def write_voc(folder: Path) -> None:
    """Writes `Annotations`, `JPEGImages` and `ImageSets/Main`, with 0 to 3 sprites in a picture."""
    for name in ("Annotations", "JPEGImages", "ImageSets/Main"):
        (folder / name).mkdir(parents=True)
    names = list(CATEGORIES.values())
    for part, count in COUNTS.items():
        for number, (picture, sprites) in enumerate(_several(part)):
            picture.save(folder / "JPEGImages" / f"{part}_{number}.jpg", quality=90)
            root = ElementTree.Element("annotation")
            ElementTree.SubElement(root, "filename").text = f"{part}_{number}.jpg"
            size = ElementTree.SubElement(root, "size")
            for side, pixels in zip(("width", "height", "depth"), (*picture.size, 3), strict=True):
                ElementTree.SubElement(size, side).text = str(pixels)
            for kind, (left, top, right, bottom) in sprites:
                entry = ElementTree.SubElement(root, "object")
                ElementTree.SubElement(entry, "name").text = names[kind]
                place = ElementTree.SubElement(entry, "bndbox")
                edges = {"xmin": left + 1, "ymin": top + 1, "xmax": right, "ymax": bottom}
                for edge, value in edges.items():  # pixels count from 1
                    ElementTree.SubElement(place, edge).text = str(round(value))
            ElementTree.ElementTree(root).write(folder / "Annotations" / f"{part}_{number}.xml")
        lines = [f"{part}_{number}" for number in range(count)]
        (folder / "ImageSets/Main" / f"{part}.txt").write_text("\n".join([*lines, ""]))


def _several(part: str) -> Iterator[tuple[Image.Image, list[Sprite]]]:
    """Pictures of a part, square and wide, with 0 to 3 sprites in each."""
    for number in range(COUNTS[part]):
        rng = default_rng((4 + list(COUNTS).index(part), number))
        size = ((SIZE, SIZE), (SIZE, 3 * SIZE // 4))[number % 2]
        kinds = rng.integers(len(KINDS), size=NUMBERS[number % len(NUMBERS)]).tolist()
        yield draw(rng, kinds, size)


def _annotation(sprite: Sprite, image: int, ids: list[int]) -> dict:
    left, top, right, bottom = sprite.box
    width, height = round(right - left, 2), round(bottom - top, 2)
    return {
        "image_id": image,
        "category_id": ids[sprite.kind],
        "bbox": [left, top, width, height],
        "area": round(width * height, 2),
        "iscrowd": 0,
    }
