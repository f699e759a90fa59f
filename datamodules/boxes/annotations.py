"""What is said of a picture: a box and a class for each thing in it, and what can be wrong there.

The first fault is an error, or where bad records are to be left out, all are counted.
"""

import math
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import torch

from datamodules.boxes.rows import Boxes
from datamodules.files.errors import CorpusError
from datamodules.pictures.reading import Picture

SLACK = 0.001  # of the side of a picture, by which rounding may carry a box outside; it is cut off

Corners = tuple[float, float, float, float]  # left, top, right, bottom


class Box(NamedTuple):
    """A thing in a picture, not checked yet.

    Attributes:
        where: File and record, for errors.
        corners: Left, top, right, bottom, in the units of the picture's width and height.
        label: Class as the file gives it, by `number`.
        fault: Fault that was found already.
    """

    where: str
    corners: Corners
    label: float
    fault: str = ""


class Annotation(NamedTuple):
    """What a file says of a picture, not checked yet.

    Attributes:
        where: File and record, for errors.
        picture: Path of the picture.
        boxes: Boxes of what is in it, perhaps none.
        width: Width of the picture, in the units of the boxes; 1 if they are fractions.
        height: Likewise.
    """

    where: str
    picture: Picture
    boxes: list[Box]
    width: float = 1
    height: float = 1


class Faults:
    """What is wrong with records: an error at once, or counted.

    Args:
        skip: Whether bad records are counted and left out.
    """

    def __init__(self, skip: bool) -> None:
        self.skip = skip
        self.noted: list[str] = []

    def note(self, fault: str) -> None:
        """Takes note of a fault, or refuses it.

        Raises:
            CorpusError: Bad records are not to be left out.
        """
        if not self.skip:
            raise CorpusError(f"{fault}; to leave out what is bad: --data.skip_bad true")
        self.noted.append(fault)


def gathered(
    annotations: Iterable[Annotation], num_classes: int, faults: Faults
) -> tuple[list[Picture], Boxes]:
    """The pictures and their boxes as fractions, all of them right.

    Of a picture some of whose boxes are bad the others are kept; one all of whose boxes are bad is
    left out, for what is in it would pass for background.

    Args:
        annotations: Annotation of each picture.
        num_classes: Number of classes, which count from 0.
        faults: Takes what is wrong: a picture that is there twice, a box outside of its picture,
            without an area or not of numbers, a class that there is none of.
    """
    pictures: list[Picture] = []
    corners: list[Corners] = []
    labels: list[int] = []
    counts: list[int] = []
    seen: set[str] = set()
    for annotation in annotations:
        name = str(annotation.picture)
        if name in seen:
            faults.note(f"{annotation.where}: the picture {annotation.picture.name} is there twice")
            continue
        seen.add(name)
        good = [box for box in annotation.boxes if _is_good(box, annotation, num_classes, faults)]
        if annotation.boxes and not good:
            continue
        pictures.append(annotation.picture)
        corners += [_fractions(box.corners, annotation) for box in good]
        labels += [int(box.label) for box in good]
        counts.append(len(good))
    boxes = torch.tensor(corners, dtype=torch.float32).view(-1, 4)
    classes, lengths = (torch.tensor(values, dtype=torch.long) for values in (labels, counts))
    return pictures, Boxes(boxes, classes, lengths)


def _is_good(box: Box, annotation: Annotation, num_classes: int, faults: Faults) -> bool:
    left, top, right, bottom = box.corners
    width, height = annotation.width, annotation.height
    shown = f"{box.where}: the box from ({left:g}, {top:g}) to ({right:g}, {bottom:g})"
    across, down = SLACK * width, SLACK * height
    if box.fault:
        faults.note(box.fault)
    elif not all(map(math.isfinite, box.corners)):
        faults.note(f"{shown} is not of finite numbers")
    elif left >= right or top >= bottom:
        faults.note(f"{shown} has no area")
    elif left < -across or top < -down or right > width + across or bottom > height + down:
        size = f"{width:g} x {height:g}"
        faults.note(f"{shown} is not within the picture, whose width and height are {size}")
    elif math.isnan(box.label):
        faults.note(f"{box.where}: the class is not a number")
    elif not (float(box.label).is_integer() and 0 <= box.label < num_classes):
        faults.note(f"{box.where}: there is no class {box.label:g}: {_known(num_classes)}")
    else:
        return True
    return False


def _known(num_classes: int) -> str:
    return "the only one is 0" if num_classes == 1 else f"they go from 0 to {num_classes - 1}"


def _fractions(corners: Corners, annotation: Annotation) -> Corners:
    left, top, right, bottom = corners
    return (
        max(left / annotation.width, 0.0),
        max(top / annotation.height, 0.0),
        min(right / annotation.width, 1.0),
        min(bottom / annotation.height, 1.0),
    )


def number(value: Any) -> float:
    """What a file gives for a number; nan for what is none."""
    if isinstance(value, bool) or (isinstance(value, str) and "_" in value):
        return math.nan
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        return math.nan


def corners(values: Any) -> Corners:
    """Four numbers that a file gives; nan for each where they are not four."""
    if not isinstance(values, Sequence) or isinstance(values, str) or len(values) != 4:
        values = [None] * 4
    left, top, right, bottom = map(number, values)
    return left, top, right, bottom
