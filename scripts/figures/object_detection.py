"""Topic 25: boxes, how much they overlap, which of them find what, and which of them are left."""

from functools import cache
from typing import Any

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from numpy import asarray
from numpy.random import default_rng
from torch import Tensor
from torchvision.ops import box_iou
from torchvision.transforms.functional import pil_to_tensor

from datamodules.synthetic.canvas import Canvas, Color, shaded
from scripts.figures.runs import Runs
from scripts.figures.style import BLUE, COLORS, GREY, INK, NOTE, ORANGE, POINT, PURPLE, mark, sheet
from zoo.object_detection.anchors import Placement, anchors_of, encode, targets_of
from zoo.object_detection.detections import detect
from zoo.object_detection.pictures import rectangle

TOPIC = (25, "Object detection")
WIDTH, HEIGHT = 728, 561  # of the course's picture of a dog and a cat
SIZES, RATIOS = (0.75, 0.5, 0.25), (1.0, 2.0, 0.5)
ASPECT = WIDTH / HEIGHT
NAMES, OF_NAMES = ("dog", "cat"), (BLUE, ORANGE)
SMALL = (0.2,)
# The course's dog and cat, five anchors, and four boxes that a detector might have found.
THERE = torch.tensor([[0.1, 0.08, 0.52, 0.92], [0.55, 0.2, 0.9, 0.88]])
FIVE = torch.tensor(
    [
        [0.0, 0.1, 0.2, 0.3],
        [0.15, 0.2, 0.4, 0.4],
        [0.63, 0.05, 0.88, 0.98],
        [0.66, 0.45, 0.8, 0.8],
        [0.57, 0.3, 0.92, 0.9],
    ]
)
FOUND = torch.tensor(
    [
        [0.1, 0.08, 0.52, 0.92],
        [0.08, 0.2, 0.56, 0.95],
        [0.15, 0.3, 0.62, 0.91],
        [0.55, 0.2, 0.9, 0.88],
    ]
)
CHANCES = torch.tensor([[0.0, 0.9, 0.1], [0.0, 0.8, 0.2], [0.0, 0.7, 0.3], [0.0, 0.1, 0.9]])
CELL: dict[str, Any] = {"fontsize": 9, "va": "center"}
COLUMNS = (3.2, 3.95, 4.7, 5.5)  # of offsets, where they end
WHITE, DARK = (250, 248, 244), (44, 36, 34)


# The picture


@cache
def scene() -> Tensor:
    """A dog and a cat, drawn to fill their boxes, as bytes (3, 561, 728)."""
    canvas = Canvas(WIDTH, HEIGHT, (206, 218, 226))
    wide, deep = canvas.reach
    canvas.shape((190, 202, 168), [(-wide, 0.42), (wide, 0.42), (wide, deep), (-wide, deep)])
    for draw, box in zip((_dog, _cat), THERE.tolist(), strict=True):
        left, top, right, bottom = box
        canvas.move(wide * (left + right - 1), deep * (top + bottom - 1), deep * (bottom - top))
        draw(canvas)
    return pil_to_tensor(canvas.photographed(default_rng(3)))


def _dog(canvas: Canvas) -> None:
    """Sits, brown, with hanging ears; within 0.65 from left to right and 1 from top to bottom."""
    coat, light = (176, 124, 78), (232, 208, 174)
    canvas.disc((150, 164, 128), 0, 0.93, 0.65, 0.07)
    canvas.stroke(shaded(coat, 0.75), [(0.4, 0.75), (0.58, 0.6), (0.59, 0.4)], 0.11)
    _sitting(canvas, coat, light)
    for side in (-1, 1):
        canvas.disc(shaded(coat, 0.62), 0.48 * side, -0.42, 0.165, 0.42)
    canvas.disc(coat, 0, -0.5, 0.44, 0.5)
    canvas.shape(light, [(-0.07, -0.98), (0.07, -0.98), (0.14, -0.4), (-0.14, -0.4)])
    canvas.disc(light, 0, -0.28, 0.27, 0.23)
    for side in (-1, 1):
        canvas.disc(DARK, 0.19 * side, -0.6, 0.065, 0.075)
        canvas.disc(WHITE, 0.19 * side + 0.02, -0.63, 0.02, 0.02)
    canvas.disc((214, 112, 116), 0, -0.12, 0.09, 0.12)
    canvas.stroke(shaded(light, 0.5), [(-0.13, -0.2), (0, -0.16), (0.13, -0.2)], 0.025)
    canvas.disc(DARK, 0, -0.38, 0.11, 0.08)


def _cat(canvas: Canvas) -> None:
    """Sits, grey, with pricked ears and whiskers; as wide and as high as the dog."""
    coat, light = (134, 138, 150), (226, 226, 230)
    canvas.disc((150, 164, 128), 0, 0.93, 0.66, 0.07)
    tail = [(0.36, 0.84), (0.56, 0.74), (0.58, 0.5), (0.5, 0.36)]
    canvas.stroke(shaded(coat, 0.75), tail, 0.14)
    _sitting(canvas, coat, light)
    for side in (-1, 1):
        canvas.shape(coat, [(0.08 * side, -0.72), (0.44 * side, -1), (0.5 * side, -0.4)])
        canvas.shape(
            (214, 158, 156), [(0.2 * side, -0.75), (0.4 * side, -0.9), (0.42 * side, -0.6)]
        )
    canvas.disc(coat, 0, -0.4, 0.5, 0.41)
    for x in (-0.12, 0, 0.12):
        canvas.stroke(shaded(coat, 0.65), [(x, -0.78), (0.8 * x, -0.64)], 0.05)
    canvas.disc(light, 0, -0.22, 0.22, 0.15)
    for side in (-1, 1):
        canvas.disc((196, 206, 96), 0.22 * side, -0.44, 0.1, 0.09)
        canvas.disc(DARK, 0.22 * side, -0.44, 0.035, 0.085)
        for y in (-0.26, -0.19):
            canvas.stroke(WHITE, [(0.16 * side, -0.22), (0.62 * side, y - 0.02)], 0.014)
    canvas.shape((202, 118, 122), [(-0.06, -0.31), (0.06, -0.31), (0, -0.24)])
    canvas.stroke(DARK, [(-0.1, -0.17), (0, -0.2), (0.1, -0.17)], 0.02)


def _sitting(canvas: Canvas, coat: Color, light: Color) -> None:
    """What both have below their heads."""
    canvas.disc(shaded(coat, 0.85), 0, 0.42, 0.46, 0.5)
    for side in (-1, 1):
        canvas.disc(shaded(coat, 0.75), 0.4 * side, 0.74, 0.22, 0.22)
        canvas.disc(light, 0.46 * side, 0.93, 0.17, 0.07)
    canvas.disc(light, 0, 0.34, 0.22, 0.34)
    for side in (-1, 1):
        canvas.stroke(coat, [(0.17 * side, 0.3), (0.17 * side, 0.85)], 0.2)
        canvas.disc(light, 0.18 * side, 0.93, 0.14, 0.07)


def _show(panel: Axes, faint: float = 0.0) -> None:
    """Shows the picture, whitened by a share, without axes."""
    panel.imshow(asarray(scene().movedim(0, -1) / 255 * (1 - faint) + faint))
    panel.set_axis_off()


def _draw(panel: Axes, box: Tensor, color: str, text: str = "", **style: Any) -> None:
    """Draws a box of fractions; its text is at its upper left corner."""
    patch = rectangle(scene(), box, color)
    patch.set(**style)
    panel.add_patch(patch)
    if text:
        panel.annotate(
            text,
            patch.get_xy(),
            xytext=(3, -3),
            textcoords="offset points",
            verticalalignment="top",
            fontsize=8,
            color="white",
            bbox={"facecolor": color, "edgecolor": "none", "pad": 1.5},
            zorder=4,
        )


# The figures


def anchors(runs: Runs) -> Figure:
    """Five boxes around a pixel, from which objects are to be found.

    Left, as in the course, sides are fractions of the width and of the height: in a picture that is
    no square, a box of ratio 1 is none either. In the middle, sizes are fractions of the height and
    ratios are those of pixels. Right, one anchor of each pixel of a small map: around the corners
    of the pixels, as in the course, they all lean to the upper left; around the centres they cover
    the picture evenly.

    Made from `zoo.object_detection.anchors.anchors_of` with sizes of 0.75, 0.5 and 0.25 and ratios
    of 1, 2 and 0.5 at pixel (250, 250) of 561 x 728, and with a size of 0.2 on a map of 4 x 4.
    """
    figure, panels = sheet(1, 3, 2.7)
    kinds = [(size, RATIOS[0]) for size in SIZES] + [(SIZES[0], ratio) for ratio in RATIOS[1:]]
    placements: tuple[tuple[str, Placement, float], ...] = (
        ("sides as fractions", "corner", 1.0),
        ("sides in pixels", "centre", ASPECT),
    )
    for panel, (title, placement, aspect) in zip(panels, placements, strict=False):
        _show(panel, 0.35)
        found = anchors_of(HEIGHT, WIDTH, SIZES, RATIOS, placement, aspect)
        for (size, ratio), color, box in zip(
            kinds, COLORS, found.view(HEIGHT, WIDTH, 5, 4)[250, 250], strict=True
        ):
            _draw(panel, box, color, f"{size:g}, {ratio:g}")
        panel.plot(250, 250, color=INK, **POINT)
        panel.set(xlim=(-0.2 * WIDTH, WIDTH), ylim=(HEIGHT, -0.11 * HEIGHT))
        panel.set(title=f"{title}: size, ratio")
    _show(panels[2], 0.35)
    for share in range(5):
        panels[2].axvline(share * WIDTH / 4 - 0.5, color="white", linewidth=0.8)
        panels[2].axhline(share * HEIGHT / 4 - 0.5, color="white", linewidth=0.8)
    for color, word, placement in ((ORANGE, "corners", "corner"), (BLUE, "centres", "centre")):
        found = anchors_of(4, 4, SMALL, RATIOS[:1], placement, ASPECT)
        for box in found:
            _draw(panels[2], box, color)
        x, y = ((found[:, :2] + found[:, 2:]) / 2).T
        panels[2].plot(x * WIDTH, y * HEIGHT, color=color, label=word, **{**POINT, "ms": 5})
    panels[2].set(xlim=(-0.2 * WIDTH, WIDTH), ylim=(HEIGHT, -0.11 * HEIGHT), title="a map of 4 x 4")
    panels[2].legend(loc="upper right", bbox_to_anchor=(1, -0.01), ncols=2, handletextpad=0)
    return figure


def overlaps(runs: Runs) -> Figure:
    """The area that two boxes share, by the area that they cover together.

    That is what an overlap is: 0 for boxes that do not touch, 1 for the same box, whatever their
    size. It is strict: a square that lies off by a third of its side overlaps the right one by a
    half, which is where most detectors draw the line.

    Made from `torchvision.ops.box_iou` of the course's five anchors, each with the box of the dog
    or of the cat that it overlaps more, and of a square and the same square moved.
    """
    figure, panels = sheet(2, 3, 4.4)
    values, owners = box_iou(FIVE, THERE).max(1)
    for number, (panel, anchor, value, owner) in enumerate(
        zip(panels, FIVE, values.tolist(), owners.tolist(), strict=False)
    ):
        box = THERE[owner]
        common = torch.cat([torch.maximum(anchor[:2], box[:2]), torch.minimum(anchor[2:], box[2:])])
        _show(panel, 0.65)
        panel.set_anchor("W")
        for part, color, alpha in ((box, OF_NAMES[owner], 0.15), (common, PURPLE, 0.6)):
            patch = rectangle(scene(), part, color)
            panel.add_patch(patch)
            patch.set(fill=True, facecolor=color, alpha=alpha, linewidth=0)
        _draw(panel, box, OF_NAMES[owner])
        _draw(panel, anchor, INK)
        panel.set(title=f"anchor {number}, {NAMES[owner]}: {value:.4f}")
    moves = torch.linspace(0, 1, 101)
    square, moved = torch.zeros(101, 4), torch.zeros(101, 4)
    square[:, 2:] = 1
    moved[:, 0], moved[:, 2], moved[:, 3] = moves, 1 + moves, 1
    curve = box_iou(square[:1], moved)[0]
    panels[5].plot(moves, curve, color=PURPLE, linewidth=2)
    mark(panels[5], 1 / 3, 0.5, "by a third: 0.5", (52, 14), PURPLE)
    panels[5].set(xlim=(0, 1), ylim=(0, 1.02), title="a square, moved")
    panels[5].set(xlabel="by this share of its side", ylabel="overlap (IoU)")
    return figure


def scales(runs: Runs) -> Figure:
    """Small anchors on a fine map, large ones on a coarse map.

    A pixel of a map late in the network has seen much of the picture and can tell what a large box
    holds; one of an early map has seen little, and there are many. Together the maps look for
    objects of every size with few anchors, where every pixel of the picture would have millions.

    Made from `zoo.object_detection.anchors.anchors_of`: the course's maps and sizes, with ratios of
    1, 2 and 0.5.
    """
    figure, panels = sheet(1, 3, 2.6)
    for panel, side, size in zip(panels, (4, 2, 1), (0.15, 0.4, 0.8), strict=True):
        _show(panel, 0.35)
        found = anchors_of(side, side, [size], RATIOS, aspect=ASPECT)
        for box, color in zip(found, COLORS[:3] * side**2, strict=True):
            _draw(panel, box, color)
        x, y = ((found[:, :2] + found[:, 2:]) / 2).T
        panel.plot(x * WIDTH, y * HEIGHT, color=INK, **{**POINT, "ms": 5})
        panel.set(ylim=(1.08 * HEIGHT, -0.08 * HEIGHT))
        panel.set(title=f"{side} x {side}, size {size:g}: {len(found)} anchors")
    return figure


def targets(runs: Runs) -> Figure:
    """Which anchor is to find what: of five anchors one finds the dog, two the cat.

    Each object gets the anchor that overlaps it most, the best pair of all first (framed), even if
    that overlaps little, as the dog's. Of the other anchors one that overlaps an object by a half
    or more finds it, too. The rest are to say that there is nothing, and their boxes do not count.
    What an anchor should say of a box is how far off its centre is, and by how much it is wider and
    higher.

    Made from the course's boxes by `targets_of` and `encode` of `zoo.object_detection.anchors` and
    `torchvision.ops.box_iou`.
    """
    figure, (left, right) = sheet(1, 2, 2.9, width_ratios=(1, 1.15))
    labels = torch.tensor([[0, 1]])
    found = targets_of(FIVE, THERE[None], labels)
    classes = found.classes[0].tolist()
    _show(left, 0.35)
    for box, color in zip(THERE, OF_NAMES, strict=True):
        _draw(left, box, color, linewidth=5, alpha=0.45)
    for number, (anchor, kind) in enumerate(zip(FIVE, classes, strict=True)):
        color = OF_NAMES[kind - 1] if kind else INK
        _draw(left, anchor, color, f"{number}", linestyle="-" if kind else "--")
    left.set(title="a dog, a cat and five anchors")

    shown = box_iou(FIVE, THERE)
    right.grid(visible=False)
    right.spines[:].set_visible(False)
    right.imshow(shown, cmap="Purples", vmin=0, vmax=1.2, aspect="auto")
    for row, column in ((row, column) for row in range(5) for column in range(2)):
        right.text(column, row, f"{shown[row, column]:.4f}", ha="center", va="center", **NOTE)
    own = targets_of(FIVE, THERE[None], labels, threshold=2.0).classes[0].tolist()
    for row, kind in enumerate(own):
        if kind:
            right.add_patch(Rectangle((kind - 1.48, row - 0.47), 0.96, 0.94, ec=INK, fill=False))
    offsets = iter(encode(FIVE[found.anchor], found.boxes).tolist())
    for row, kind in enumerate(classes):
        color = OF_NAMES[kind - 1] if kind else INK
        right.text(1.65, row, NAMES[kind - 1] if kind else "nothing", color=color, **CELL)
        for x, value in zip(COLUMNS, next(offsets) if kind else (), strict=False):
            right.text(x, row, f"{round(value, 2) + 0:.2f}", ha="right", **CELL)  # 0, not -0
    for x, title in zip(COLUMNS, ("x", "y", "width", "height"), strict=True):
        right.text(x, -0.8, title, ha="right", color=GREY, **CELL)
    for x, title in ((0, "dog"), (1, "cat")):
        right.text(x, -0.8, title, ha="center", color=GREY, **CELL)
    right.set(xlim=(-0.5, COLUMNS[-1]), ylim=(4.5, -1.1), xticks=(), yticks=range(5))
    right.tick_params(length=0)
    right.set(title="overlaps, what each finds, and its offsets", ylabel="anchor")
    return figure


def suppression(runs: Runs) -> Figure:
    """Of boxes that find the same object only the best is left.

    Three boxes are around the dog, and each says so. From the best on, a box goes when it overlaps
    a better one of its class by more than a half (the numbers in brackets); the cat's overlaps
    none.

    Made from the course's four boxes and their probabilities by
    `zoo.object_detection.detections.detect`: left with an overlap of 1, by which none goes, right
    with 0.5; both from a score of 0.5 on.
    """
    figure, panels = sheet(1, 2, 3.4)
    for panel, title, overlap in zip(panels, ("before", "after"), (1.0, 0.5), strict=True):
        (found,) = detect(CHANCES.log()[None], torch.zeros(1, 4, 4), FOUND, 0.5, overlap)
        _show(panel, 0.25)
        best: dict[int, Tensor] = {}
        for box, score, label in zip(*(part for part in found), strict=True):
            first = best.setdefault(int(label), box)
            shared = box_iou(box[None], first[None]).item()
            text = f"{NAMES[int(label)]} {score:.1f}" + (f" ({shared:.2f})" if shared < 1 else "")
            _draw(panel, box, OF_NAMES[int(label)], text)
        panel.set(title=f"{title}: {len(found.boxes)} boxes")
    return figure
