"""Texts of yours, a folder for each class; or a list of texts and labels.

Source: the folder, zip or list that --data.path names
Batch: (tokens, lengths, labels)
"""

from functools import cached_property
from pathlib import Path
from typing import Any

from datamodules.files.class_folders import counted
from datamodules.files.errors import CorpusError
from datamodules.own_file import OwnFile
from datamodules.synthetic import reviews
from datamodules.tables.lists import LISTS, is_list
from datamodules.text.classified import ClassifiedTexts
from datamodules.text.folders import LabelledText
from datamodules.text.labelled import NamedText, by_folder, by_list


class LabelledTexts(OwnFile, ClassifiedTexts):
    """Texts of any number of classes, of each of which a tenth is held out.

    Read from `DIR/<class>/*` or `DIR/{train,val,test}/<class>/*`, from a zip of these, or from a
    CSV, TSV, JSON or JSONL list of texts and labels, perhaps with a column split. Where there is a
    part val, nothing is held out of train.

    Args:
        path: Path of the folder, the zip or the list, from the current folder or else from the
            root. A checkpoint does not keep it.
        text_column: Column of a list's texts, where its name does not say so.
        label_column: Column of a list's labels, where its name does not say so.
        min_freq: Least occurrences in the training texts of a token of the vocabulary.
        batch_size: Rows per batch, in each process.
        texts: Arguments of every corpus of texts and their classes.
    """

    title = "Labelled texts"
    synthetic_name = "texts"

    def __init__(
        self,
        path: str | Path | None = None,
        text_column: str | None = None,
        label_column: str | None = None,
        min_freq: int = 2,
        batch_size: int = 16,
        **texts: Any,
    ) -> None:
        super().__init__(min_freq=min_freq, batch_size=batch_size, **texts)
        self.save_hyperparameters(ignore=["root", "path", "vectors"], logger=False)
        self.name_file(path)
        self.text_column, self.label_column = text_column, label_column

    def write_synthetic(self, folder: Path) -> None:
        reviews.write(folder / self.synthetic_name)

    @property
    def files_exist(self) -> bool:
        return self.path is not None and self.place.exists()

    @cached_property
    def _found(self) -> dict[str, list[NamedText]]:
        """The texts of each part that there is."""
        self.prepare_data()  # facts are asked for before the Trainer does this
        if self.place.is_dir() or self.place.suffix.lower() == ".zip":
            return by_folder(self.place)
        if not is_list(self.place):
            wanted = ", ".join((".zip", *LISTS))
            raise CorpusError(f"{self.place}: wanted a folder or a file in {wanted}")
        return by_list(self.place, self.text_column, self.label_column)

    @cached_property
    def labels(self) -> tuple[str, ...]:  # type: ignore[override]
        labels = tuple(sorted({label for part in self._found.values() for _, _, label in part}))
        if len(labels) < 2:
            raise CorpusError(f"{self.place}: two classes are needed, and {labels[0]} is one")
        return labels

    @property
    def splits(self) -> tuple[str, ...]:  # type: ignore[override]
        return ("train", "val", "test") if "test" in self._found else ("train", "val")

    @property
    def holds_out(self) -> bool:
        return self.part_of("val") == "val" or super().holds_out

    def part_of(self, split: str) -> str:
        divided = split == "val" and (self.fold is not None or "val" not in self._found)
        return "train" if divided else split

    def texts(self, part: str) -> list[LabelledText]:
        """Returns the texts of a part.

        Raises:
            CorpusError: There is no such part, or it lacks a class to train on.
        """
        found = self._found.get(part)
        if not found:
            raise CorpusError(f"{self.place}: there are no texts of {part}")
        index = {label: index for index, label in enumerate(self.labels)}
        if part == "train" and (absent := index.keys() - {label for _, _, label in found}):
            raise CorpusError(f"{self.place}: train has no texts of {', '.join(sorted(absent))}")
        return [LabelledText(where, index[label], text) for where, text, label in found]

    @property
    def described(self) -> str:
        labels = (label for part in self._found.values() for _, _, label in part)
        return super().described + counted(labels)

    def state_dict(self) -> dict[str, Any]:
        """Adds the column of the texts, for lists of texts to predict."""
        return {**super().state_dict(), "text_column": self.text_column}

    def complete(self, state: dict[str, Any]) -> None:
        """Takes the classes of a checkpoint, where all that are found are among them."""
        if {label for part in self._found.values() for _, _, label in part} < set(state["classes"]):
            self.labels = tuple(state["classes"])
        super().complete(state)
