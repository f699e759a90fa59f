"""What each anchor of each feature map says, by a convolution over the map.

Source: Liu et al. 2016, https://arxiv.org/abs/1512.02325, Section 2.1
"""

from collections.abc import Sequence

import torch
from torch import nn

from zoo.shapes import AnchorOutputs, FeatureMaps


class MultiBoxHead(nn.Module):
    """For each anchor of all maps a logit for nothing and one a class, and four offsets.

    Args:
        channels: Channels of each map.
        kinds: Anchors of a pixel, of each map.
        num_classes: Classes of objects.
    """

    def __init__(self, channels: Sequence[int], kinds: Sequence[int], num_classes: int) -> None:
        super().__init__()
        self.outputs = num_classes + 5
        self.layers = nn.ModuleList(
            nn.Conv2d(width, number * self.outputs, kernel_size=3, padding=1)
            for width, number in zip(channels, kinds, strict=True)
        )

    def forward(self, maps: FeatureMaps) -> AnchorOutputs:
        outputs = (layer(each) for layer, each in zip(self.layers, maps, strict=True))
        flat = torch.cat([each.permute(0, 2, 3, 1).flatten(1) for each in outputs], 1)
        return flat.unflatten(1, (-1, self.outputs))  # (batch, anchors, outputs)


def kinds_of(sizes: Sequence[Sequence[float]], ratios: Sequence[float]) -> list[int]:
    """How many anchors a pixel of each map has."""
    return [len(some) + len(ratios) - 1 for some in sizes]
