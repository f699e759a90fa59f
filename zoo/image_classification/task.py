"""ImageClassifier: cross-entropy and accuracy.

Batch: (images, labels)
"""

from pathlib import Path
from typing import Any

from lightning.pytorch import Callback
from torch.nn.functional import cross_entropy

from zoo.shapes import Images, Labels, Logits
from zoo.task import Step, Task
from zoo.training.classification_pictures import ClassificationPictures


class ImageClassifier(Task):
    """Base of the image classifiers: `forward` maps images to one logit a class."""

    monitor = "val/accuracy"
    monitor_mode = "max"
    metric_names = ("accuracy",)

    def step(self, batch: tuple[Images, Labels]) -> Step:
        images, labels = batch
        logits = self(images)
        predictions = logits.argmax(dim=1)
        return Step(
            loss=cross_entropy(logits, labels),
            size=len(labels),
            sums={"accuracy": (predictions == labels).sum()},
            predictions=predictions,
        )

    def pictures(self, folder: Path) -> list[Callback]:
        return [ClassificationPictures(folder)]

    def predict_step(self, batch: tuple[Images, Any], batch_idx: int) -> Logits:
        """Class probabilities, one row a picture."""
        return self(batch[0]).softmax(dim=1)
