"""COCO's lists of images near pictures that are predicted: which id each has, and which size."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from datamodules.boxes.annotations import Corners, number
from datamodules.boxes.listed_sizes import moved
from datamodules.files.errors import CorpusError
from datamodules.files.file_paths import FilePath
from datamodules.files.json_files import read_json
from datamodules.pictures.names import PictureNames
from datamodules.pictures.reading import size_and_turn

LISTED_BY = "zoo predict"  # the description of a list that numbers what was predicted
BACK = {6: 8, 8: 6}  # orientations that undo others; the rest undo themselves


class ListedImage(NamedTuple):
    """A picture as a list of images has it.

    Attributes:
        id: The list's own.
        file_name: Likewise.
        width: Pixels, to which boxes are given.
        height: Likewise.
        orientation: By which the picture is turned, as it is read, from what was listed; 1 for not.
    """

    id: Any
    file_name: str
    width: float
    height: float
    orientation: int = 1

    def box(self, fractions: Sequence[float]) -> list[float]:
        """Left, top, width and height in pixels of the list, of a box on the picture as read."""
        across, down = self.width, self.height
        if self.orientation >= 5:
            across, down = down, across
        left, top, right, bottom = fractions
        place: Corners = (left * across, top * down, right * across, bottom * down)
        left, top, right, bottom = moved(
            place, across, down, BACK.get(self.orientation, self.orientation)
        )
        return [round(edge, 2) for edge in (left, top, right - left, bottom - top)]


def listed_images(pictures: Sequence[FilePath]) -> tuple[list[ListedImage], Path | None]:
    """Returns each picture as a list near it has it, and the list; or numbered from 1, and none.

    A list is near that lies beside the pictures, in the folder around theirs, or in `annotations`
    there; it has to name all of them, in their sizes.

    Raises:
        CorpusError: A picture cannot be read.
    """
    sizes = [size_and_turn(picture) for picture in pictures]
    for path in _near(pictures):
        if found := _in_list(path, pictures, sizes):
            return found, path
    numbered = zip(range(1, len(pictures) + 1), pictures, sizes, strict=True)
    return [
        ListedImage(row, Path(picture.member or picture.path).name, *size)
        for row, picture, (size, _) in numbered
    ], None


def _near(pictures: Sequence[FilePath]) -> Iterator[Path]:
    """The JSON files that may be lists of the pictures."""
    folders = dict.fromkeys(picture.path.parent for picture in pictures)
    for folder in folders:
        around = folder.resolve().parents
        places = [folder, *around[:1], *(each / "annotations" for each in (folder, *around[:2]))]
        for place in places:
            yield from sorted(place.glob("*.json"))


def _in_list(
    path: Path, pictures: Sequence[FilePath], sizes: Sequence[tuple[tuple[int, int], int]]
) -> list[ListedImage]:
    """The pictures as a list has them; none where it lacks one or is no list."""
    try:
        content = read_json(path)
    except CorpusError:
        return []
    info = content.get("info")
    if isinstance(info, dict) and info.get("description") == LISTED_BY:
        return []  # of other pictures that were predicted
    entries = content.get("images")
    start = os.path.commonpath([Path(str(each)).absolute().parent for each in pictures])
    names = PictureNames({os.path.relpath(str(each), start): each for each in pictures})
    found: dict[FilePath, ListedImage] = {}
    rows = {picture: row for row, picture in enumerate(pictures)}
    for entry in entries if isinstance(entries, list) else []:
        name = entry.get("file_name") if isinstance(entry, dict) else None
        picture = names.find(str(name)) if name else None
        if picture is None or not isinstance(entry.get("id"), int | str):
            continue
        size, orientation = sizes[rows[picture]]
        listed = number(entry.get("width")), number(entry.get("height"))
        stored = size[::-1] if orientation >= 5 else size
        if listed in (size, stored):
            turned = 1 if listed == size else orientation
            found[picture] = ListedImage(entry["id"], str(name), *listed, turned)
    return [found[picture] for picture in pictures] if len(found) == len(set(pictures)) else []
