"""Pictures of yours, a folder for each class; or a list of files and labels.

Source: the folder, zip or list that --data.path names
Batch: (images, labels), or (features, labels) where features are kept
"""

from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from datamodules.files.class_folders import counted
from datamodules.files.errors import CorpusError
from datamodules.files.file_paths import FilePath
from datamodules.own_file import OwnFile
from datamodules.pictures.classes import Labelled, by_folder, by_list
from datamodules.pictures.folders import PictureFileCorpus
from datamodules.synthetic import hot_dogs
from datamodules.tables.lists import is_list

ENDINGS = (".zip", ".csv", ".tsv", ".json", ".jsonl")


class PictureFolder(OwnFile, PictureFileCorpus):
    """Pictures of any size and number of classes, of each of which a tenth is held out.

    Read from `DIR/<class>/*` or `DIR/{train,val,test}/<class>/*`, from a zip of these, or from a
    CSV, TSV, JSON or JSONL list of files and labels, perhaps with a column split. Where there is a
    part val, nothing is held out of train.

    Args:
        path: Path of the folder, the zip or the list, from the current folder or else from the
            root. A checkpoint does not keep it.
        pictures: Folder or zip of the pictures that a list names; by default the list's own.
        file_column: Column of a list's files, where its name does not say so.
        label_column: Column of a list's labels, where its name does not say so.
        size: Side of the square that each picture is decoded to.
        crop_size: Side of the middle of it that the network sees; none is all of it.
        corpus: Arguments of every corpus of picture files.
    """

    title = "Picture folder"
    synthetic_name = "pictures"

    def __init__(
        self,
        path: str | Path | None = None,
        pictures: str | Path | None = None,
        file_column: str | None = None,
        label_column: str | None = None,
        size: int = 128,
        crop_size: int | None = None,
        **corpus: Any,
    ) -> None:
        super().__init__(size=size, crop_size=crop_size, **corpus)
        self.save_hyperparameters(ignore=["root", "path", "pictures"], logger=False)
        self.name_file(path)
        self.file_column, self.label_column = file_column, label_column
        self._pictures = Path(pictures).expanduser() if pictures is not None else None

    def write_synthetic(self, folder: Path) -> None:
        hot_dogs.write(folder / self.synthetic_name)

    @property
    def files_exist(self) -> bool:
        return self.path is not None and self.place.exists()

    @cached_property
    def _found(self) -> dict[str, list[Labelled]]:
        """The pictures of each part that there is."""
        self.prepare_data()  # facts are asked for before the Trainer does this
        if self.place.is_dir() or self.place.suffix.lower() == ".zip":
            return by_folder(self.place)
        if not is_list(self.place):
            raise CorpusError(f"{self.place}: wanted a folder or a file in {', '.join(ENDINGS)}")
        folder = self.place.parent if self._pictures is None else self.locate(self._pictures)
        return by_list(self.place, folder, self.file_column, self.label_column)

    @cached_property
    def labels(self) -> tuple[str, ...]:  # type: ignore[override]
        return tuple(sorted({label for part in self._found.values() for _, label in part}))

    def setup(self, stage: str) -> None:
        if stage == "fit":
            trained = {label for _, label in self._found.get("train", ())}
            if others := [label for label in self.labels if trained and label not in trained]:
                raise CorpusError(f"{self.place}: train has no pictures of {', '.join(others)}")
            if len(trained) == 1:
                raise CorpusError(
                    f"{self.place}: two classes are needed, and {self.labels[0]} is one"
                )
        super().setup(stage)

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

    def pictures(self, part: str) -> tuple[list[FilePath], Tensor]:
        """Returns the pictures of a part, and their classes, int64.

        Raises:
            CorpusError: There is no such part.
        """
        if part not in self._found:
            raise CorpusError(f"{self.place}: there are no pictures of {part}")
        index = {label: index for index, label in enumerate(self.labels)}
        found = self._found[part]
        return [picture for picture, _ in found], torch.tensor([index[label] for _, label in found])

    def divided(self, classes: Tensor) -> tuple[Tensor, Tensor]:
        """Returns the training rows to train on, and those held out of each class."""
        return self.divide_classes(classes)

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Takes the classes of a checkpoint, of which not all may be found.

        Raises:
            CorpusError: One that is found is none of them.
        """
        before = self.labels
        self.complete(state)
        if self.labels != before:
            self.read_again()
        super().load_state_dict(state)

    def complete(self, state: dict[str, Any]) -> None:
        """Takes the classes of a checkpoint, where all that are found are among them."""
        others = [label for label in self.labels if label not in state["labels"]]
        if others:
            raise CorpusError(
                f"the checkpoint was trained on the classes {', '.join(state['labels'])}; "
                f"{self.title} has {', '.join(others)} as well"
            )
        if set(self.labels) < set(state["labels"]):
            self.labels = tuple(state["labels"])
            self.num_classes = len(self.labels)

    @property
    def described(self) -> str:
        labels = (label for part in self._found.values() for _, label in part)
        return super().described + counted(labels)
