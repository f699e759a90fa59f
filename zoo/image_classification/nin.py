"""Network in network: a small dense network at every pixel, and no dense layer at the end.

As in the course, which widens the paper's blocks to AlexNet's filters for large pictures; the
paper's own network, for CIFAR-10, opens with 5 x 5 at every pixel, as the small stem does.

Paper:  Lin, Chen and Yan 2014, https://arxiv.org/abs/1312.4400, Figure 2
Shapes: (batch, 1, 224, 224) -> (batch, 10)
Size:   1,992,166 parameters
Config: nin-fashion_mnist, nin_small-fashion_mnist
Result: nin_small-fashion_mnist: test accuracy 0.8571 after 2 epochs (real corpus, seed 0,
        2026-11-30: `zoo fit nin_small-fashion_mnist`, `zoo test`)
"""

from typing import Any, Literal

from torch import nn

from zoo.errors import InputError, in_bounds
from zoo.image_classification.task import FASHION_MNIST, ImageClassifier
from zoo.layers.initialisation import he_normal
from zoo.layers.scaling import scaled
from zoo.shapes import Images, Logits


class NiN(ImageClassifier):
    """Four blocks of one convolution and two of 1 x 1, then the mean over the picture.

    Args:
        in_channels: Channels of a picture.
        num_classes: Number of classes; the last block has a feature map for each.
        image_size: Height and width of a picture in pixels, at least 67, or 15 with the small stem.
        stem: imagenet opens with 11 x 11 at every fourth pixel, small with 5 x 5 at every pixel.
        width_ratio: Factor on the filters of the first three blocks.
        dropout: Probability of dropping an input of the last block.
    """

    example_sizes = {**FASHION_MNIST, "image_size": 224}

    def __init__(
        self,
        in_channels: int,
        num_classes: int,
        image_size: int = 224,
        stem: Literal["imagenet", "small"] = "imagenet",
        width_ratio: float = 1.0,
        dropout: float = 0.5,
        **task: Any,
    ) -> None:
        super().__init__(**task)
        self.save_hyperparameters()
        in_bounds(0, 1, dropout=dropout)
        least = {"imagenet": 67, "small": 15}[stem]
        if image_size < least:
            raise InputError(
                f"NiN with stem {stem} needs pictures of at least {least} pixels, not {image_size}"
            )
        kernel, stride, padding = (11, 4, 0) if stem == "imagenet" else (5, 1, 2)
        one, two, three = (scaled(width, width_ratio) for width in (96, 256, 384))
        self.features = nn.Sequential(
            nin_block(in_channels, one, kernel, stride, padding),  # 54 x 54
            nn.MaxPool2d(3, stride=2),  # 26 x 26
            nin_block(one, two, kernel_size=5, padding=2),
            nn.MaxPool2d(3, stride=2),  # 12 x 12
            nin_block(two, three, kernel_size=3, padding=1),
            nn.MaxPool2d(3, stride=2),  # 5 x 5
            nn.Dropout(dropout),
            nin_block(three, num_classes, kernel_size=3, padding=1),
        )
        self.head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
        he_normal(self.features)

    def forward(self, images: Images) -> Logits:
        return self.head(self.features(images))


def nin_block(
    in_channels: int, out_channels: int, kernel_size: int, stride: int = 1, padding: int = 0
) -> nn.Sequential:
    """A convolution, then a network of two dense layers that every pixel shares."""
    return nn.Sequential(
        *(nn.Conv2d(in_channels, out_channels, kernel_size, stride, padding), nn.ReLU()),
        *(nn.Conv2d(out_channels, out_channels, kernel_size=1), nn.ReLU()),
        *(nn.Conv2d(out_channels, out_channels, kernel_size=1), nn.ReLU()),
    )
