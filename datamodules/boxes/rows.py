"""Pictures with any number of boxes each, from which padded batches are gathered.

A box is left, top, right, bottom, as fractions of the picture's width and height.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from datamodules.batches.in_memory import IGNORED, Rows, WholeBatches
from datamodules.batches.ragged import Ragged


class DetectionBatch(NamedTuple):
    """Pictures and the boxes of what they show.

    Attributes:
        images: (batch, channels, size, size).
        boxes: float32 (batch, most, 4); 0 where there is none.
        labels: int64 (batch, most), the class of each; -100 where there is no box.
    """

    images: Tensor
    boxes: Tensor
    labels: Tensor


class Boxes:
    """The boxes of all pictures, one after another; those of any, padded, come in one gather.

    Args:
        boxes: float32 (total, 4).
        labels: int64 (total).
        counts: int64 (pictures), how many boxes each has.
    """

    def __init__(self, boxes: Tensor, labels: Tensor, counts: Tensor) -> None:
        self.boxes, self.labels, self.counts = boxes, labels, counts
        # The last row of each table is what pads.
        self._boxes = torch.cat([boxes, boxes.new_zeros(1, 4)])
        self._labels = torch.cat([labels, labels.new_full((1,), IGNORED)])
        self._places = Ragged(torch.arange(len(labels) + 1, device=labels.device), counts)

    def __len__(self) -> int:
        return len(self.counts)

    def padded(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        """The boxes of these pictures, (batch, most, 4), and their labels, (batch, most).

        Args:
            pictures: int64 (batch), on the processor.
        """
        none = len(self.labels)
        places, _ = self._places.padded(pictures, none)
        if places.shape[1] == 0:  # pictures without boxes train too
            places = places.new_full((len(pictures), 1), none)
        return self._boxes[places], self._labels[places]

    def to(self, device: torch.device | str) -> "Boxes":
        """The same boxes on `device`."""
        return Boxes(self.boxes.to(device), self.labels.to(device), self.counts)


class BoxedPictures(WholeBatches):
    """Pictures and their boxes.

    Args:
        pictures: Rows of which a batch begins with the pictures, and ends with keys or without.
        boxes: Boxes of these pictures and of others.
        chosen: Index in `boxes` of each picture, int64.
    """

    def __init__(self, pictures: WholeBatches, boxes: Boxes, chosen: Tensor) -> None:
        self.pictures, self.boxes, self.chosen = pictures, boxes, chosen

    def __len__(self) -> int:
        return len(self.chosen)

    def __getitem__(self, rows: Rows) -> tuple[Tensor, ...]:
        images, _, *keys = self.pictures[rows]
        return (images, *self.boxes.padded(self.chosen[rows.indices]), *keys)

    def to(self, device: torch.device | str) -> "BoxedPictures":  # type: ignore[override]
        """All rows in the memory of `device`."""
        return BoxedPictures(self.pictures.to(device), self.boxes.to(device), self.chosen)
