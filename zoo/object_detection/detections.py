"""What a detector found: boxes over a score, of which those that overlap better ones go.

Source: Liu et al. 2016, https://arxiv.org/abs/1512.02325, Section 2.1; the course: Zhang et al.
        2023, https://d2l.ai/chapter_computer-vision/anchor.html
"""

from typing import NamedTuple

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
    least_score: float = 0.01,
    overlap: float = 0.5,
    most: int = 100,
) -> list[Detections]:
    """The objects of each picture of a batch, boxes cut off at its edges.

    Args:
        logits: Of nothing and of each class.
        offsets: Of boxes from anchors.
        anchors: Of the picture.
        least_score: Candidates have at least this.
        overlap: A candidate that overlaps a better one of its class by more (IoU) goes.
        most: That are kept of a picture.
    """
    scores = logits.softmax(2)[:, :, 1:].flatten(1)
    num_classes = logits.shape[2] - 1
    values, places = scores.topk(min(CANDIDATES, scores.shape[1]), 1)
    picture, rank = (values >= least_score).nonzero(as_tuple=True)
    place, score = places[picture, rank], values[picture, rank]
    anchor, label = place // num_classes, place % num_classes
    boxes = decode(anchors[anchor], offsets[picture, anchor]).clamp(0, 1)
    inside = (boxes[:, :2] < boxes[:, 2:]).all(1)  # the others were outside of the picture
    picture, boxes, score, label = (part[inside] for part in (picture, boxes, score, label))
    kept = batched_nms(boxes, score, picture * num_classes + label, overlap)
    kept = kept[picture[kept].argsort(stable=True)]
    sizes = picture[kept].bincount(minlength=len(logits)).tolist()
    parts = (part[kept].split(sizes) for part in (boxes, score, label))
    return [Detections(*(part[:most] for part in found)) for found in zip(*parts, strict=True)]
