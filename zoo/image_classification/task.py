"""ImageClassifier: cross-entropy and accuracy.

Batch: (images, labels)
"""

from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Callback
from torch import nn
from torch.nn.functional import cross_entropy

from zoo.errors import InputError
from zoo.image_classification.pictures import ClassificationPictures
from zoo.shapes import Features, Images, Labels, Logits, Shares
from zoo.task import Step, Task

IMAGENET = {"in_channels": 3, "image_size": 224, "num_classes": 1000}
FASHION_MNIST = {"in_channels": 1, "image_size": 28, "num_classes": 10}


class ImageClassifier(Task):
    """Base of the image classifiers: `forward` maps images to one logit a class.

    Args:
        label_smoothing: Share of each label that goes to all classes alike, in training.
        test_time_flip: Whether to average over a picture and its mirror image, outside of training.
        channels_last: Whether pictures lie in memory pixel by pixel, which is faster for many
            convolutions, and in bfloat16 for most.
        task: Arguments of every task.
    """

    monitor = "val/accuracy"
    monitor_mode = "max"
    metric_names = ("accuracy",)
    judges = "classes"

    def __init__(
        self,
        label_smoothing: float = 0.0,
        test_time_flip: bool = False,
        channels_last: bool = False,
        **task: Any,
    ) -> None:
        super().__init__(**task)
        if not 0 <= label_smoothing < 1:
            raise InputError(f"label_smoothing must be in [0, 1), not {label_smoothing}")
        self.label_smoothing = label_smoothing
        self.test_time_flip = test_time_flip
        self.channels_last = channels_last

    def setup(self, stage: str) -> None:
        """Lays the weights out as chosen.

        Raises:
            InputError: The processor's kernels cannot be trusted with it: oneDNN's, seen in torch
                2.14, write past the end in a strided 1x1 convolution of so few channels.
        """
        if not self.channels_last:
            return
        on_cpu = self.trainer.strategy.root_device.type == "cpu"
        if on_cpu and any(_strided_and_narrow(module) for module in self.modules()):
            raise InputError(
                "channels_last is not safe on a CPU for strided 1x1 convolutions of fewer than 16 "
                "channels: --model.channels_last false"
            )
        self.to(memory_format=torch.channels_last)

    def classify(self, images: Images | Features) -> Logits:
        """Logits of a batch, in the chosen memory format, of both mirror images where so chosen."""
        if images.ndim == 4 and self.channels_last:
            images = images.contiguous(memory_format=torch.channels_last)
        if images.ndim == 4 and self.test_time_flip and not self.training:
            return (self(images) + self(images.flip(-1))) / 2
        return self(images)

    @classmethod
    def example(cls, rows: int = 1) -> tuple[Images, Labels]:
        channels, side, classes = (cls.example_sizes[name] for name in IMAGENET)
        return torch.randn(rows, channels, side, side), torch.randint(classes, (rows,))

    def step(self, batch: tuple[Images | Features, Labels | Shares]) -> Step:
        images, labels = batch
        logits = self.classify(images)
        predictions = logits.argmax(dim=1)
        classes = labels.argmax(dim=1) if labels.is_floating_point() else labels
        smoothing = self.label_smoothing if self.training else 0.0
        return Step(
            loss=cross_entropy(logits, labels, label_smoothing=smoothing),
            size=len(labels),
            sums={"accuracy": (predictions == classes).sum()},
            predictions=predictions,
            judged=(logits, classes),
        )

    def pictures(self, folder: Path) -> list[Callback]:
        return [ClassificationPictures(folder)]

    def predict_step(self, batch: tuple[Images | Features, Any], batch_idx: int) -> Logits:
        """Class probabilities, one row a picture or row of a table."""
        return self.classify(batch[0]).softmax(dim=1)


def _strided_and_narrow(module: nn.Module) -> bool:
    return (
        isinstance(module, nn.Conv2d)
        and module.kernel_size == (1, 1)
        and module.stride != (1, 1)
        and module.in_channels < 16
    )
