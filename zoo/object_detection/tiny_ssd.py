"""TinySSD: anchors on five maps of a small network find objects of all sizes at once.

Paper:  Liu et al. 2016, https://arxiv.org/abs/1512.02325, Figure 2; as small as the course's:
        Zhang et al. 2023, https://d2l.ai/chapter_computer-vision/ssd.html
Shapes: (batch, 3, 256, 256) -> (batch, 5444, 6)
Size:   1,009,384 parameters
Config: tiny_ssd-bananas, tiny_ssd-pikachu
Result: tiny_ssd-pikachu: mAP at an overlap of 0.5 0.0638, mAP from 0.5 to 0.95 0.0150, class error
        0.000499, offsets' error 0.000438 after 20 epochs (real corpus, 260 of 900 training rows,
        seed 0, 2026-11-30: `zoo fit tiny_ssd-pikachu`, `zoo test`)
"""

from typing import Any

from torch import nn

from zoo.errors import InputError
from zoo.layers.scaling import scaled
from zoo.layers.stem import convolution
from zoo.object_detection.multibox_head import MultiBoxHead, kinds_of
from zoo.object_detection.task import BANANAS, Detector
from zoo.shapes import FeatureMaps, Images


class TinySSD(Detector):
    """Three halvings, then a map after each of three more stages and of a maximum over all.

    Args:
        in_channels: Channels of a picture.
        num_classes: Classes of objects.
        width_ratio: Multiplies all numbers of channels.
        detector: Arguments of every detector.
    """

    example_sizes = BANANAS

    def __init__(
        self, in_channels: int, num_classes: int, width_ratio: float = 1.0, **detector: Any
    ) -> None:
        super().__init__(num_classes, **detector)
        self.save_hyperparameters()
        if len(self.sizes) != 5:
            raise InputError(f"TinySSD has 5 maps, and sizes are given for {len(self.sizes)}")
        one, two, three, wide = (scaled(width, width_ratio) for width in (16, 32, 64, 128))
        self.stages = nn.Sequential(
            nn.Sequential(halving(in_channels, one), halving(one, two), halving(two, three)),
            halving(three, wide),
            halving(wide, wide),
            halving(wide, wide),
            nn.AdaptiveMaxPool2d(1),
        )
        channels = [three, wide, wide, wide, wide]
        self.head = MultiBoxHead(channels, kinds_of(self.sizes, self.ratios), num_classes)

    def maps(self, images: Images) -> FeatureMaps:
        maps, x = [], images
        for stage in self.stages:
            x = stage(x)
            maps.append(x)
        return maps


def halving(in_channels: int, out_channels: int) -> nn.Sequential:
    """Two convolutions of 3x3 with normalisation, and half the side."""
    return nn.Sequential(
        *(*convolution(in_channels, out_channels, 3), nn.ReLU(inplace=True)),
        *(*convolution(out_channels, out_channels, 3), nn.ReLU(inplace=True)),
        nn.MaxPool2d(2),
    )
