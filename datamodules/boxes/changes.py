"""Random changes of a batch of pictures and of the boxes in them, on the device, and keyed.

What happens to a picture is a function of its key alone, as in `datamodules.pictures.changes`.
Each change names its counterpart in torchvision.transforms.v2, which draws once for a whole batch;
here each picture draws for itself, and all are changed by one call.
"""

import math

import torch
from torch import Tensor
from torch.nn.functional import affine_grid, grid_sample

from datamodules.batches.in_memory import IGNORED
from datamodules.boxes.rows import DetectionBatch
from datamodules.pictures import changes as picture_changes
from datamodules.pictures.changes import Range, between, uniform


def flip(batch: DetectionBatch, keys: Tensor, p: float = 0.5) -> DetectionBatch:
    """Mirrors a picture left to right, with probability p; v2.RandomHorizontalFlip.

    Args:
        batch: Pictures as bytes, their boxes and labels.
        keys: int64 (batch), one a picture.
        p: Probability.
    """
    left, top, right, bottom = batch.boxes.unbind(-1)
    turned = torch.stack([1 - right, top, 1 - left, bottom], dim=-1)
    mirrored = (uniform(keys, 0) < p).view(-1, 1) & (batch.labels != IGNORED)
    return batch._replace(
        images=picture_changes.flip(batch.images, keys, p),
        boxes=torch.where(mirrored.unsqueeze(-1), turned, batch.boxes),
    )


def crop(
    batch: DetectionBatch, keys: Tensor, scale: Range = (0.3, 1.0), ratio: Range = (0.5, 2.0)
) -> DetectionBatch:
    """Cuts a window of random area and shape and scales it up; v2.RandomIoUCrop, v2.Resize.

    Boxes whose centre is in the window are kept and clipped to it, the others go, as in SSD. A
    picture that would lose all of its boxes stays as it is, where torchvision draws again.

    Source: Liu et al. 2016, https://arxiv.org/abs/1512.02325, section 2.2

    Args:
        batch: Pictures as bytes, their boxes and labels.
        keys: int64 (batch), one a picture.
        scale: Least and greatest share of the area.
        ratio: Least and greatest width over height, of the square picture.
    """
    if not 0 < scale[0] <= scale[1] <= 1:
        raise ValueError(f"scale has to be within 0 and 1, ascending, not {tuple(scale)}")
    if not 0 < ratio[0] <= ratio[1]:
        raise ValueError(f"ratio has to be above 0, ascending, not {tuple(ratio)}")
    area = between(uniform(keys, 33), *scale)
    shape = between(uniform(keys, 34), *map(math.log, ratio)).exp()
    sides = torch.stack([(area * shape).sqrt(), (area / shape).sqrt()], dim=1).clamp(max=1)
    corner = torch.stack([uniform(keys, 35), uniform(keys, 36)], dim=1) * (1 - sides)
    return cut(batch, torch.cat([corner, corner + sides], dim=1))


def cut(batch: DetectionBatch, windows: Tensor) -> DetectionBatch:
    """Cuts a window out of each picture and scales it up to the size that the picture had.

    Args:
        batch: Pictures as bytes, their boxes and labels.
        windows: float32 (batch, 4), left, top, right, bottom as fractions of the picture.
    """
    corner, end = windows[:, :2], windows[:, 2:]
    sides = end - corner
    moved = (batch.boxes - corner.repeat(1, 2).unsqueeze(1)) / sides.repeat(1, 2).unsqueeze(1)
    middle = (batch.boxes[..., :2] + batch.boxes[..., 2:]) / 2
    inside = (middle > corner.unsqueeze(1)) & (middle < end.unsqueeze(1))
    present = batch.labels != IGNORED
    kept = present & inside.all(-1)
    done = kept.any(1) | ~present.any(1)
    images = _seen(batch.images, corner, sides)
    changed = _packed(images, moved.clamp(0, 1), batch.labels, kept)
    return DetectionBatch(
        torch.where(done.view(-1, 1, 1, 1), changed.images, batch.images),
        torch.where(done.view(-1, 1, 1), changed.boxes, batch.boxes),
        torch.where(done.view(-1, 1), changed.labels, batch.labels),
    )


def _packed(images: Tensor, boxes: Tensor, labels: Tensor, kept: Tensor) -> DetectionBatch:
    """The boxes that are kept, in their order, before what pads."""
    order = kept.logical_not().int().argsort(dim=1, stable=True)
    boxes = boxes.masked_fill(~kept.unsqueeze(-1), 0)
    return DetectionBatch(
        images,
        boxes.gather(1, order.unsqueeze(-1).expand(-1, -1, 4)),
        labels.masked_fill(~kept, IGNORED).gather(1, order),
    )


def zoom_out(
    batch: DetectionBatch,
    keys: Tensor,
    fill: Tensor,
    side_range: Range = (1.0, 2.0),
    p: float = 0.5,
) -> DetectionBatch:
    """Puts a picture, smaller, on a ground of the mean colour; v2.RandomZoomOut, v2.Resize.

    Args:
        batch: Pictures as bytes, their boxes and labels.
        keys: int64 (batch), one a picture.
        fill: The colour of the ground as bytes, (channels).
        side_range: Least and greatest side of the ground, in sides of the picture.
        p: Probability.
    """
    if not 1 <= side_range[0] <= side_range[1]:
        raise ValueError(f"side_range has to be from 1 on, ascending, not {tuple(side_range)}")
    drawn = uniform(keys, 37) < p
    side = torch.where(drawn, between(uniform(keys, 38), *side_range), 1.0)
    place = torch.stack([uniform(keys, 39), uniform(keys, 40)], dim=1)
    corner = -place * (side - 1).unsqueeze(1)  # of what is seen, in sides of the picture
    images = _seen(batch.images, corner, side.unsqueeze(1).expand(-1, 2), fill)
    present = (batch.labels != IGNORED).unsqueeze(-1)
    moved = (batch.boxes - corner.repeat(1, 2).unsqueeze(1)) / side.view(-1, 1, 1)
    return batch._replace(
        images=torch.where(drawn.view(-1, 1, 1, 1), images, batch.images),
        boxes=torch.where(present & drawn.view(-1, 1, 1), moved, batch.boxes),
    )


def color_jitter(
    batch: DetectionBatch,
    keys: Tensor,
    brightness: float = 0.0,
    contrast: float = 0.0,
    saturation: float = 0.0,
    hue: float = 0.0,
) -> DetectionBatch:
    """Changes colours; see `datamodules.pictures.changes.color_jitter`."""
    jitter = picture_changes.color_jitter
    images = jitter(batch.images, keys, brightness, contrast, saturation, hue)
    return batch._replace(images=images)


def _seen(images: Tensor, corner: Tensor, sides: Tensor, fill: Tensor | None = None) -> Tensor:
    """Each picture as seen through a window, which may reach beyond it, at the old size.

    Args:
        images: uint8 (batch, channels, height, width).
        corner: Left and top of each window as fractions of the picture, (batch, 2).
        sides: Width and height of each window, likewise.
        fill: Colour beyond the picture, (channels); by default that of its edge.
    """
    # The grid counts from -1 to 1: what is at x in the window is at sides * x + shift.
    shift = 2 * corner + sides - 1
    maps = torch.cat([torch.diag_embed(sides), shift.unsqueeze(-1)], dim=2)
    grid = affine_grid(maps, list(images.shape), align_corners=False)
    ground = 0 if fill is None else fill.to(images.device, torch.float32).view(-1, 1, 1)
    beyond = "border" if fill is None else "zeros"
    seen = grid_sample(
        images.float() - ground, grid, mode="bilinear", padding_mode=beyond, align_corners=False
    )
    return (seen + ground).round().clamp(0, 255).byte()
