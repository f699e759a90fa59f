"""FastStyle: a network that paints any picture in one style at once, by neural style's losses.

Each picture is normalised by itself, its contrast with it, and what was made smaller is enlarged
before it is convolved, which leaves no checkerboard. Instead of the paper's border of 40 pixels,
each convolution sees its map mirrored at the edge, so that pictures keep their size.

Paper:  Johnson, Alahi and Fei-Fei 2016, https://arxiv.org/abs/1603.08155, Figure 2; instance
        normalisation: Ulyanov, Vedaldi and Lempitsky 2017, https://arxiv.org/abs/1701.02096;
        enlarging: Odena, Dumoulin and Olah 2016, https://distill.pub/2016/deconv-checkerboard
Shapes: (batch, 3, 256, 256) -> (batch, 3, 256, 256)
Size:   1,677,635 parameters
Config: fast_style-style_pictures, fast_style_zoo-style_pictures
Result: fast_style_zoo-style_pictures: loss of the content 6.7447, of the style 1.3023, of the total
        variation 0.2489 after 3 epochs (real corpus, seed 0, 2026-11-30: `zoo fit
        resnet_small-cifar10 --trainer.max_epochs=10`, `zoo fit fast_style_zoo-style_pictures`)
"""

from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Callback
from torch import Tensor, nn

from zoo.errors import InputError, in_bounds
from zoo.layers.scaling import scaled
from zoo.pretrained.tapped_network import MEAN, STD
from zoo.shapes import FeatureMap, Images
from zoo.style_transfer.pictures import StyledPictures, as_bytes
from zoo.style_transfer.task import StyleTransfer

LEAST = 8  # pixels of a side, for a quarter of it is mirrored at its edges


class FastStyle(StyleTransfer):
    """To a quarter of the side, through residual blocks, and back; pictures of any size.

    Args:
        num_blocks: Residual blocks.
        width_ratio: Factor on all numbers of channels.
        style: Arguments of all that paints.
    """

    example_sizes = {"image_sizes": [(256, 256)]}

    def __init__(self, num_blocks: int = 5, width_ratio: float = 1.0, **style: Any) -> None:
        super().__init__(**style)
        self.save_hyperparameters()
        in_bounds(1, num_blocks=num_blocks)
        first, second, third = (scaled(width, width_ratio) for width in (32, 64, 128))
        self.encoder = nn.Sequential(
            *convolution(3, first, 9),
            *convolution(first, second, 3, stride=2),
            *convolution(second, third, 3, stride=2),
        )
        self.blocks = nn.Sequential(*(Block(third) for _ in range(num_blocks)))
        self.decoder = nn.Sequential(
            *(nn.Upsample(scale_factor=2), *convolution(third, second, 3)),
            *(nn.Upsample(scale_factor=2), *convolution(second, first, 3)),
            nn.Conv2d(first, 3, 9, padding=4, padding_mode="reflect"),
        )
        self.register_buffer("mean", torch.tensor(MEAN).view(-1, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(STD).view(-1, 1, 1), persistent=False)

    def forward(self, images: Images) -> Images:
        """Pictures normalised as ImageNet is, in the style that was learnt.

        Raises:
            InputError: They are too small.
        """
        height, width = images.shape[2:]
        if min(height, width) < LEAST:
            raise InputError(f"pictures have to have {LEAST} pixels a side, not {height} x {width}")
        painted = self.decoder(self.blocks(self.encoder(images)))
        pixels = painted[:, :, :height, :width].sigmoid()
        return (pixels - self.mean) / self.std

    def predict_step(self, batch: tuple[Images], batch_idx: int) -> list[Tensor]:
        """Each picture painted, uint8 (3, height, width)."""
        return list(as_bytes(self(batch[0])))

    def pictures(self, folder: Path) -> list[Callback]:
        return [StyledPictures(folder)]


class Block(nn.Module):
    """x + F(x), and no ReLU after it: Gross and Wilber 2016, as in the paper.

    Args:
        channels: Channels of x.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.residual = nn.Sequential(
            *convolution(channels, channels, 3), *convolution(channels, channels, 3)[:2]
        )

    def forward(self, x: FeatureMap) -> FeatureMap:
        return x + self.residual(x)


def convolution(
    in_channels: int, out_channels: int, kernel_size: int, stride: int = 1
) -> tuple[nn.Conv2d, nn.InstanceNorm2d, nn.ReLU]:
    """A convolution of the mirrored map, without bias, for the normalisation would take it away."""
    layer = nn.Conv2d(
        in_channels,
        out_channels,
        kernel_size,
        stride=stride,
        padding=kernel_size // 2,
        padding_mode="reflect",
        bias=False,
    )
    return layer, nn.InstanceNorm2d(out_channels, affine=True), nn.ReLU(inplace=True)
