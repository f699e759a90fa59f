"""ResNeXt: residual blocks of many narrow paths, which is one convolution in groups.

`depth=50` is ResNeXt-50 (32 x 4d); `depth=101, base_width=8` is ResNeXt-101 (32 x 8d); `stem=cifar,
blocks=[3, 3, 3], cardinality=8, base_width=64` is ResNeXt-29 (8 x 64d), of Section 5.3.

Paper:  Xie, Girshick, Dollar, Tu and He 2017, https://arxiv.org/abs/1611.05431, Table 1 and
        Figure 3(c)
Shapes: (batch, 3, 224, 224) -> (batch, 1000)
Size:   25,028,904 parameters
Config: resnext-fashion_mnist, resnext_small-fashion_mnist
Result: resnext_small-fashion_mnist: test accuracy 0.8877 after 1 epoch (real corpus, seed 0,
        2026-11-30: `zoo fit resnext_small-fashion_mnist`, `zoo test`)
"""

from collections.abc import Sequence
from functools import partial
from typing import Any, Literal

from torch import nn

from zoo.errors import InputError, in_bounds
from zoo.image_classification.task import IMAGENET, ImageClassifier
from zoo.layers.residual import bottleneck, stage
from zoo.layers.scaling import scaled
from zoo.layers.stem import first_layers
from zoo.shapes import Images, Logits

CHANNELS = (256, 512, 1024, 2048)  # that leave each stage
DEPTHS = {50: (3, 4, 6, 3), 101: (3, 4, 23, 3)}  # the blocks of each stage


class ResNeXt(ImageClassifier):
    """A stem, stages of grouped bottlenecks, each half the side of the one before, and a mean.

    Args:
        in_channels: Channels of a picture.
        num_classes: Number of classes.
        depth: Layers with weights.
        blocks: Blocks of each of up to four stages, in place of those of the depth.
        cardinality: Paths of a block: the groups of its 3x3 convolution.
        base_width: Channels of a path in the first stage; each stage doubles them.
        stem: imagenet divides the side by 4; cifar, for small pictures, keeps it.
        width_ratio: Multiplies all numbers of channels, those of a path too, not the paths.
    """

    example_sizes = IMAGENET

    def __init__(
        self,
        in_channels: int,
        num_classes: int,
        depth: Literal[50, 101] = 50,
        blocks: Sequence[int] | None = None,
        cardinality: int = 32,
        base_width: int = 4,
        stem: Literal["imagenet", "cifar"] = "imagenet",
        width_ratio: float = 1.0,
        **task: Any,
    ) -> None:
        super().__init__(**task)
        self.save_hyperparameters()
        in_bounds(1, blocks=blocks, cardinality=cardinality, base_width=base_width)
        previous = scaled(64, width_ratio)
        self.stem = first_layers(stem, in_channels, previous)
        self.stages = nn.Sequential()
        counts = blocks or DEPTHS[depth]
        if len(counts) > len(CHANNELS):
            raise InputError(f"ResNeXt has up to {len(CHANNELS)} stages, not {len(counts)}")
        for i, (channels, count) in enumerate(zip(CHANNELS, counts, strict=False)):
            width = cardinality * scaled(base_width * 2**i, width_ratio)
            block = partial(bottleneck, width=width, groups=cardinality)
            out_channels = scaled(channels, width_ratio)
            self.stages.append(stage(block, count, previous, out_channels, stride=2 if i else 1))
            previous = out_channels
        self.head = nn.Sequential(
            nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(previous, num_classes)
        )

    def forward(self, images: Images) -> Logits:
        return self.head(self.stages(self.stem(images)))
