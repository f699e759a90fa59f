"""ResNet: layers learn what to add to their input, so that a hundred of them still train.

The stride of a bottleneck is in its 3x3 convolution, as in the implementations in use.

Paper:  He, Zhang, Ren and Sun 2016, https://arxiv.org/abs/1512.03385, Table 1 and Figure 5
Shapes: (batch, 3, 224, 224) -> (batch, 1000)
Size:   11,689,512 parameters
Config: resnet-cifar10, resnet-fashion_mnist, resnet_fast-cifar10, resnet_small-cifar10,
        resnet_small-fashion_mnist
Result: resnet_small-cifar10: test accuracy 0.8763 after 36 epochs (real corpus, 20,000 of 50,000
        training pictures, seed 0, 2026-11-25: `zoo fit resnet_small-cifar10`, `zoo test`)
Result: resnet_small-fashion_mnist: test accuracy 0.9122 after 2 epochs (real corpus, seed 0,
        2026-11-30: `zoo fit resnet_small-fashion_mnist`, `zoo test`)
"""

from typing import Any, Literal

from torch import nn

from zoo.image_classification.task import IMAGENET, ImageClassifier
from zoo.layers.residual import DEPTHS, stage
from zoo.layers.scaling import scaled
from zoo.layers.stem import first_layers
from zoo.shapes import Images, Logits


class ResNet(ImageClassifier):
    """A stem, four stages of residual blocks, each half the side of the one before, and a mean.

    Args:
        in_channels: Channels of a picture.
        num_classes: Number of classes.
        depth: Layers with weights.
        stem: imagenet divides the side by 4; cifar, for small pictures, keeps it.
        width_ratio: Multiplies all numbers of channels.
    """

    example_sizes = IMAGENET

    def __init__(
        self,
        in_channels: int,
        num_classes: int,
        depth: Literal[18, 34, 50, 101, 152] = 18,
        stem: Literal["imagenet", "cifar"] = "imagenet",
        width_ratio: float = 1.0,
        **task: Any,
    ) -> None:
        super().__init__(**task)
        self.save_hyperparameters()
        block, widths, counts = DEPTHS[depth]
        channels = [scaled(width, width_ratio) for width in (64, *widths)]
        self.stem = first_layers(stem, in_channels, channels[0])
        self.stages = nn.Sequential(
            stage(block, counts[0], channels[0], channels[1], stride=1),
            stage(block, counts[1], channels[1], channels[2], stride=2),
            stage(block, counts[2], channels[2], channels[3], stride=2),
            stage(block, counts[3], channels[3], channels[4], stride=2),
        )
        self.head = nn.Sequential(
            nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels[4], num_classes)
        )

    def forward(self, images: Images) -> Logits:
        return self.head(self.stages(self.stem(images)))
