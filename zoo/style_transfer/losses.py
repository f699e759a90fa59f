"""What a painted picture is judged by: what it shows, its style, and its smoothness.

Source: Gatys, Ecker and Bethge 2016, https://doi.org/10.1109/CVPR.2016.265, equations 1, 3, 4 and
        5, as means, as in the course: https://d2l.ai/chapter_computer-vision/neural-style.html;
        Mahendran and Vedaldi 2015, https://arxiv.org/abs/1412.0035, equation 4
"""

import torch
from torch import Tensor
from torch.nn.functional import mse_loss

from zoo.shapes import FeatureMap, FeatureMaps, GramMatrices, Images


def gram(maps: FeatureMap) -> GramMatrices:
    """How strongly channels are there together: G = F F^T / (c h w).

    Args:
        maps: F, (batch, c, h, w).

    Returns:
        (batch, c, c), in float32 at least.
    """
    with torch.autocast(maps.device.type, enabled=False):
        rows = at_least_float(maps).flatten(2)
        return rows @ rows.transpose(1, 2) / rows[0].numel()


def content_loss(maps: FeatureMaps, targets: FeatureMaps) -> Tensor:
    """Sum over the layers of the mean squared difference of two pictures' maps, a scalar."""
    pairs = zip(maps, targets, strict=True)
    return torch.stack([mse_loss(at_least_float(x), at_least_float(y)) for x, y in pairs]).sum()


def style_loss(maps: FeatureMaps, targets: list[Tensor]) -> Tensor:
    """Sum over the layers of the mean squared difference of Gram matrices, a scalar.

    Args:
        maps: Feature maps of the painted pictures, one a layer.
        targets: Gram matrices of the style, (1, c, c), one a layer.
    """
    pairs = zip(maps, targets, strict=True)
    return torch.stack([(gram(x) - y).square().mean() for x, y in pairs]).sum()


def total_variation(images: Images) -> Tensor:
    """Half the mean difference of neighbours down, and of those across; a scalar."""
    images = at_least_float(images)
    down = (images[:, :, 1:] - images[:, :, :-1]).abs().mean()
    across = (images[:, :, :, 1:] - images[:, :, :, :-1]).abs().mean()
    return (down + across) / 2


def at_least_float(values: Tensor) -> Tensor:
    """In float32, unless they are more exact already."""
    return values.to(torch.promote_types(values.dtype, torch.float32))
