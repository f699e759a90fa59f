"""Corpora of labelled pictures: uint8 in memory, normalised and augmented on the device.

Batch: (images, labels)
"""

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any, Literal

from torch import Tensor
from torch.nn.functional import interpolate
from torchvision.transforms.v2.functional import center_crop

from datamodules.files.errors import CorpusError
from datamodules.pictures.augmentation import Augmentation
from datamodules.pictures.ground import Ground, ground_of
from datamodules.pictures.normalised import NormalisedPictures


class PictureCorpus(NormalisedPictures):
    """A corpus of pictures of one size and a label for each.

    Args:
        crop_size: Side of the middle of each picture that the network sees; by default all of it.
        resize: Height and width to give that, on the device; by default its own.
        augment: Random changes of the training pictures, in order, by name (flip, vertical_flip,
            crop, resized_crop, color_jitter, rand_augment, cutout, mixup, cutmix; see
            `datamodules.pictures.changes`) or as a class of torchvision.transforms.v2
            (RandomPerspective), or with options ({crop: {padding: 2}}, {RandomRotation: {degrees:
            10}}). Mixing comes last.
        scale: Whether pixels have mean 0 and deviation 1, or are in [-1, 1], as tanh gives them.
        corpus: Arguments of every corpus.

    Raises:
        CorpusError: A size does not fit the pictures, or a change or an option does not exist.
    """

    ground: Ground | None = None  # of the corpus's pictures, where it is known without them
    submission: Literal["", "label", "probabilities"] = ""  # what Kaggle takes of a picture

    def __init__(
        self,
        crop_size: int | None = None,
        resize: int | None = None,
        augment: Sequence[str | Mapping[str, Any]] = (),
        scale: Literal["standard", "symmetric"] = "standard",
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
        if scale == "symmetric":
            self.mean = self.std = (0.5,) * len(self.mean)
        self.augment = tuple(augment)
        self.augmentation = Augmentation(augment, crop_size or self.size, len(self.mean))

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
        keys = self.seeded(given[0]) if given else None
        if keys is not None:
            images = self.augmentation.change(images, keys)
        images = self.normalise(images).to(self.dtype)
        if keys is not None and self.augmentation.mix:
            images, labels = self.augmentation.mix(images, labels, keys, self.num_classes)
        return images, labels

    def normalise(self, images: Tensor) -> Tensor:
        """uint8 (batch, channels, height, width) -> float32 of `image_size`, normalised."""
        if self.crop_size and self.crop_size != images.shape[-1]:
            images = center_crop(images, [self.crop_size] * 2)
        pixels = super().normalise(images)
        if self.resize and self.resize != images.shape[-1]:
            return interpolate(pixels, size=self.resize, mode="bilinear", antialias=True)
        return pixels

    def state_dict(self) -> dict[str, Any]:
        """Adds what predicting needs: the sizes, the ground, and what Kaggle takes."""
        if self.ground is None and "train" in self.data:
            self.ground = ground_of(self.data["train"])
        return {
            **super().state_dict(),
            "crop_size": self.crop_size,
            "resize": self.resize,
            "ground": self.ground and list(self.ground),
            "submission": self.submission,
        }
