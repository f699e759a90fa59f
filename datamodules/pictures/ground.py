"""The ground of pictures: how bright their borders are, by which a drawing is told from another."""

from typing import NamedTuple

import torch
from torch import Tensor

from datamodules.batches.in_memory import Rows, WholeBatches

LEAST = 0.3  # difference in brightness that is worth a remark
MOST = 0.1  # deviation of what is one ground; that of photographs is about 0.15
SAMPLE = 64  # pictures of a corpus, evenly spaced


class Ground(NamedTuple):
    """Brightness of the borders of a corpus's pictures, from 0 to 1.

    Attributes:
        mean: Mean.
        std: Deviation.
    """

    mean: float
    std: float

    def differs(self, border: float) -> bool:
        """Whether a border is far from those of a corpus whose pictures have one ground."""
        return self.std < MOST and abs(border - self.mean) > LEAST


def border(images: Tensor) -> Tensor:
    """Returns the mean brightness, from 0 to 1, of the outer sixteenth of each picture.

    Args:
        images: uint8 (..., channels, height, width).
    """
    height, width = images.shape[-2:]
    edge = max(1, min(height, width) // 16)
    frame = torch.ones(height, width, dtype=torch.bool, device=images.device)
    frame[edge : height - edge, edge : width - edge] = False
    return images[..., frame].float().mean((-2, -1)) / 255


def ground_of(rows: WholeBatches) -> Ground | None:
    """Returns the ground of pictures, of which some are looked at; of features there is none."""
    chosen = torch.linspace(0, len(rows) - 1, min(SAMPLE, len(rows))).long()
    images = rows[Rows(0, chosen)][0]
    if images.ndim != 4 or not len(images) or images.dtype != torch.uint8:
        return None
    borders = border(images)
    return Ground(borders.mean().item(), borders.std(correction=0).item())
