"""The random changes of training pictures and their boxes that a recipe names."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor

from datamodules.boxes import changes
from datamodules.boxes.rows import DetectionBatch
from datamodules.pictures.augmentation import named_change, tried

CHANGES: dict[str, Callable[..., DetectionBatch]] = {
    change.__name__: change
    for change in (changes.flip, changes.crop, changes.zoom_out, changes.color_jitter)
}
GIVEN = ("batch", "keys", "fill")  # by the corpus, not by the recipe


class BoxAugmentation:
    """The changes that a recipe names, tried out once so that a bad option is found at once.

    Args:
        named: Names of changes, or mappings from one name to its options: `{flip: {p: 0.3}}`.
        size: Side of the pictures.
        mean: Mean of the pixels in [0, 1], one a channel: the ground that a picture is put on.

    Raises:
        CorpusError: There is no such change or option, or a value is none that it takes.
    """

    def __init__(
        self, named: Sequence[str | Mapping[str, Any]], size: int, mean: Sequence[float]
    ) -> None:
        self.changes: list[Callable[[DetectionBatch, Tensor], DetectionBatch]] = []
        trial = DetectionBatch(
            torch.zeros(2, len(mean), size, size, dtype=torch.uint8),
            torch.tensor([0.0, 0.0, 1.0, 1.0]).repeat(2, 1, 1),
            torch.zeros(2, 1, dtype=torch.long),
        )
        for entry in named:
            name, options = named_change(entry, CHANGES, GIVEN)
            if name == "zoom_out":
                options["fill"] = 255 * torch.tensor(mean)
            change = partial(CHANGES[name], **options)
            self.changes.append(tried(name, change, trial, torch.arange(2)))

    def change(self, batch: DetectionBatch, keys: Tensor) -> DetectionBatch:
        """Pictures as bytes and their boxes -> the same, each changed by its key."""
        for change in self.changes:
            batch = change(batch, keys)
        return batch
