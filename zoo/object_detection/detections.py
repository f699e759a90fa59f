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
    score_thresh: float = 0.01,
    nms_thresh: float = 0.5,
    detections_per_img: int = 100,
) -> list[Detections]:
    """Returns the objects of each picture of a batch, boxes cut off at its edges.

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
    kept = batched_nms(boxes, score, picture * num_classes + label, nms_thresh)
    kept = kept[picture[kept].argsort(stable=True)]
    sizes = picture[kept].bincount(minlength=len(logits)).tolist()
    parts = (part[kept].split(sizes) for part in (boxes, score, label))
    best = slice(detections_per_img)
    return [Detections(*(part[best] for part in found)) for found in zip(*parts, strict=True)]
