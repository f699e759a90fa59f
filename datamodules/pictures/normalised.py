"""What all corpora of pictures share, whatever is asked of a picture: classes, normalisation.

Batch: (images, ...), of which each corpus says the rest
"""

from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from datamodules.batches.held_out import HeldOut
from datamodules.corpus import Corpus
from datamodules.files.errors import CorpusError

SPREAD = 0x9E3779B97F4A7C15  # odd, near 2^64 over the golden ratio: neighbouring seeds lie apart


class Normalised(Corpus):
    """Pictures that reach a network with mean 0 and deviation 1.

    A corpus sets the mean and the deviation of its pixels in [0, 1], one a channel (`mean` and
    `std`); by default those of ImageNet.
    """

    mean: tuple[float, ...] = (0.485, 0.456, 0.406)
    std: tuple[float, ...] = (0.229, 0.224, 0.225)

    @property
    def dtype(self) -> torch.dtype:
        """Type of the pictures that the model takes."""
        model: Any = self.trainer.lightning_module if self.trainer else None
        return model.dtype if model else torch.float32

    def denormalise(self, images: Tensor) -> Tensor:
        """Returns normalised pictures as floats in [0, 1], to be looked at."""
        mean = torch.tensor(self.mean, device=images.device).view(-1, 1, 1)
        std = torch.tensor(self.std, device=images.device).view(-1, 1, 1)
        return (images.float() * std + mean).clamp(0, 1)


class NormalisedPictures(Normalised, HeldOut):
    """Pictures of classes that are bytes in memory and are normalised on the device.

    A corpus sets the names of its classes (`labels`) and the side of its pictures (`size`).
    """

    predicts = "PICTURE ..."
    labels: tuple[str, ...]
    size: int

    def files_to_predict(self) -> list[Path]:
        """Folders or zips of the pictures that came without labels, where the corpus has some."""
        return []

    @cached_property
    def in_channels(self) -> int:
        return len(self.mean)

    @cached_property
    def num_classes(self) -> int:
        return len(self.labels)

    def seeded(self, keys: Tensor) -> Tensor:
        """The keys of rows, moved by the run's seed: random changes are drawn from these."""
        return keys + self.seed * SPREAD % 2**62

    def normalise(self, images: Tensor) -> Tensor:
        """uint8 (batch, channels, height, width) -> float32, normalised.

        In memory plane by plane, whatever changed them; a model that wants pixels together
        (`channels_last`) says so, for not every network is safe with them.
        """
        scale, shift = self._scale.to(images.device), self._shift.to(images.device)
        pixels = images.to(torch.float32, memory_format=torch.contiguous_format)
        return pixels.mul_(scale).add_(shift)  # a third of the time of addcmul

    @cached_property
    def _scale(self) -> Tensor:
        return 1 / (255 * torch.tensor(self.std).view(-1, 1, 1))

    @cached_property
    def _shift(self) -> Tensor:
        return -(torch.tensor(self.mean) / torch.tensor(self.std)).view(-1, 1, 1)

    def state_dict(self) -> dict[str, Any]:
        """Adds what predicting needs: names of the classes, the size and normalisation."""
        return {
            **super().state_dict(),
            "labels": list(self.labels),
            "size": self.size,
            "crop_size": None,
            "resize": None,
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
