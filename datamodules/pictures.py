"""Corpora of labelled pictures: uint8 in memory, normalised and augmented on the device.

Batch: (images, labels)
"""

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor
from torch.nn.functional import interpolate
from torchvision.transforms.v2.functional import center_crop

from datamodules.augmentation import Augmentation
from datamodules.corpus import Corpus
from datamodules.errors import CorpusError

SPREAD = 0x9E3779B97F4A7C15  # odd, near 2^64 over the golden ratio: neighbouring seeds lie apart


class PictureCorpus(Corpus):
    """A corpus of pictures of one size and a label for each.

    Args:
        crop_size: Side of the middle of each picture that the network sees; by default all of it.
        resize: Height and width to give that, on the device; by default its own.
        augment: Random changes of the training pictures, in order, by name (flip, vertical_flip,
            crop, resized_crop, color_jitter, rand_augment, cutout, mixup, cutmix) or with options
            ({crop: {padding: 2}}); see `datamodules.picture_changes`. Mixing comes last.
        corpus: Arguments of every corpus.

    Raises:
        CorpusError: A size does not fit the pictures, or a change or an option does not exist.
    """

    predicts = "PICTURE ..."
    submission: Literal["", "label", "probabilities"] = ""  # what Kaggle takes of a picture
    labels: tuple[str, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    size: int

    def __init__(
        self,
        crop_size: int | None = None,
        resize: int | None = None,
        augment: Sequence[str | Mapping[str, Any]] = (),
        **corpus: Any,
    ) -> None:
        super().__init__(**corpus)
        for name, value in (("crop_size", crop_size), ("resize", resize)):
            if value is not None and value < 1:
                raise CorpusError(f"{name} must be at least 1, not {value}")
        if crop_size and crop_size > self.size:
            raise CorpusError(f"crop_size {crop_size} is more than the pictures' {self.size}")
        self.crop_size = crop_size
        self.resize = resize
        self.augment = tuple(augment)
        self.augmentation = Augmentation(
            augment, len(self.labels), crop_size or self.size, len(self.mean)
        )

    def files_to_predict(self) -> list[Path]:
        """Folders or zips of the pictures that came without labels, where the corpus has some."""
        return []

    @cached_property
    def in_channels(self) -> int:
        return len(self.mean)

    @cached_property
    def num_classes(self) -> int:
        return len(self.labels)

    @cached_property
    def image_size(self) -> int:
        return self.resize or self.crop_size or self.size

    @cached_property
    def in_features(self) -> int:
        return self.in_channels * self.image_size**2

    def on_after_batch_transfer(
        self, batch: tuple[Tensor, ...], dataloader_idx: int
    ) -> tuple[Tensor, Tensor]:
        """Pictures as bytes, labels and perhaps keys -> augmented, normalised pictures, labels.

        Where pictures are mixed, labels are shares of the classes, (batch, classes).
        """
        images, labels, *given = batch
        keys = given[0] + self.seed * SPREAD % 2**62 if given else None
        if keys is not None:
            images = self.augmentation.change(images, keys)
        dtype = self.trainer.lightning_module.dtype if self.trainer else torch.float32
        images = self.normalise(images).to(dtype)
        if keys is not None and self.augmentation.mix:
            images, labels = self.augmentation.mix(images, labels, keys)
        return images, labels

    def normalise(self, images: Tensor) -> Tensor:
        """uint8 (batch, channels, height, width) -> float32 of `image_size`, normalised."""
        if self.crop_size and self.crop_size != images.shape[-1]:
            images = center_crop(images, [self.crop_size] * 2)
        scale, shift = self._scale.to(images.device), self._shift.to(images.device)
        pixels = images.float().mul_(scale).add_(shift)  # a third of the time of addcmul
        if self.resize and self.resize != images.shape[-1]:
            return interpolate(pixels, size=self.resize, mode="bilinear", antialias=True)
        return pixels

    @cached_property
    def _scale(self) -> Tensor:
        return 1 / (255 * torch.tensor(self.std).view(-1, 1, 1))

    @cached_property
    def _shift(self) -> Tensor:
        return -(torch.tensor(self.mean) / torch.tensor(self.std)).view(-1, 1, 1)

    def denormalise(self, images: Tensor) -> Tensor:
        """Normalised pictures -> floats in [0, 1], to be looked at."""
        mean = torch.tensor(self.mean, device=images.device).view(-1, 1, 1)
        std = torch.tensor(self.std, device=images.device).view(-1, 1, 1)
        return (images.float() * std + mean).clamp(0, 1)

    def state_dict(self) -> dict[str, Any]:
        """Adds what predicting needs: names of the classes, sizes and normalisation."""
        return {
            **super().state_dict(),
            "labels": list(self.labels),
            "size": self.size,
            "crop_size": self.crop_size,
            "resize": self.resize,
            "mean": list(self.mean),
            "std": list(self.std),
            "submission": self.submission,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Refuses a checkpoint that was trained on other classes."""
        if state["labels"] != list(self.labels):
            raise CorpusError(
                f"the checkpoint was trained on the classes {', '.join(state['labels'])}; "
                f"{self.title} has {', '.join(self.labels)}"
            )
