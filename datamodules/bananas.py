"""Bananas: 1,100 photographs into which a banana was put, one each, to be found.

Source: Zhang et al. 2023, https://d2l.ai/chapter_computer-vision/object-detection-dataset.html; no
        licence is stated
Batch: (images, boxes, labels)
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from datamodules.boxes.annotations import Annotation, Box, Faults, corners, number
from datamodules.boxes.corpus import DetectionCorpus
from datamodules.files.download import RemoteFile
from datamodules.files.errors import CorpusError
from datamodules.pictures.folders import InFolderOrZip
from datamodules.pictures.reading import picture_size
from datamodules.pictures.rows import named_pictures
from datamodules.synthetic import sprites
from datamodules.tables.reading import Layout, read_table

NAME = "banana-detection"
FOLDERS = {"train": "bananas_train", "test": "bananas_val"}
COLUMNS = ("img_name", "label", "xmin", "ymin", "xmax", "ymax")


class Bananas(InFolderOrZip, DetectionCorpus):
    """1,000 training pictures, of which a tenth is held out, and 100 test pictures.

    Read from `banana-detection/{bananas_train,bananas_val}/label.csv`, whose boxes are in pixels,
    and the pictures in `images` beside it, or from within `banana-detection.zip`. What the corpus
    calls val is the test set.

    Args:
        pictures: Arguments of every corpus of pictures with boxes.
    """

    title = "Bananas"
    name, parts = NAME, tuple(FOLDERS.values())
    labels = ("banana",)
    full_size = {"train": 1000, "test": 100}
    files = (
        RemoteFile(
            name=f"{NAME}/{NAME}.zip",
            urls=(f"https://d2l-data.s3-accelerate.amazonaws.com/{NAME}.zip",),
            sha1="5de26c8fce5ccdea9f91267273464dc968d20d72",
            most=400_000_000,
        ),
    )

    def __init__(self, **pictures: Any) -> None:
        super().__init__(**pictures)
        self.save_hyperparameters(ignore=["root"], logger=False)

    def write_synthetic(self, folder: Path) -> None:
        sprites.write_table(folder / NAME)

    def annotated(self, part: str, faults: Faults) -> Iterator[Annotation]:
        """The pictures of train or of test, and the box in each."""
        folder = self._place / FOLDERS[part]
        table = read_table(path := folder / "label.csv", Layout(), COLUMNS)
        pictures = named_pictures(folder / "images")
        rows = zip(*(table.columns[column] for column in COLUMNS), strict=True)
        for line, (name, label, *place) in zip(table.lines, rows, strict=True):
            where = f"{path}, line {line}"
            if name not in pictures:
                faults.note(f"{where}: there is no picture {name!r} in {folder / 'images'}")
                continue
            try:
                size = picture_size(pictures[name])
            except CorpusError as error:
                faults.note(str(error))
                continue
            box = Box(where, corners(place), number(label))
            yield Annotation(where, pictures[name], [box], *size)
