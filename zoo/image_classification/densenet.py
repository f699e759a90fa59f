"""DenseNet: each layer reads the outputs of all layers before it, and adds a few channels.

The course's small network is `blocks=[4, 4, 4, 4], bottleneck=None`.

Paper:  Huang, Liu, van der Maaten and Weinberger 2017, https://arxiv.org/abs/1608.06993, Table 1
Shapes: (batch, 3, 224, 224) -> (batch, 1000)
Size:   7,978,856 parameters
Config: densenet-fashion_mnist, densenet_small-fashion_mnist
Result: densenet_small-fashion_mnist: test accuracy 0.8880 after 2 epochs (real corpus, seed 0,
        2026-11-30: `zoo fit densenet_small-fashion_mnist`, `zoo test`)
"""

from collections.abc import Sequence
from typing import Any, Literal

import torch
from torch import Tensor, nn

from zoo.errors import in_bounds
from zoo.image_classification.task import IMAGENET, ImageClassifier
from zoo.layers.scaling import scaled
from zoo.layers.stem import first_layers
from zoo.shapes import Images, Logits

DEPTHS = {121: (6, 12, 24, 16), 169: (6, 12, 32, 32), 201: (6, 12, 48, 32)}  # layers of each block


class DenseNet(ImageClassifier):
    """A stem, dense blocks with a transition between any two, which halves the side, and a mean.

    Args:
        in_channels: Channels of a picture.
        num_classes: Number of classes.
        depth: Layers with weights.
        blocks: Layers of each dense block, in place of those of the depth.
        growth: Channels that a layer adds.
        bottleneck: A 1x1 convolution to this many times the growth comes before each 3x3; None: no.
        compression: Share of the channels that a transition keeps.
        stem: imagenet divides the side by 4; cifar, for small pictures, keeps it.
        width_ratio: Multiplies the growth and the channels of the stem, and so all others.
    """

    example_sizes = IMAGENET

    def __init__(
        self,
        in_channels: int,
        num_classes: int,
        depth: Literal[121, 169, 201] = 121,
        blocks: Sequence[int] | None = None,
        growth: int = 32,
        bottleneck: int | None = 4,
        compression: float = 0.5,
        stem: Literal["imagenet", "cifar"] = "imagenet",
        width_ratio: float = 1.0,
        **task: Any,
    ) -> None:
        super().__init__(**task)
        self.save_hyperparameters()
        in_bounds(1, blocks=blocks, growth=growth, bottleneck=bottleneck)
        in_bounds(0, 1, compression=compression)
        channels, growth = scaled(64, width_ratio), scaled(growth, width_ratio)
        self.stem = first_layers(stem, in_channels, channels)
        self.stages = nn.Sequential()
        for i, count in enumerate(blocks or DEPTHS[depth]):
            if i:
                kept = max(1, int(channels * compression))
                self.stages.append(
                    nn.Sequential(*convolution(channels, kept, kernel_size=1), nn.AvgPool2d(2))
                )
                channels = kept
            layers = [Dense(channels + j * growth, growth, bottleneck) for j in range(count)]
            self.stages.append(nn.Sequential(*layers))
            channels += count * growth
        self.head = nn.Sequential(
            *(nn.BatchNorm2d(channels), nn.ReLU(inplace=True)),
            *(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, num_classes)),
        )

    def forward(self, images: Images) -> Logits:
        return self.head(self.stages(self.stem(images)))


class Dense(nn.Module):
    """y = [x, H(x)]: H is 1x1 to `bottleneck` times the growth, if any, then 3x3 to the growth."""

    def __init__(self, in_channels: int, growth: int, bottleneck: int | None) -> None:
        super().__init__()
        self.layers = nn.Sequential()
        if bottleneck:
            self.layers.extend(convolution(in_channels, bottleneck * growth, kernel_size=1))
            in_channels = bottleneck * growth
        self.layers.extend(convolution(in_channels, growth, kernel_size=3))

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([x, self.layers(x)], dim=1)


def convolution(in_channels: int, out_channels: int, kernel_size: int) -> list[nn.Module]:
    """Normalisation, activation, convolution: in the order of this paper."""
    layer = nn.Conv2d(in_channels, out_channels, kernel_size, padding=kernel_size // 2, bias=False)
    nn.init.kaiming_normal_(layer.weight)
    return [nn.BatchNorm2d(in_channels), nn.ReLU(inplace=True), layer]
