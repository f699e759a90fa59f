"""Boxes of one's own pictures: a folder or a zip as a tool writes it, with its parts.

Batch: (images, boxes, labels)
"""

import re
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from datamodules.boxes.corpus import DetectionCorpus
from datamodules.files.class_folders import PARTS
from datamodules.files.errors import CorpusError
from datamodules.files.file_paths import FilePath, files_in, within
from datamodules.own_file import OwnFile
from datamodules.pictures.rows import is_picture


class OwnBoxes(OwnFile, DetectionCorpus):
    """Pictures of one's own with any number of boxes, of which a tenth is held out.

    A corpus says which parts there are (`_found`). Where val is one of them, nothing is held out of
    train.

    Args:
        path: Path of the folder, the zip or the list, from the current folder or else from the
            root. A checkpoint does not keep it.
        corpus: Arguments of every corpus of pictures with boxes.
    """

    def __init__(self, path: str | Path | None = None, **corpus: Any) -> None:
        super().__init__(**corpus)
        self.name_file(path)

    @property
    def _found(self) -> Mapping[str, Any]:
        """The parts that there are, of train, val and test."""
        raise TypeError(f"{type(self).__name__} does not say which parts it has")

    @property
    def files_exist(self) -> bool:
        return self.path is not None and within(self.place)[0].exists()

    # Who gets which rows

    @property
    def splits(self) -> tuple[str, ...]:  # type: ignore[override]
        return ("train", "val", "test") if "test" in self._found else ("train", "val")

    @property
    def holds_out(self) -> bool:
        return self.part_of("val") == "val" or super().holds_out

    def part_of(self, split: str) -> str:
        """Returns the part that a split is taken from; folds are folds of train."""
        divided = split == "val" and (self.fold is not None or "val" not in self._found)
        return "train" if divided else split

    def refuse_missing(self, part: str) -> None:
        """Raises CorpusError where there is no such part."""
        if part not in self._found:
            raise CorpusError(f"{self.place}: there are no pictures of {part}")

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Takes the classes of a checkpoint, of which not all may be found.

        Raises:
            CorpusError: One that is found is none of them.
        """
        before = self.labels
        self.complete(state)
        if self.labels != before:
            self._parts.clear()
            self.data = {split: self.to_device(self.read(split)) for split in self.data}
        super().load_state_dict(state)

    def complete(self, state: dict[str, Any]) -> None:
        """Takes the classes of a checkpoint, where all that are found are among them."""
        if set(self.labels) < set(state["labels"]):
            self.take_classes(state)

    def take_classes(self, state: dict[str, Any]) -> None:
        """Takes the names of a checkpoint's classes, in their order."""
        self.labels = tuple(state["labels"])
        self.num_classes = len(self.labels)


def named_files(place: Path) -> dict[str, FilePath]:
    """Returns the files of a folder or a zip by their paths within it, but hidden ones.

    Raises:
        CorpusError: The place cannot be read.
    """
    if place.suffix.lower() == ".zip" and not place.is_dir():
        place = Path(f"{place}!")
    archive, inside = within(place)
    start = f"{inside}/" if inside else ""
    named = {
        file.member.removeprefix(start)
        if file.member
        else file.path.relative_to(place).as_posix(): file
        for file in files_in(place)
        if archive
    }
    return {
        name: file
        for name, file in named.items()
        if not any(part.startswith((".", "__MACOSX")) for part in PurePosixPath(name).parts)
    }


def pictures_of(files: Mapping[str, FilePath]) -> dict[str, FilePath]:
    """Returns the pictures among files, by their names."""
    return {name: file for name, file in files.items() if is_picture(name)}


def part_named(name: str) -> str | None:
    """Returns the part that a path names, by a folder or the file: images/train2017/1.jpg."""
    for word in PurePosixPath(name).with_suffix("").parts:
        for piece in re.findall(r"[a-z]+", word.lower()):
            if piece in PARTS:
                return PARTS[piece]
    return None


def part_of_folder(name: str) -> str | None:
    """Returns the part that a folder of a path names."""
    return part_named(f"{PurePosixPath(name).parent.as_posix()}/_")
