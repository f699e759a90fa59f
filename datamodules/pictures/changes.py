"""Random changes of a batch of pictures, on the device, and keyed.

What happens to a picture is a function of its key alone, so that a run that was interrupted
goes on with the same pictures, on one process or several. Each change names its counterpart in
torchvision.transforms.v2, whose kernels do the work; those transforms themselves draw once for a
whole batch, and here each picture of the batch draws for itself.

Mixing (mixup, cutmix) is of a batch by nature: it is torchvision's own transform, and draws by the
key of the batch's first picture.
"""

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import pad
from torchvision.transforms import v2
from torchvision.transforms.v2 import functional as F

# The constants of SplitMix64 (Steele, Lea and Flood 2014, Figure 17), as signed integers.
GAMMA, MIX_1, MIX_2 = -0x61C8864680B583EB, -0x40A7B892E31B1A47, -0x6B2FB644ECCEEE15
LEVELS = 16  # a factor of colour takes one of so many values: one call of the kernel for each

Range = tuple[float, float]


def uniform(keys: Tensor, stream: int) -> Tensor:
    """One number in [0, 1) for each key, independent between streams.

    Args:
        keys: int64, any shape.
        stream: Index among the 64 random numbers that belong to a key.
    """
    x = ((keys << 6) + stream + 1) * GAMMA
    x = (x ^ ((x >> 30) & (1 << 34) - 1)) * MIX_1
    x = (x ^ ((x >> 27) & (1 << 37) - 1)) * MIX_2
    x = x ^ ((x >> 31) & (1 << 33) - 1)
    return ((x >> 40) & (1 << 24) - 1).float() / (1 << 24)


def flip(images: Tensor, keys: Tensor, p: float = 0.5) -> Tensor:
    """Mirrors a picture left to right, with probability p; v2.RandomHorizontalFlip."""
    mirrored = (uniform(keys, 0) < p).view(-1, 1, 1, 1)
    return torch.where(mirrored, F.horizontal_flip(images), images)


def vertical_flip(images: Tensor, keys: Tensor, p: float = 0.5) -> Tensor:
    """Mirrors a picture top to bottom, with probability p; v2.RandomVerticalFlip."""
    mirrored = (uniform(keys, 3) < p).view(-1, 1, 1, 1)
    return torch.where(mirrored, F.vertical_flip(images), images)


def crop(images: Tensor, keys: Tensor, padding: int = 4) -> Tensor:
    """Pads with zeros and cuts a window of the old size at random; v2.RandomCrop."""
    if padding < 0:
        raise ValueError(f"padding has to be at least 0, not {padding}")
    height, width = images.shape[-2:]
    rows = _shift(keys, 1, padding) + torch.arange(height, device=images.device)
    columns = _shift(keys, 2, padding) + torch.arange(width, device=images.device)
    padded = pad(images, (padding,) * 4)
    batch = torch.arange(len(images), device=images.device).view(-1, 1, 1)
    windows = padded[batch, :, rows.unsqueeze(2), columns.unsqueeze(1)]  # (batch, h, w, channels)
    return windows.movedim(-1, 1)


def _shift(keys: Tensor, stream: int, padding: int) -> Tensor:
    return (uniform(keys, stream) * (2 * padding + 1)).long().view(-1, 1)


def resized_crop(
    images: Tensor,
    keys: Tensor,
    size: int | None = None,
    scale: Range = (0.08, 1.0),
    ratio: Range = (3 / 4, 4 / 3),
) -> Tensor:
    """Cuts a window of random area and shape and scales it; v2.RandomResizedCrop.

    A window that does not fit is cut down to the picture, where torchvision draws again.

    Args:
        images: uint8 (batch, channels, height, width).
        keys: Key of each picture.
        size: Side of what comes out; by default the height of what goes in.
        scale: Least and greatest share of the area.
        ratio: Least and greatest width over height.
    """
    height, width = images.shape[-2:]
    area = height * width * between(uniform(keys, 4), *scale)
    shape = between(uniform(keys, 5), *map(math.log, ratio)).exp()
    heights = (area / shape).sqrt().round().clamp(1, height)
    widths = (area * shape).sqrt().round().clamp(1, width)
    tops = (uniform(keys, 6) * (height - heights + 1)).floor()
    lefts = (uniform(keys, 7) * (width - widths + 1)).floor()
    windows = torch.stack([tops, lefts, heights, widths], dim=1).long().tolist()
    side = [size or height] * 2
    return torch.stack(
        [
            F.resized_crop(image, *window, size=side, antialias=True)
            for image, window in zip(images, windows, strict=True)
        ]
    )


def between(share: Tensor, low: float, high: float) -> Tensor:
    """The number that lies so far, from 0 to 1, on the way from `low` to `high`."""
    return low + (high - low) * share


def color_jitter(
    images: Tensor,
    keys: Tensor,
    brightness: float = 0.0,
    contrast: float = 0.0,
    saturation: float = 0.0,
    hue: float = 0.0,
) -> Tensor:
    """Changes colours, in the order of the arguments; v2.ColorJitter, whose order is random.

    Args:
        images: uint8 (batch, channels, height, width).
        keys: Key of each picture.
        brightness: Factor of up to 1 plus or minus this.
        contrast: Likewise.
        saturation: Likewise.
        hue: Turn of up to plus or minus this part of the circle, at most 0.5.
    """
    if not 0 <= hue <= 0.5:
        raise ValueError(f"hue has to be from 0 to 0.5, not {hue}")
    turns = (
        (F.adjust_brightness, brightness, 1.0),
        (F.adjust_contrast, contrast, 1.0),
        (F.adjust_saturation, saturation, 1.0),
        (F.adjust_hue, hue, 0.0),
    )
    for stream, (adjust, most, middle) in enumerate(turns, start=8):
        if most:
            levels = (uniform(keys, stream) * LEVELS).long()
            factors = [
                max(middle + most * ((2 * level + 1) / LEVELS - 1), middle - 1)
                for level in range(LEVELS)
            ]
            images = _by_group(images, levels, [partial(_adjust, adjust, f) for f in factors])
    return images


def _adjust(adjust: Callable[[Tensor, float], Tensor], factor: float, images: Tensor) -> Tensor:
    return adjust(images, factor)


def _by_group(
    images: Tensor, groups: Tensor, changes: Sequence[Callable[[Tensor], Tensor]]
) -> Tensor:
    """Changes together the pictures of one group: `changes[group]`."""
    changed = images.clone()
    for group in groups.unique().tolist():
        rows = (groups == group).nonzero().squeeze(1)
        changed[rows] = changes[group](images[rows])
    return changed


def rand_augment(images: Tensor, keys: Tensor, num_ops: int = 2, magnitude: int = 9) -> Tensor:
    """A few of fourteen changes, drawn for each picture; v2.RandAugment.

    Source: Cubuk, Zoph, Shlens and Le 2020, https://arxiv.org/abs/1909.13719

    Args:
        images: uint8 (batch, channels, height, width).
        keys: Key of each picture.
        num_ops: Number of changes, one after another.
        magnitude: Strength of the changes, from 0 to 30.
    """
    if not 0 <= num_ops <= 8:
        raise ValueError(f"num_ops has to be from 0 to 8, not {num_ops}")
    changes = rand_augment_changes(magnitude, *images.shape[-2:])
    for number in range(num_ops):
        which = (uniform(keys, 12 + number) * len(changes)).long()
        images = _by_group(images, which, changes)
    return images


def rand_augment_changes(
    magnitude: int, height: int, width: int
) -> list[Callable[[Tensor], Tensor]]:
    """Fourteen changes with one sign, then with the other; some have none and are the same."""
    if not 0 <= magnitude <= 30:
        raise ValueError(f"magnitude has to be from 0 to 30, not {magnitude}")

    def strength(most: float) -> float:  # as torchvision rounds it
        return torch.linspace(0, most, 31)[magnitude].item()

    changes: list[Callable[[Tensor], Tensor]] = []
    for sign in (1, -1):
        slope = math.degrees(math.atan(sign * strength(0.3)))
        across, down = (int(sign * strength(150 / 331 * side)) for side in (width, height))
        factor = 1 + sign * strength(0.9)
        changes += [
            lambda x: x,
            partial(_affine, shear=[slope, 0.0]),
            partial(_affine, shear=[0.0, slope]),
            partial(_affine, translate=[across, 0]),
            partial(_affine, translate=[0, down]),
            partial(F.rotate, angle=sign * strength(30)),
            partial(_adjust, F.adjust_brightness, factor),
            partial(_adjust, F.adjust_saturation, factor),
            partial(_adjust, F.adjust_contrast, factor),
            partial(_adjust, F.adjust_sharpness, factor),
            partial(F.posterize, bits=8 - round(4 * magnitude / 30)),
            partial(F.solarize, threshold=255 * (1 - strength(1))),
            F.autocontrast,
            F.equalize,
        ]
    return changes


def _affine(
    images: Tensor, translate: Sequence[int] = (0, 0), shear: Sequence[float] = (0.0, 0.0)
) -> Tensor:
    corner = [0.0, 0.0] if any(shear) else None  # torchvision shears about the corner
    return F.affine(images, 0.0, list(translate), 1.0, list(shear), center=corner)


def cutout(images: Tensor, keys: Tensor, hole: int = 16, fill: int = 128) -> Tensor:
    """Covers a square about a random pixel, as far as it lies in the picture; v2.RandomErasing.

    Source: DeVries and Taylor 2017, https://arxiv.org/abs/1708.04552

    Args:
        images: uint8 (batch, channels, height, width).
        keys: Key of each picture.
        hole: Side of the square in pixels.
        fill: Brightness of the square; 128 is near the mean of most corpora.
    """
    height, width = images.shape[-2:]
    rows = _covered(uniform(keys, 30), height, hole)
    columns = _covered(uniform(keys, 31), width, hole)
    covered = rows.unsqueeze(2) & columns.unsqueeze(1)  # (batch, height, width)
    return images.masked_fill(covered.unsqueeze(1), fill)


def _covered(share: Tensor, side: int, hole: int) -> Tensor:
    start = (share * side).long().view(-1, 1) - hole // 2
    pixels = torch.arange(side, device=share.device)
    return (pixels >= start) & (pixels < start + hole)


def mixup(
    images: Tensor, labels: Tensor, keys: Tensor, num_classes: int, alpha: float = 0.2
) -> tuple[Tensor, Tensor]:
    """Blends each picture and its label with another's; v2.MixUp.

    Source: Zhang, Cisse, Dauphin and Lopez-Paz 2018, https://arxiv.org/abs/1710.09412

    Args:
        images: Normalised (batch, channels, height, width).
        labels: (batch,).
        keys: Key of each picture; the first one's decides.
        num_classes: Number of classes.
        alpha: Parameter of the Beta distribution that the share is drawn from.

    Returns:
        The pictures and the share of each class, (batch, classes).
    """
    return _mixed(v2.MixUp(alpha=alpha, num_classes=num_classes), images, labels, keys)


def cutmix(
    images: Tensor, labels: Tensor, keys: Tensor, num_classes: int, alpha: float = 1.0
) -> tuple[Tensor, Tensor]:
    """Replaces a window of each picture by another's, and as much of its label; v2.CutMix.

    Source: Yun et al. 2019, https://arxiv.org/abs/1905.04899; arguments: see `mixup`
    """
    return _mixed(v2.CutMix(alpha=alpha, num_classes=num_classes), images, labels, keys)


def _mixed(
    mix: Callable[..., Any], images: Tensor, labels: Tensor, keys: Tensor
) -> tuple[Tensor, Tensor]:
    seed = int(uniform(keys[:1], 32) * (1 << 24))  # torch itself looks at the lower half of a key
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        images, shares = mix(images, labels)
    return images, shares
