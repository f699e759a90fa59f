"""Corpora of picture files of any size, decoded to one, of which features may be kept.

Batch: (images, labels), or (features, labels) where features are kept
"""

from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from datamodules.batches.in_memory import InMemory, WholeBatches
from datamodules.corpus import Corpus, Loader
from datamodules.files.errors import CorpusError
from datamodules.files.file_paths import FilePath, folder_or_zip, unwrapped
from datamodules.pictures.corpus import PictureCorpus
from datamodules.pictures.feature_cache import FeatureCache, refuse_unfrozen
from datamodules.pictures.rows import PictureRows


class InFolderOrZip(Corpus):
    """A corpus in a folder, or within a zip of the same name that is read in place.

    A corpus sets that name (`name`), and files or folders of which the folder has one (`parts`).
    """

    name: str
    parts: tuple[str, ...] = ("train", "test", "labels.csv")

    def find(self) -> Path | None:
        """Returns the folder or the zip, if there is one."""
        return folder_or_zip(self.folder, self.name, self.parts)

    @property
    def files_exist(self) -> bool:
        return self.find() is not None

    @cached_property
    def _place(self) -> Path:
        """The folder, or the place within the zip, that holds the parts."""
        place = self.find()
        if place is None:
            raise CorpusError(f"{self.title} is not under {self.folder}")
        return unwrapped(place, self.name)


class PictureFileCorpus(PictureCorpus):
    """A corpus of picture files.

    The middle square of each picture is decoded. A corpus says which pictures there are
    (`pictures`); they are normalised as ImageNet is.

    Args:
        size: Side of the square that each picture is decoded to.
        crop_size: Side of the middle of it that the network sees; none is all of it.
        cache_features: Keep in $ZOO_CACHE what a model's frozen body makes of the pictures, and
            train the head on that: what comes out is the same, in a fraction of the time.
        pictures: Arguments of every corpus of pictures.

    Raises:
        CorpusError: A size does not fit, or pictures change whose features are to be kept.
    """

    on_white = False  # see `read_picture`

    def __init__(
        self,
        size: int = 256,
        crop_size: int | None = 224,
        cache_features: bool = False,
        **pictures: Any,
    ) -> None:
        if size < 1:
            raise CorpusError(f"size must be at least 1, not {size}")
        self.size = size
        super().__init__(crop_size=crop_size, **pictures)
        if cache_features and self.augment:
            raise CorpusError(
                "pictures that change have no features to keep: --data.augment [], or "
                "--data.cache_features false"
            )
        self.cache_features = cache_features
        self._parts: dict[str, tuple[list[FilePath], Tensor]] = {}

    def pictures(self, part: str) -> tuple[list[FilePath], Tensor]:
        """Returns the pictures of a part, and their classes, int64."""
        raise TypeError(f"{type(self).__name__} does not say which pictures it has")

    def part_of(self, split: str) -> str:
        """Returns the part that a split is taken from: train, of which val is held out, or test."""
        return "test" if split == "test" else "train"

    # Who gets which rows

    def setup(self, stage: str) -> None:
        if self.cache_features and self.trainer:
            refuse_unfrozen(self.trainer.lightning_module)
        super().setup(stage)

    def read(self, split: str) -> WholeBatches:
        """The pictures of a split, decoded where they fit into memory and are looked at."""
        pictures, classes = self._part(split)
        chosen = self._chosen(split)
        rows = PictureRows(
            [pictures[index] for index in chosen.tolist()],
            classes[chosen],
            self.in_channels,
            self.size,
            keyed=split == "train" and bool(self.augment),
            on_white=self.on_white,
        )
        return rows if self.cache_features else rows.kept(self.num_workers)

    def divided(self, classes: Tensor) -> tuple[Tensor, Tensor]:
        """The training rows to train on, and those held out."""
        return self.divide(len(classes))

    def read_again(self) -> None:
        """Reads the rows again, whose classes are numbered in another way now."""
        self._parts.clear()
        self.data = {split: self.to_device(self.read(split)) for split in self.data}

    def _part(self, split: str) -> tuple[list[FilePath], Tensor]:
        """What a split is taken from."""
        part = self.part_of(split)
        if part not in self._parts:
            self._parts[part] = self.pictures(part)
        return self._parts[part]

    def _chosen(self, split: str) -> Tensor:
        classes = self._part(split)[1]
        if split == "test" or self.part_of("val") != self.part_of("train"):
            return torch.arange(len(classes))
        return self.divided(classes)[0 if split == "train" else 1]

    # Features

    def to_device(self, rows: WholeBatches) -> WholeBatches:
        """Features alone go to the accelerator where pictures are not looked at again."""
        pictures = self.cache_features and isinstance(rows, PictureRows)
        return rows if pictures else super().to_device(rows)

    def train_dataloader(self) -> Loader:
        self._take_features("train")
        return super().train_dataloader()

    def evaluation_loader(self, split: str) -> Loader:
        self._take_features(split)
        return super().evaluation_loader(split)

    def _take_features(self, split: str) -> None:
        """Puts features in the place of pictures.

        Not in `setup`, after which Lightning reads a checkpoint's weights and moves the model.
        Those of the whole part: another division or fold finds its rows among them.
        """
        if not (self.cache_features and self.trainer):
            return
        pictures, classes = self._part(split)
        facts = f"{self.crop_size} {self.resize} {self.mean} {self.std}"
        cache = FeatureCache(self.trainer, self.normalise, facts, self.batch_size)
        form = {"on_white": self.on_white}
        rows = PictureRows(pictures, classes, self.in_channels, self.size, **form)
        features, chosen = cache.features(rows), self._chosen(split)
        self.data[split] = self.to_device(InMemory(features[chosen], classes[chosen]))

    def on_after_batch_transfer(
        self, batch: tuple[Tensor, ...], dataloader_idx: int
    ) -> tuple[Tensor, Tensor]:
        """As for every corpus of pictures; features are ready as they are."""
        if batch[0].ndim == 2:
            return batch[0], batch[1]
        return super().on_after_batch_transfer(batch, dataloader_idx)


class PictureFolderCorpus(InFolderOrZip, PictureFileCorpus):
    """A corpus of picture files in a folder, or within a zip that is read where it lies.

    A corpus says what its folder and its zip are called (`name`).
    """
