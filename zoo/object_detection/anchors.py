"""Anchors: boxes on a grid from which objects are found, matched with and moved to them.

Boxes are corners, left, top, right and bottom, as fractions of a picture's width and height.

Source: Liu et al. 2016, https://arxiv.org/abs/1512.02325, Section 2.2; the course: Zhang et al.
        2023, https://d2l.ai/chapter_computer-vision/anchor.html
"""

from collections.abc import Sequence
from math import sqrt
from typing import Literal, NamedTuple

import torch
from torch import Tensor
from torchvision.ops import box_convert

from zoo.shapes import AnchorClasses, Anchors, Boxes, BoxLabels, Matches, Overlaps

Placement = Literal["centre", "corner"]
VARIANCES = 0.1, 0.1, 0.2, 0.2  # by which offsets are divided, so that they are about 1


def anchors_of(
    height: int,
    width: int,
    sizes: Sequence[float],
    ratios: Sequence[float],
    placement: Placement = "centre",
    aspect: float = 1.0,
) -> Anchors:
    """The anchors of a feature map, pixel by pixel.

    Of each pixel: the first ratio of every size, then the other ratios of the first size. An anchor
    of size s and ratio r is as large as a square of side s (of a picture that is 1 high) and r
    times as wide as it is high.

    Args:
        height: Pixels of the map.
        width: Pixels of the map.
        sizes: Fractions of the picture's height.
        ratios: Widths by heights.
        placement: Whether anchors are around the centre of a pixel or, as in the course, around
            its upper left corner.
        aspect: Width of the picture by its height; 1 takes it for a square, as the course does.
    """
    kinds = [(size, ratios[0]) for size in sizes] + [(sizes[0], ratio) for ratio in ratios[1:]]
    halves = torch.tensor(
        [(size * sqrt(ratio) / aspect / 2, size / sqrt(ratio) / 2) for size, ratio in kinds],
        dtype=torch.float64,
    )
    inside = 0.5 if placement == "centre" else 0.0
    y = (torch.arange(height, dtype=torch.float64) + inside) / height
    x = (torch.arange(width, dtype=torch.float64) + inside) / width
    centres = torch.cartesian_prod(y, x).flip(1)[:, None]
    return torch.cat([centres - halves, centres + halves], 2).flatten(0, 1).float()


def overlaps_of(boxes: Boxes, anchors: Anchors) -> Overlaps:
    """The intersection of each box and each anchor by their union (IoU), 0 where both are empty.

    torchvision.ops.box_iou of a whole batch at once, which takes a quarter of its time: coordinate
    by coordinate, for the batch's are many.
    """
    left, top, right, bottom = boxes[..., None].unbind(2)  # (batch, boxes, 1) each
    start, upper, end, lower = anchors.T.contiguous()
    width = torch.minimum(right, end).sub_(torch.maximum(left, start)).clamp_(min=0)
    height = torch.minimum(bottom, lower).sub_(torch.maximum(top, upper)).clamp_(min=0)
    shared = width.mul_(height)
    union = ((right - left) * (bottom - top) + (end - start) * (lower - upper)).sub_(shared)
    return shared.div_(union).nan_to_num_(0.0)


def match(anchors: Anchors, boxes: Boxes, labels: BoxLabels, threshold: float = 0.5) -> Matches:
    """Which box of its picture each anchor is to find, and -1 for none.

    Every box gets an anchor: of all pairs that are left the one that overlaps most (IoU), until no
    box is left; a box is worth the first of equals. Of the other anchors each gets the box that it
    overlaps most, if by the threshold at least.

    Args:
        anchors: Anchors on the picture.
        boxes: Boxes of each picture.
        labels: Below 0 where a row is no box.
        threshold: Least IoU.
    """
    batch, most = labels.shape
    there = labels >= 0
    overlaps = overlaps_of(boxes, anchors).masked_fill_(~there[:, :, None], -1.0)
    best, matches = overlaps.max(1)
    matches = matches.masked_fill_(best < threshold, -1)
    own = overlaps.argmax(2)
    rows = torch.arange(batch, device=anchors.device)
    clashing = _clashing(own, there).nonzero()[:, 0] if most > 1 else rows[:0]
    if len(clashing):
        own[clashing] = _one_by_one(overlaps[clashing])
    rows, chosen = rows[:, None].expand_as(own)[there], own[there]
    matches[rows, chosen] = torch.arange(most, device=anchors.device).expand_as(own)[there]
    return matches


def _clashing(own: Tensor, there: Tensor) -> Tensor:
    """In which pictures two boxes want the same anchor."""
    same = (own[:, :, None] == own[:, None]) & there[:, :, None] & there[:, None]
    return same.sum((1, 2)) > there.sum(1)


def _one_by_one(overlaps: Tensor) -> Tensor:
    """The anchor of each box, (pictures, boxes), from overlaps (pictures, boxes, anchors)."""
    left = overlaps.clone()
    pictures, most, _ = left.shape
    own = torch.zeros(pictures, most, dtype=torch.int64, device=left.device)
    rows = torch.arange(pictures, device=left.device)
    for _ in range(most):
        best = left.transpose(1, 2).flatten(1).argmax(1)
        anchor, box = best // most, best % most
        own[rows, box] = anchor
        left[rows, box] = -2.0
        left[rows, :, anchor] = -2.0
    return own


class Targets(NamedTuple):
    """What the anchors of a batch should say.

    Attributes:
        classes: Class of each anchor: 0 for nothing, else 1 more than the label.
        picture: Picture of each matched anchor, int64 (matched).
        anchor: Index of each matched anchor, int64 (matched).
        boxes: Box that each is matched to, (matched, 4).
    """

    classes: AnchorClasses
    picture: Tensor
    anchor: Tensor
    boxes: Tensor


def targets_of(
    anchors: Anchors, boxes: Boxes, labels: BoxLabels, threshold: float = 0.5
) -> Targets:
    """Classes of anchors, and of those that are to find a box which; see `match`."""
    matches = match(anchors, boxes, labels, threshold)
    picture, anchor = (matches >= 0).nonzero(as_tuple=True)
    box = matches[picture, anchor]
    classes = torch.zeros_like(matches)
    classes[picture, anchor] = labels[picture, box] + 1
    return Targets(classes, picture, anchor, boxes[picture, box])


def encode(anchors: Anchors, boxes: Anchors) -> Anchors:
    """The offsets of boxes from anchors, one each.

    Of the centre in sides of the anchor, and the logarithms of the sides' ratios; by the variances.
    """
    origins, sides = _centred(anchors)
    centres, lengths = _centred(boxes)
    offsets = torch.cat([(centres - origins) / sides, (lengths / sides).log()], -1)
    return offsets / offsets.new_tensor(VARIANCES)


def decode(anchors: Anchors, offsets: Anchors) -> Anchors:
    """The boxes that are at these offsets; the inverse of `encode`."""
    origins, sides = _centred(anchors)
    centres, lengths = (offsets * offsets.new_tensor(VARIANCES)).split(2, -1)
    centres, halves = origins + centres * sides, sides * lengths.exp() / 2
    return torch.cat([centres - halves, centres + halves], -1)


def _centred(boxes: Tensor) -> tuple[Tensor, ...]:
    """Centres and sides, (..., 2) each."""
    return box_convert(boxes, "xyxy", "cxcywh").split(2, -1)
