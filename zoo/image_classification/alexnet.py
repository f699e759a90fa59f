"""AlexNet: the network that won ImageNet in 2012 and made convolutions the rule.

The default is the one-column form, as torchvision builds it: 64 first filters, two pixels of
padding round the picture, a 6 x 6 grid before the dense layers. The course keeps the filters of
the two columns (96, 256, 384, 384, 256) without that padding, so its grid is 5 x 5; its trimmed
network has one dense layer fewer: `form="course", dense_layers=1`. Neither normalises responses.

Paper:  Krizhevsky 2014, https://arxiv.org/abs/1404.5997, section 5; two columns: Krizhevsky,
        Sutskever and Hinton 2012, https://doi.org/10.1145/3065386, Figure 2
Shapes: (batch, 3, 224, 224) -> (batch, 1000)
Size:   61,100,840 parameters
Config: alexnet-fashion_mnist, alexnet_small-fashion_mnist
Result: alexnet_small-fashion_mnist: test accuracy 0.8695 after 2 epochs (real corpus, seed 0,
        2026-11-30: `zoo fit alexnet_small-fashion_mnist`, `zoo test`)
"""

from typing import Any, Literal

from torch import nn

from zoo.errors import InputError, in_bounds
from zoo.image_classification.task import IMAGENET, ImageClassifier
from zoo.layers.initialisation import he_normal, near_zero
from zoo.layers.scaling import scaled
from zoo.shapes import Images, Logits

FILTERS = {"one-column": (64, 192, 384, 256, 256), "course": (96, 256, 384, 384, 256)}
PADDING = {"one-column": 2, "course": 0}


class AlexNet(ImageClassifier):
    """Five convolutions with three poolings, then dense layers with dropout.

    Args:
        in_channels: Channels of a picture.
        num_classes: Number of classes.
        image_size: Height and width of a picture in pixels, at least 63 (67 in the course's form)
            or 15 with the small stem. The grid before the dense layers follows from it; pictures of
            other sizes are averaged to that grid.
        form: Filters and padding as in the one-column form or as in the course.
        stem: imagenet opens with 11 x 11 at every fourth pixel, small with 3 x 3 at every pixel.
        dense_layers: Hidden dense layers; the course's trimmed network has 1.
        width_ratio: Factor on all filters and dense widths.
        dropout: Probability of dropping an input of a hidden dense layer.
    """

    example_sizes = IMAGENET

    def __init__(
        self,
        in_channels: int,
        num_classes: int,
        image_size: int = 224,
        form: Literal["one-column", "course"] = "one-column",
        stem: Literal["imagenet", "small"] = "imagenet",
        dense_layers: int = 2,
        width_ratio: float = 1.0,
        dropout: float = 0.5,
        **task: Any,
    ) -> None:
        super().__init__(**task)
        self.save_hyperparameters()
        in_bounds(0, dense_layers=dense_layers)
        in_bounds(0, 1, dropout=dropout)
        one, two, three, four, five = (scaled(width, width_ratio) for width in FILTERS[form])
        kernel, stride, padding = (11, 4, PADDING[form]) if stem == "imagenet" else (3, 1, 1)
        side = (image_size + 2 * padding - kernel) // stride + 1
        for _ in range(3):
            side = (side - 1) // 2  # a pooling
        if side < 1:
            least = 14 * stride + kernel - 2 * padding
            raise InputError(
                f"AlexNet with stem {stem} needs pictures of at least {least} pixels, "
                f"not {image_size}"
            )
        grid = min(6, side)
        self.features = nn.Sequential(
            *(nn.Conv2d(in_channels, one, kernel, stride, padding), nn.ReLU()),  # 55 x 55
            nn.MaxPool2d(3, stride=2),  # 27 x 27
            *(nn.Conv2d(one, two, kernel_size=5, padding=2), nn.ReLU()),
            nn.MaxPool2d(3, stride=2),  # 13 x 13
            *(nn.Conv2d(two, three, kernel_size=3, padding=1), nn.ReLU()),
            *(nn.Conv2d(three, four, kernel_size=3, padding=1), nn.ReLU()),
            *(nn.Conv2d(four, five, kernel_size=3, padding=1), nn.ReLU()),
            nn.MaxPool2d(3, stride=2),  # 6 x 6
        )
        self.head = nn.Sequential(nn.AdaptiveAvgPool2d(grid), nn.Flatten())
        width, hidden = five * grid * grid, scaled(4096, width_ratio)
        for _ in range(dense_layers):
            self.head.extend([nn.Dropout(dropout), nn.Linear(width, hidden), nn.ReLU()])
            width = hidden
        classifier = nn.Linear(width, num_classes)
        self.head.append(classifier)
        he_normal(self.features, self.head[:-1])
        near_zero(classifier)

    def forward(self, images: Images) -> Logits:
        return self.head(self.features(images))
