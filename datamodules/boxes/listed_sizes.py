"""Boxes of lists that give the sizes of their pictures, moved onto the pictures as they are read.

A camera turns a picture by a note in its file (EXIF), which some programs that draw boxes heed and
some do not; the listed size tells which.
"""

from collections.abc import Iterable

from datamodules.boxes.annotations import Annotation, Corners, Faults
from datamodules.files.errors import CorpusError
from datamodules.pictures.reading import size_and_turn

Size = tuple[float, float]


def on_pictures(annotations: Iterable[Annotation], faults: Faults) -> tuple[list[Annotation], str]:
    """Returns the annotations on the pictures as they are read, and a remark where some are turned.

    Where the size of a turned picture tells nothing (it is a square, or turned by 180 degrees), its
    boxes lie as those of most others do.

    Args:
        annotations: Annotations with the sizes that the list gives.
        faults: Takes what is wrong: a picture that cannot be read, or has other sides than listed.
    """
    told: list[tuple[Annotation, int, bool | None]] = []  # orientation; whether boxes are unturned
    for annotation in annotations:
        try:
            size, orientation = size_and_turn(annotation.picture)
        except CorpusError as error:
            faults.note(str(error))
            continue
        listed = annotation.width, annotation.height
        stored = size[::-1] if orientation >= 5 else size
        turned, unturned = _fit(listed, size), _fit(listed, stored)
        if not max(turned, unturned):
            faults.note(
                f"{annotation.where}: {annotation.picture} is {size[0]} x {size[1]}, not "
                f"{listed[0]:g} x {listed[1]:g}: list the sizes that its boxes were drawn on"
            )
        elif orientation == 1 or turned != unturned:
            told.append((annotation, orientation, unturned > turned))
        else:
            told.append((annotation, orientation, None))
    heeded = [unturned for _, orientation, unturned in told if orientation > 1]
    most = heeded.count(True) > heeded.count(False)
    found = [
        _turned(annotation, orientation) if (most if unturned is None else unturned) else annotation
        for annotation, orientation, unturned in told
    ]
    return found, _remark(heeded)


def _fit(listed: Size, size: Size) -> int:
    """2 where a listed size is the picture's, 1 where one scale makes it so, but for rounding."""
    if listed == size:
        return 2
    return int(abs(listed[0] * size[1] - listed[1] * size[0]) <= max(size))


def _remark(unturned: list[bool | None]) -> str:
    """Says on which of the turned pictures the boxes were drawn as if they were not."""
    if not unturned:
        return ""
    silent = unturned.count(None)
    return (
        f"{len(unturned):,} pictures are turned by a note of the camera (EXIF); by the listed "
        f"sizes, boxes lie on the turned picture in {unturned.count(False):,}, on the unturned one "
        f"in {unturned.count(True):,}"
        + (f"; in {silent:,}, whose sizes do not tell, as in most others" if silent else "")
    )


def _turned(annotation: Annotation, orientation: int) -> Annotation:
    """The boxes of an unturned picture, on the turned one."""
    boxes = [
        box._replace(corners=moved(box.corners, annotation.width, annotation.height, orientation))
        for box in annotation.boxes
    ]
    width, height = annotation.width, annotation.height
    if orientation >= 5:
        width, height = height, width
    return annotation._replace(boxes=boxes, width=width, height=height)


def moved(corners: Corners, width: float, height: float, orientation: int) -> Corners:
    """Moves a box with its picture, of a width and a height, by an orientation of EXIF.

    2, 3 and 4 mirror or turn about; 5 to 8 swap the axes, then do likewise.
    """
    left, top, right, bottom = corners
    if orientation >= 5:
        left, top, right, bottom = top, left, bottom, right
        width, height = height, width
    if orientation in (2, 3, 6, 7):
        left, right = width - right, width - left
    if orientation in (3, 4, 7, 8):
        top, bottom = height - bottom, height - top
    return left, top, right, bottom
