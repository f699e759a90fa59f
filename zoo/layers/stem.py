"""How a deep network begins, for large pictures and for small: He et al. 2016, Table 1 and 4.2.

Source: https://arxiv.org/abs/1512.03385
"""

from torch import nn


def first_layers(kind: str, in_channels: int, channels: int) -> nn.Sequential:
    """From pictures to the first feature map.

    Args:
        kind: imagenet is 7x7 with stride 2 and 3x3 max pooling, a quarter of the side; cifar is 3x3
            with stride 1, the whole side.
        in_channels: Channels of a picture.
        channels: Channels of the feature map.
    """
    if kind == "cifar":
        return nn.Sequential(*convolution(in_channels, channels, 3), nn.ReLU(inplace=True))
    return nn.Sequential(
        *(*convolution(in_channels, channels, 7, stride=2), nn.ReLU(inplace=True)),
        nn.MaxPool2d(kernel_size=3, stride=2, padding=1),
    )


def convolution(
    in_channels: int, out_channels: int, kernel_size: int, stride: int = 1, groups: int = 1
) -> tuple[nn.Conv2d, nn.BatchNorm2d]:
    """A convolution that keeps the side, but for its stride, and the normalisation after it.

    Without bias, which the normalisation would take away again. Weights as in He et al. 2015,
    https://arxiv.org/abs/1502.01852, Equation 14: variance 2 / (kernel area x out_channels).
    """
    layer = nn.Conv2d(
        in_channels,
        out_channels,
        kernel_size,
        stride=stride,
        padding=kernel_size // 2,
        groups=groups,
        bias=False,
    )
    nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
    return layer, nn.BatchNorm2d(out_channels)
