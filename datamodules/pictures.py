"""Corpora of labelled pictures: uint8 in memory, normalised and augmented on the device.

Batch: (images, labels)
"""

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from PIL import Image, UnidentifiedImageError
from torch import Tensor
from torch.nn.functional import interpolate

from datamodules.augmentation import AUGMENTATIONS
from datamodules.corpus import Corpus
from datamodules.errors import CorpusError

MOST_PIXELS = 25_000_000
SPREAD = 0x9E3779B97F4A7C15  # odd, near 2^64 over the golden ratio: neighbouring seeds lie apart


class PictureCorpus(Corpus):
    """A corpus of pictures of one size and a label for each.

    Args:
        resize: Height and width to give the pictures, on the device; by default their own.
        augment: Random changes of the training pictures, in order.
        corpus: Arguments of every corpus.
    """

    predicts = "PICTURE ..."
    labels: tuple[str, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    size: int

    def __init__(
        self,
        resize: int | None = None,
        augment: Sequence[Literal["flip", "crop"]] = (),
        **corpus: Any,
    ) -> None:
        super().__init__(**corpus)
        self.resize = resize
        self.augment = tuple(augment)

    @cached_property
    def in_channels(self) -> int:
        return len(self.mean)

    @cached_property
    def num_classes(self) -> int:
        return len(self.labels)

    @cached_property
    def image_size(self) -> int:
        return self.resize or self.size

    @cached_property
    def in_features(self) -> int:
        return self.in_channels * self.image_size**2

    def on_after_batch_transfer(
        self, batch: tuple[Tensor, ...], dataloader_idx: int
    ) -> tuple[Tensor, Tensor]:
        """Pictures as bytes, labels and perhaps keys -> augmented, normalised pictures, labels."""
        images, labels, *keys = batch
        for name in self.augment if keys else ():
            images = AUGMENTATIONS[name](images, keys[0] + self.seed * SPREAD % 2**62)
        dtype = self.trainer.lightning_module.dtype if self.trainer else torch.float32
        return self.normalise(images).to(dtype), labels

    def normalise(self, images: Tensor) -> Tensor:
        """uint8 (batch, channels, height, width) -> float32 of `image_size`, normalised."""
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
        """Adds what predicting needs: names of the classes, size and normalisation."""
        return {
            **super().state_dict(),
            "labels": list(self.labels),
            "image_size": self.image_size,
            "mean": list(self.mean),
            "std": list(self.std),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Refuses a checkpoint that was trained on other classes."""
        if state["labels"] != list(self.labels):
            raise CorpusError(
                f"the checkpoint was trained on the classes {', '.join(state['labels'])}; "
                f"{self.title} has {', '.join(self.labels)}"
            )


def read_picture(path: Path, channels: int, size: int) -> Tensor:
    """Reads a picture file as uint8 (channels, size, size); another shape is cut to a square.

    Raises:
        CorpusError: The file cannot be read, is no picture or has over 25 million pixels.
    """
    try:
        with Image.open(path) as picture:
            if picture.width * picture.height > MOST_PIXELS:
                raise CorpusError(f"{path}: {picture.width} x {picture.height} pixels are too many")
            square = _centre_square(picture.convert("L" if channels == 1 else "RGB"))
            pixels = np.array(square.resize((size, size), Image.Resampling.BILINEAR))
    except (UnidentifiedImageError, Image.DecompressionBombError) as error:
        raise CorpusError(f"{path}: not a picture that can be read") from error
    except OSError as error:
        raise CorpusError(f"{path}: cannot be read ({error.strerror or error})") from error
    return torch.from_numpy(pixels.reshape(size, size, channels)).movedim(-1, 0)


def _centre_square(picture: Image.Image) -> Image.Image:
    side = min(picture.size)
    left, top = (picture.width - side) // 2, (picture.height - side) // 2
    return picture.crop((left, top, left + side, top + side))
