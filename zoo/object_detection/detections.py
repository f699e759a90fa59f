"""What a detector found: boxes over a score, of which those that overlap better ones go.

Source: Liu et al. 2016, https://arxiv.org/abs/1512.02325, Section 2.1; the course: Zhang et al.
        2023, https://d2l.ai/chapter_computer-vision/anchor.html
"""

from typing import NamedTuple

import torch
from torch import Tensor
from torchvision.ops import batched_nms

from zoo.object_detection.anchors import decode
from zoo.shapes import AnchorLogits, Anchors, Offsets

CANDIDATES = 400  # of a picture, best first, as in the paper


class Detections(NamedTuple):
    """The objects found in a picture, best first.

    Attributes:
        boxes: Corners as fractions of the picture, inside of it, (found, 4).
        scores: Probabilities, (found).
        labels: Classes, int64 (found).
    """

    boxes: Tensor
    scores: Tensor
    labels: Tensor


def detect(
    logits: AnchorLogits,
    offsets: Offsets,
    anchors: Anchors,
    score_thresh: float = 0.01,
    nms_thresh: float = 0.5,
    detections_per_img: int = 100,
) -> list[Detections]:
    """Returns the objects of each picture of a batch, boxes cut off at its edges.

    They do not depend on the other pictures of the batch.

    Args:
        logits: Logits of nothing and of each class.
        offsets: Offsets of boxes from anchors.
        anchors: Anchors on the picture.
        score_thresh: Least score of a candidate.
        nms_thresh: Overlap (IoU) with a better candidate of its class above which one is dropped.
        detections_per_img: Largest number of detections in a picture.
    """
    scores = logits.softmax(2)[:, :, 1:].flatten(1)
    num_classes = logits.shape[2] - 1
    values, places = scores.topk(min(CANDIDATES, scores.shape[1]), 1)
    picture, rank = (values >= score_thresh).nonzero(as_tuple=True)
    place, score = places[picture, rank], values[picture, rank]
    anchor, label = place // num_classes, place % num_classes
    boxes = decode(anchors[anchor], offsets[picture, anchor]).clamp(0, 1)
    inside = (boxes[:, :2] < boxes[:, 2:]).all(1)  # the others were outside of the picture
    picture, boxes, score, label = (part[inside] for part in (picture, boxes, score, label))
    kept = _suppressed(boxes, score, picture * num_classes + label, nms_thresh)
    sizes = picture[kept].bincount(minlength=len(logits)).tolist()
    parts = (part[kept].split(sizes) for part in (boxes, score, label))
    best = slice(detections_per_img)
    return [Detections(*(part[best] for part in found)) for found in zip(*parts, strict=True)]


def _suppressed(boxes: Tensor, scores: Tensor, groups: Tensor, threshold: float) -> Tensor:
    """Returns the indices, ascending, of the boxes that non-maximum suppression leaves.

    torchvision moves the boxes of each group by a multiple of its index to keep groups apart, which
    rounds them. In double precision and on a grid of 2^-32, moves up to 2^20 are exact.

    Args:
        boxes: Corners in [0, 1], (boxes, 4).
        scores: Score of each; of equal ones the first is the better.
        groups: Index of the picture and the class of each.
        threshold: Overlap (IoU) with a better box of its group above which one is dropped.
    """
    device = "cpu" if boxes.device.type == "mps" else boxes.device  # Metal has no float64
    grid = (boxes.to(device, torch.float64) * 2**32).round() / 2**32
    kept = batched_nms(grid, scores.to(grid), groups.to(device), threshold)
    return kept.to(boxes.device).sort().values
