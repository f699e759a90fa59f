"""DCGAN: convolutions alone, with batch normalisation, make pictures out of noise.

Widths as in the course, half of the paper's; smaller pictures have fewer layers. Labels, where they
are told, are further channels of what both networks read (Mirza and Osindero 2014,
https://arxiv.org/abs/1411.1784).

Paper:  Radford, Metz and Chintala 2016, https://arxiv.org/abs/1511.06434, Figure 1
Shapes: (batch, 100) -> (batch, 3, 64, 64)
Size:   6,342,272 parameters
Config: dcgan-fashion_mnist, dcgan-pokemon, dcgan_course-pokemon
Result: dcgan-fashion_mnist: precision 0.7421, recall 0.7431, Frechet distance by a LeNet's features
        1.3066 after 56 epochs (real corpus, seed 0, 2026-11-28: `zoo fit lenet_relu-fashion_mnist`,
        `zoo fit dcgan-fashion_mnist`, `zoo test` with `--model.feature_network`); seed 1: 0.7435,
        0.7549, 1.5740
Result: dcgan-pokemon: least loss of the discriminator 0.5059, and most of all epochs 0.6661, most
        of the generator 0.9588 after 50 epochs (real corpus, 400 of 40,597 training rows, seed 0,
        2026-11-28: `zoo fit dcgan-pokemon`)
Result: dcgan_course-pokemon: least loss of the discriminator 0.3070, and most of all epochs 3.4558,
        most of the generator 5.1427 after 50 epochs (real corpus, 400 of 40,597 training rows, seed
        0, 2026-11-28: `zoo fit dcgan_course-pokemon`)
"""

from collections.abc import Collection, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import one_hot
from torch.nn.utils.parametrizations import spectral_norm as by_spectral_norm

from zoo.errors import InputError
from zoo.generation.picture_generator import PictureGenerator
from zoo.layers.scaling import scaled
from zoo.shapes import Images, Labels, Noise

SMALLEST, LARGEST = 4, 7  # side of the map that comes first
FIRST = 64  # channels of the largest map


class ConvGeometry(NamedTuple):
    """Of a convolution."""

    kernel_size: int
    stride: int
    padding: int


HALVING = ConvGeometry(4, 2, 1)  # the side, or doubling it where transposed


class DCGAN(PictureGenerator):
    """Each layer of the generator doubles the side; the discriminator goes the way back.

    Pixels are in [-1, 1]. With the gradient penalty or spectral normalisation the discriminator has
    no batch normalisation.

    Args:
        in_channels: Channels of a picture.
        image_size: Side of a picture: 28, 32, 64, or another by doubling 4, 5, 6 or 7.
        num_classes: Number of labels, for a conditional network.
        latent_dim: Values of the noise of a picture.
        width_ratio: Multiplies all numbers of channels.
        spectral_norm: Whether the discriminator's weights are divided by their largest singular
            value (Miyato et al. 2018, https://arxiv.org/abs/1802.05957).
        normalise_first: Whether the discriminator's first layer has batch normalisation, as in the
            course and against the paper.
        eps: Value added to each variance in batch normalisation; the course has 0.8.
        pictures: Arguments of every generator of pictures.

    Raises:
        InputError: The pictures have another size, or labels are wanted and there are none.
    """

    example_sizes = {"in_channels": 3, "image_size": 64, "latent_dim": 100}

    def __init__(
        self,
        in_channels: int,
        image_size: int = 64,
        num_classes: int | None = None,
        latent_dim: int = 100,
        width_ratio: float = 1.0,
        spectral_norm: bool = False,
        normalise_first: bool = False,
        eps: float = 1e-5,
        **pictures: Any,
    ) -> None:
        super().__init__(latent_dim, **pictures)
        self.save_hyperparameters()
        if self.conditional and not num_classes:
            raise InputError("there are no labels to be told: --model.conditional false")
        self.num_labels = (num_classes or 0) if self.conditional else 0
        side, widths = layout(image_size, width_ratio)
        latent, seen = latent_dim + self.num_labels, in_channels + self.num_labels
        generator = generator_of(latent, in_channels, side, widths, eps)
        bare = spectral_norm or self.penalty_weight > 0
        first = 0 if normalise_first else 1
        normalised = () if bare else range(first, len(widths))
        discriminator = discriminator_of(seen, side, widths, normalised, eps)
        for network in (generator, discriminator):
            network.apply(near_zero)
        if spectral_norm:
            for layer in discriminator:
                if isinstance(layer, nn.Conv2d):
                    by_spectral_norm(layer)
        self.assemble(generator, discriminator)

    def latent(self, noise: Noise, labels: Labels | None) -> Tensor:
        """The noise, and a value for each label: 1 for that of the picture."""
        return noise if labels is None else torch.cat([noise, self._one_hot(labels, noise)], 1)

    def seen(self, samples: Images, labels: Labels | None) -> Tensor:
        """The picture, and a channel for each label: ones for that of the picture."""
        if labels is None:
            return samples
        channels = self._one_hot(labels, samples)[:, :, None, None]
        return torch.cat([samples, channels.expand(-1, -1, *samples.shape[2:])], 1)

    def _one_hot(self, labels: Tensor, like: Tensor) -> Tensor:
        return one_hot(labels, self.num_labels).to(like.dtype)


def layout(image_size: int, width_ratio: float) -> tuple[int, list[int]]:
    """The side of the smallest map, and the channels of each, from the largest map on.

    Raises:
        InputError: The pictures are too small, or their side cannot be had by doubling.
    """
    side, widths = image_size, list[int]()
    while side > LARGEST and side % 2 == 0:
        widths.append(scaled(FIRST * 2 ** len(widths), width_ratio))
        side //= 2
    if not SMALLEST <= side <= LARGEST or len(widths) < 2:
        raise InputError(
            f"DCGAN makes pictures of 28, 32, 64 or 128 pixels, not {image_size}: --data.resize"
        )
    return side, widths


def generator_of(
    latent: int, out_channels: int, side: int, widths: Sequence[int], eps: float
) -> nn.Sequential:
    """(batch, latent) -> (batch, out_channels, height, width) in [-1, 1]."""
    layers: list[nn.Module] = [nn.Unflatten(1, (latent, 1, 1))]
    channels, geometry = latent, ConvGeometry(side, 1, 0)
    for width in reversed(widths):
        layers.append(nn.ConvTranspose2d(channels, width, *geometry, bias=False))
        layers += [nn.BatchNorm2d(width, eps), nn.ReLU(inplace=True)]
        channels, geometry = width, HALVING
    layers += [nn.ConvTranspose2d(channels, out_channels, *geometry, bias=False), nn.Tanh()]
    return nn.Sequential(*layers)


def discriminator_of(
    channels: int, side: int, widths: Sequence[int], normalised: Collection[int], eps: float
) -> nn.Sequential:
    """(batch, channels, height, width) -> (batch, 1, 1, 1).

    Args:
        channels: Channels of its input.
        side: Side of the smallest map.
        widths: Channels of the maps, from the largest on.
        normalised: Numbers of the layers with batch normalisation.
        eps: Value added to each variance in batch normalisation.
    """
    layers: list[nn.Module] = []
    for index, width in enumerate(widths):
        layers.append(nn.Conv2d(channels, width, *HALVING, bias=False))
        if index in normalised:
            layers.append(nn.BatchNorm2d(width, eps))
        layers.append(nn.LeakyReLU(0.2, inplace=True))
        channels = width
    return nn.Sequential(*layers, nn.Conv2d(channels, 1, side, bias=False))


def near_zero(layer: nn.Module) -> None:
    """Draws weights from N(0, 0.02), and the gains of batch normalisation from N(1, 0.02)."""
    if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
        nn.init.normal_(layer.weight, std=0.02)
    elif isinstance(layer, nn.BatchNorm2d):
        nn.init.normal_(layer.weight, 1.0, 0.02)
