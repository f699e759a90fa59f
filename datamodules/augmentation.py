"""Random changes of pictures, batched, on the device, and keyed.

What happens to a picture is a function of its key alone, so that a run that was interrupted
goes on with the same pictures, on one process or several.
"""

import torch
from torch import Tensor
from torch.nn.functional import pad

# The constants of SplitMix64 (Steele, Lea and Flood 2014, Figure 17), as signed integers.
GAMMA, MIX_1, MIX_2 = -0x61C8864680B583EB, -0x40A7B892E31B1A47, -0x6B2FB644ECCEEE15


def uniform(keys: Tensor, stream: int) -> Tensor:
    """One number in [0, 1) for each key, independent between streams.

    Args:
        keys: int64, any shape.
        stream: Which of the eight random numbers that belong to a key.
    """
    x = ((keys << 3) + stream + 1) * GAMMA
    x = (x ^ ((x >> 30) & (1 << 34) - 1)) * MIX_1
    x = (x ^ ((x >> 27) & (1 << 37) - 1)) * MIX_2
    x = x ^ ((x >> 31) & (1 << 33) - 1)
    return ((x >> 40) & (1 << 24) - 1).float() / (1 << 24)


def flip(images: Tensor, keys: Tensor) -> Tensor:
    """Mirrors every other picture, left to right; (batch, channels, height, width)."""
    mirrored = (uniform(keys, 0) < 0.5).view(-1, 1, 1, 1)
    return torch.where(mirrored, images.flip(-1), images)


def crop(images: Tensor, keys: Tensor, padding: int = 4) -> Tensor:
    """Pads with zeros and cuts a window of the old size at random: a shift by up to `padding`."""
    height, width = images.shape[-2:]
    rows = (uniform(keys, 1) * (2 * padding + 1)).long().view(-1, 1) + torch.arange(
        height, device=images.device
    )
    columns = (uniform(keys, 2) * (2 * padding + 1)).long().view(-1, 1) + torch.arange(
        width, device=images.device
    )
    padded = pad(images, (padding,) * 4)
    batch = torch.arange(len(images), device=images.device).view(-1, 1, 1)
    windows = padded[batch, :, rows.unsqueeze(2), columns.unsqueeze(1)]  # (batch, h, w, channels)
    return windows.movedim(-1, 1)


AUGMENTATIONS = {"flip": flip, "crop": crop}
