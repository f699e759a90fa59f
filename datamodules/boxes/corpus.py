"""Corpora of pictures in which things are to be found, each with its box and its class.

Batch: (images, boxes, labels)
"""

import logging
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from typing import Any, NamedTuple

import torch
from lightning.pytorch.utilities import rank_zero_only
from torch import Tensor

from datamodules.batches.in_memory import WholeBatches
from datamodules.boxes.annotations import Annotation, Faults, gathered
from datamodules.boxes.augmentation import BoxAugmentation
from datamodules.boxes.rows import BoxedPictures, Boxes, DetectionBatch
from datamodules.files.errors import CorpusError
from datamodules.pictures.normalised import NormalisedPictures
from datamodules.pictures.reading import Picture, read_picture
from datamodules.pictures.rows import THREADS, PictureRows


@rank_zero_only
def say(line: str) -> None:
    """As a warning: the command silences what is less."""
    logging.getLogger("lightning.pytorch").warning(line)


class Part(NamedTuple):
    """What the training or the test files hold.

    Attributes:
        pictures: Paths of the pictures.
        boxes: Boxes of each picture.
        good: The pictures that can be read, int64.
    """

    pictures: list[Picture]
    boxes: Boxes
    good: Tensor


class DetectionCorpus(NormalisedPictures):
    """A corpus of pictures of any size and the boxes of what they show.

    All of each picture is squeezed into a square; boxes are left, top, right and bottom as
    fractions of its sides, and stay what they were. A corpus says what its files hold
    (`annotated`); pictures are normalised as ImageNet is.

    Args:
        size: Side of the square that each picture is decoded to.
        augment: Random changes of the training pictures and their boxes, in order, by name (flip,
            crop, zoom_out, color_jitter) or with options ({crop: {scale: [0.5, 1]}}); see
            `datamodules.boxes.changes`.
        skip_bad: Leave out what is bad and say how much that was: boxes outside of their picture,
            without an area, not of numbers or of no class, and pictures that are missing, cannot
            be read or are there twice. All pictures are looked at once more for this.
        batch_size: Pictures a batch and process.
        corpus: Arguments of every corpus.

    Raises:
        CorpusError: The size is none, or a change or an option does not exist.
    """

    def __init__(
        self,
        size: int = 256,
        augment: Sequence[str | Mapping[str, Any]] = (),
        skip_bad: bool = False,
        batch_size: int = 32,
        **corpus: Any,
    ) -> None:
        super().__init__(batch_size=batch_size, **corpus)
        if size < 1:
            raise CorpusError(f"size must be at least 1, not {size}")
        self.size = size
        self.augment = tuple(augment)
        self.augmentation = BoxAugmentation(augment, size, self.mean)
        self.skip_bad = skip_bad
        self._parts: dict[str, Part] = {}
        self._faults: dict[str, Faults] = {}

    def annotated(self, part: str, faults: Faults) -> Iterator[Annotation]:
        """What the files say of each picture of a part.

        Args:
            part: train, test, or where there are pictures of it val.
            faults: Takes what is wrong with a record.

        Raises:
            CorpusError: A file cannot be read; names it.
        """
        raise TypeError(f"{type(self).__name__} does not say which pictures it has")

    @cached_property
    def image_size(self) -> int:
        return self.size

    @property
    def category_ids(self) -> list[int]:
        """What the files call the classes, in the order of `labels`."""
        return list(range(self.num_classes))

    @property
    def num_skipped(self) -> int:
        """Bad boxes and pictures that were left out of what was read."""
        return sum(len(faults.noted) for faults in self._faults.values())

    # Who gets which rows

    def part_of(self, split: str) -> str:
        """Returns the part that a split is taken from: train, of which val is held out, or test."""
        return "test" if split == "test" else "train"

    def read(self, split: str) -> WholeBatches:
        """The pictures of a split and their boxes, decoded at once where that fits into memory."""
        part = self._part(split)
        chosen = part.good
        if split != "test" and self.part_of("val") == self.part_of("train"):
            chosen = chosen[self.divide(len(chosen))[0 if split == "train" else 1]]
        if len(chosen) and not part.boxes.counts[chosen].any():
            raise CorpusError(self._boxless(split, len(chosen)))
        rows = PictureRows(
            [part.pictures[index] for index in chosen.tolist()],
            chosen,
            self.in_channels,
            self.size,
            keyed=split == "train" and bool(self.augment),
            whole=True,
        )
        return BoxedPictures(rows.kept(), part.boxes, chosen)

    def _boxless(self, split: str, num_pictures: int) -> str:
        if split == "val":
            way_out = "hold out others: --data.split_seed 1, or more: --data.validation_fraction"
            return f"{self.title}: no picture held out ({num_pictures:,}) has a box: {way_out}"
        return f"{self.title}: none of {num_pictures:,} pictures has a box to {split} on"

    def _part(self, split: str) -> Part:
        """What a split is taken from."""
        part = self.part_of(split)
        if part not in self._parts:
            faults = self._faults[part] = Faults(self.skip_bad)
            found = gathered(self.annotated(part, faults), self.num_classes, faults)
            good = self._readable(found[0], faults) if self.skip_bad else range(len(found[0]))
            if not good:
                raise CorpusError(f"{self.title}: there is no picture to {part} on")
            if faults.noted:
                say(
                    f"{self.title}: {len(faults.noted):,} bad records of {part} are left out, the "
                    f"first: {faults.noted[0]}"
                )
            self._parts[part] = Part(*found, torch.tensor(good))
        return self._parts[part]

    def _readable(self, pictures: Sequence[Picture], faults: Faults) -> list[int]:
        """Which of the pictures can be decoded."""

        def fault(picture: Picture) -> str:
            try:
                read_picture(picture, self.in_channels, self.size, whole=True)
            except CorpusError as error:
                return str(error)
            return ""

        with ThreadPoolExecutor(THREADS) as pool:
            found = list(pool.map(fault, pictures))
        for words in filter(None, found):
            faults.note(words)
        return [index for index, words in enumerate(found) if not words]

    def on_after_batch_transfer(
        self, batch: tuple[Tensor, ...], dataloader_idx: int
    ) -> DetectionBatch:
        """Pictures as bytes, boxes, labels and perhaps keys -> augmented and normalised."""
        images, boxes, labels, *keys = batch
        found = DetectionBatch(images, boxes.float(), labels)
        if keys:
            found = self.augmentation.change(found, self.seeded(keys[0]))
        return found._replace(images=self.normalise(found.images).to(self.dtype))

    @property
    def described(self) -> str:
        left_out = f"; {self.num_skipped:,} bad records left out" if self.num_skipped else ""
        return super().described + left_out

    # What a checkpoint keeps

    def state_dict(self) -> dict[str, Any]:
        """Adds what the files call the classes."""
        return {**super().state_dict(), "category_ids": list(self.category_ids)}
