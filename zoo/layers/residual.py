"""Residual blocks and stages: He et al. 2016, https://arxiv.org/abs/1512.03385, Figure 5."""

from collections.abc import Callable

from torch import Tensor, nn
from torch.nn import functional as F

from zoo.layers.stem import convolution


class Residual(nn.Module):
    """y = relu(F(x) + x), where W x stands for x if the shapes of F(x) and x differ.

    Args:
        residual: F, from (batch, in_channels, height, width) to (batch, out_channels, height /
            stride, width / stride).
        in_channels: Channels of x.
        out_channels: Channels of y.
        stride: Of F in all.
    """

    def __init__(
        self, residual: nn.Module, in_channels: int, out_channels: int, stride: int
    ) -> None:
        super().__init__()
        self.residual = residual
        same = stride == 1 and in_channels == out_channels
        self.shortcut = (
            nn.Identity()
            if same
            else nn.Sequential(*convolution(in_channels, out_channels, 1, stride))
        )

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.residual(x) + self.shortcut(x))


def basic(in_channels: int, out_channels: int, stride: int) -> Residual:
    """Two convolutions of 3x3."""
    layers = nn.Sequential(
        *(*convolution(in_channels, out_channels, 3, stride), nn.ReLU(inplace=True)),
        *convolution(out_channels, out_channels, 3),
    )
    return Residual(layers, in_channels, out_channels, stride)


def bottleneck(
    in_channels: int, out_channels: int, stride: int, width: int | None = None, groups: int = 1
) -> Residual:
    """1x1 to the width, 3x3 in groups at the width, 1x1 to out_channels.

    The 3x3 has the stride (in the paper the first 1x1, which leaves three quarters of x unread).

    Args:
        in_channels: Channels of x.
        out_channels: Channels of y.
        stride: Of the block.
        width: Channels between; by default a quarter of out_channels.
        groups: Of the 3x3; the cardinality of ResNeXt.
    """
    width = width or max(1, out_channels // 4)
    layers = nn.Sequential(
        *(*convolution(in_channels, width, 1), nn.ReLU(inplace=True)),
        *(*convolution(width, width, 3, stride, groups), nn.ReLU(inplace=True)),
        *convolution(width, out_channels, 1),
    )
    return Residual(layers, in_channels, out_channels, stride)


def stage(
    block: Callable[[int, int, int], Residual],
    count: int,
    in_channels: int,
    out_channels: int,
    stride: int,
) -> nn.Sequential:
    """Blocks one after another, of which the first changes channels and side."""
    first = block(in_channels, out_channels, stride)
    return nn.Sequential(first, *(block(out_channels, out_channels, 1) for _ in range(count - 1)))


# Depth: the block, the channels that leave each stage, the blocks of each stage
DEPTHS = {
    18: (basic, (64, 128, 256, 512), (2, 2, 2, 2)),
    34: (basic, (64, 128, 256, 512), (3, 4, 6, 3)),
    50: (bottleneck, (256, 512, 1024, 2048), (3, 4, 6, 3)),
    101: (bottleneck, (256, 512, 1024, 2048), (3, 4, 23, 3)),
    152: (bottleneck, (256, 512, 1024, 2048), (3, 8, 36, 3)),
}
