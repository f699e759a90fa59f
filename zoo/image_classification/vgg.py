"""VGG: blocks of 3 x 3 convolutions, each block half the size and twice the filters.

The course calls VGG-11 VGG; its small form has an eighth of the filters, that of d2l's later
edition a quarter: `width_ratio=0.125` or 0.25, which there leaves the dense layers whole and here
narrows them too.

Paper:  Simonyan and Zisserman 2015, https://arxiv.org/abs/1409.1556, Table 1, columns A, B, D, E
Shapes: (batch, 3, 224, 224) -> (batch, 1000)
Size:   132,863,336 parameters
Config: vgg-fashion_mnist, vgg_small-fashion_mnist
Result: vgg_small-fashion_mnist: test accuracy 0.8828 after 2 epochs (real corpus, seed 0,
        2026-11-30: `zoo fit vgg_small-fashion_mnist`, `zoo test`)
"""

from typing import Any, Literal

from torch import nn

from zoo.errors import InputError, in_bounds
from zoo.image_classification.task import IMAGENET, ImageClassifier
from zoo.layers.initialisation import he_normal, near_zero
from zoo.layers.scaling import scaled
from zoo.shapes import Images, Logits

FILTERS = (64, 128, 256, 512, 512)
CONVOLUTIONS = {
    11: (1, 1, 2, 2, 2),
    13: (2, 2, 2, 2, 2),
    16: (2, 2, 3, 3, 3),
    19: (2, 2, 4, 4, 4),
}


class VGG(ImageClassifier):
    """Five blocks of convolutions, each ending in a pooling, then three dense layers.

    Args:
        in_channels: Channels of a picture.
        num_classes: Number of classes.
        image_size: Height and width of a picture in pixels, at least 32. The grid before the dense
            layers follows from it; pictures of other sizes are averaged to that grid.
        depth: Layers with weights: column A, B, D or E of the table.
        batch_norm: Whether to normalise before each activation; newer than the paper.
        width_ratio: Factor on all filters and dense widths.
        dropout: Probability of dropping an output of a hidden dense layer.
    """

    example_sizes = IMAGENET

    def __init__(
        self,
        in_channels: int,
        num_classes: int,
        image_size: int = 224,
        depth: Literal[11, 13, 16, 19] = 11,
        batch_norm: bool = False,
        width_ratio: float = 1.0,
        dropout: float = 0.5,
        **task: Any,
    ) -> None:
        super().__init__(**task)
        self.save_hyperparameters()
        in_bounds(0, 1, dropout=dropout)
        grid = min(7, image_size // 32)
        if grid < 1:
            raise InputError(f"VGG needs pictures of at least 32 pixels, not {image_size}")
        self.features = nn.Sequential()
        channels = in_channels
        for filters, convolutions in zip(FILTERS, CONVOLUTIONS[depth], strict=True):
            width = scaled(filters, width_ratio)
            for _ in range(convolutions):
                self.features.append(nn.Conv2d(channels, width, kernel_size=3, padding=1))
                if batch_norm:
                    self.features.append(nn.BatchNorm2d(width))
                self.features.append(nn.ReLU())
                channels = width
            self.features.append(nn.MaxPool2d(2))  # 112, 56, 28, 14, 7
        hidden = scaled(4096, width_ratio)
        classifier = nn.Linear(hidden, num_classes)
        self.head = nn.Sequential(
            *(nn.AdaptiveAvgPool2d(grid), nn.Flatten()),
            *(nn.Linear(channels * grid * grid, hidden), nn.ReLU(), nn.Dropout(dropout)),
            *(nn.Linear(hidden, hidden), nn.ReLU(), nn.Dropout(dropout)),
            classifier,
        )
        he_normal(self.features, self.head[:-1])
        near_zero(classifier)

    def forward(self, images: Images) -> Logits:
        return self.head(self.features(images))
