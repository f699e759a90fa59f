"""SequenceTagger: cross-entropy and accuracy of a tag for each token.

Batch: (tokens, tags)
"""

from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Callback
from torch.nn.functional import cross_entropy

from zoo.sequence_tagging.pictures import TagPictures
from zoo.shapes import IGNORED, TagLogits, Tags, Tokens
from zoo.task import Step, Task


class SequenceTagger(Task):
    """Base of the taggers: `forward` maps tokens to one logit a tag for each of them.

    Tags of -100 count for nothing. Predictions are tags, (batch, steps).
    """

    monitor = "val/accuracy"
    monitor_mode = "max"
    metric_names = ("accuracy",)

    @classmethod
    def example(cls, rows: int = 1) -> tuple[Tokens, Tags]:
        sizes = cls.example_sizes
        shape = rows, sizes["num_steps"]
        return torch.randint(sizes["vocab_size"], shape), torch.randint(sizes["num_tags"], shape)

    def step(self, batch: tuple[Tokens, Tags]) -> Step:
        tokens, tags = batch
        logits: TagLogits = self(tokens)
        predictions = logits.argmax(dim=2)
        size = (tags != IGNORED).sum()
        whole = cross_entropy(
            logits.flatten(0, 1), tags.flatten(), ignore_index=IGNORED, reduction="sum"
        )
        # Of no tags the loss is 0, not 0 / 0.
        loss = whole / size.clamp(min=1)
        return Step(loss, size, {"accuracy": (predictions == tags).sum()}, predictions)

    def pictures(self, folder: Path) -> list[Callback]:
        return [TagPictures(folder)]

    def predict_step(self, batch: tuple[Tokens, Any], batch_idx: int) -> Tags:
        """The most probable tag of each token."""
        return self(batch[0]).argmax(dim=2)
