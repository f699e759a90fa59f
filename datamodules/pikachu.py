"""Pikachu: 1,000 photographs into which a drawn mouse was put, one each, to be found.

Source: Zhang et al. 2019, Dive into Deep Learning, first edition, https://d2l.ai; no licence is
        stated, and the mouse belongs to Nintendo, Creatures and GAME FREAK
Batch: (images, boxes, labels)
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from datamodules.boxes.annotations import Annotation, Box, Faults, corners, number
from datamodules.boxes.corpus import DetectionCorpus
from datamodules.files.download import RemoteFile
from datamodules.files.errors import CorpusError
from datamodules.files.json_files import read_json
from datamodules.formats.record_io import Record, records
from datamodules.pictures.rows import named_pictures
from datamodules.synthetic import sprites

NAME = "pikachu"
FOLDERS = {"train": "train", "test": "val"}
LISTS = ("annotations.json", "label.json")
URL = "https://apache-mxnet.s3-accelerate.amazonaws.com/gluon/dataset/pikachu"
PADDING = -1  # the class of an object that is none


class Pikachu(DetectionCorpus):
    """900 training pictures, of which a tenth is held out, and 100 test pictures.

    Read from `pikachu/{train,val}/annotations.json` (or `label.json`) and the pictures in `images`
    beside it, or from MXNet's `pikachu/{train,val}.rec`. What the corpus calls val is the test set.

    Args:
        pictures: Arguments of every corpus of pictures with boxes.
    """

    title = "Pikachu"
    labels = ("pikachu",)
    full_size = {"train": 900, "test": 100}
    files = (
        RemoteFile(
            name=f"{NAME}/train.rec",
            urls=(f"{URL}/train.rec",),
            sha1="e6bcb6ffba1ac04ff8a9b1115e650af56ee969c8",
            most=400_000_000,
        ),
        RemoteFile(
            name=f"{NAME}/val.rec",
            urls=(f"{URL}/val.rec",),
            sha1="d6c33f799b4d058e82f2cb5bd9a976f69d72d520",
            most=100_000_000,
        ),
    )

    def __init__(self, **pictures: Any) -> None:
        super().__init__(**pictures)
        self.save_hyperparameters(ignore=["root"], logger=False)

    def write_synthetic(self, folder: Path) -> None:
        sprites.write_records(folder / NAME)

    # Which form

    @property
    def files_exist(self) -> bool:
        return any(self._list(part) for part in FOLDERS) or super().files_exist

    def _list(self, part: str) -> Path | None:
        """The JSON file of a part, where there is one."""
        folder = self.folder / NAME / FOLDERS[part]
        return next((folder / name for name in LISTS if (folder / name).is_file()), None)

    # What is read

    def annotated(self, part: str, faults: Faults) -> Iterator[Annotation]:
        """The pictures of train or of test, and the box in each."""
        if path := self._list(part):
            return self._listed(path, faults)
        return self._recorded(self.folder / NAME / f"{FOLDERS[part]}.rec", faults)

    def _listed(self, path: Path, faults: Faults) -> Iterator[Annotation]:
        folder = path.parent / "images"
        pictures = named_pictures(folder)
        for key, entry in read_json(path, unique=True).items():
            where = f"{path}, {key}"
            if not isinstance(entry, dict) or not {"class", "loc"} <= entry.keys():
                faults.note(f"{where}: wanted class and loc")
                continue
            name = entry.get("image", key)  # a list may go by the names of the pictures
            if name not in pictures:
                faults.note(f"{where}: there is no picture {name} in {folder}")
                continue
            box = Box(where, corners(entry["loc"]), number(entry["class"]))
            yield Annotation(where, pictures[name], [box])

    def _recorded(self, path: Path, faults: Faults) -> Iterator[Annotation]:
        found = records(path)
        while True:
            try:
                record = next(found)
                boxes = _boxes(record)
            except StopIteration:
                return
            except CorpusError as error:  # after damage to the file there is no next record
                faults.note(str(error))
                continue
            yield Annotation(str(record), record, boxes)


def _boxes(record: Record) -> list[Box]:
    """The boxes among the labels of a record.

    The labels are the number of values before the first object, the number of values an object,
    perhaps more, and then the objects: class, left, top, right, bottom, perhaps more.

    Raises:
        CorpusError: They are not so.
    """
    values = record.labels().tolist()
    head, width = (int(number) if number.is_integer() else 0 for number in (*values, 0.0, 0.0)[:2])
    if head < 2 or width < 5 or head > len(values) or (len(values) - head) % width:
        raise CorpusError(f"{record}: its {len(values)} labels are not those of objects with boxes")
    objects = [values[start : start + 5] for start in range(head, len(values), width)]
    return [
        Box(str(record), corners(place), number(label))
        for label, *place in objects
        if label != PADDING
    ]
