"""What the anchors' classes and boxes cost.

Source: Liu et al. 2016, https://arxiv.org/abs/1512.02325, Section 2.2; Lin, Goyal, Girshick, He and
        Dollar 2017, https://arxiv.org/abs/1708.02002, Equation 5; Rezatofighi et al. 2019,
        https://arxiv.org/abs/1902.09630
"""

from typing import Literal

from torch import Tensor
from torch.nn.functional import cross_entropy, l1_loss, smooth_l1_loss
from torchvision.ops import complete_box_iou_loss, generalized_box_iou_loss

from zoo.object_detection.anchors import decode, encode
from zoo.shapes import AnchorClasses, AnchorLogits

BoxLoss = Literal["l1", "smooth_l1", "giou", "ciou"]


def class_losses(logits: AnchorLogits, classes: AnchorClasses, gamma: float = 0.0) -> Tensor:
    """The cross-entropy of each anchor, (batch, anchors), times (1 - p)^gamma: the focal loss."""
    losses = cross_entropy(logits.transpose(1, 2), classes, reduction="none")
    return losses * (1 - (-losses).exp()) ** gamma if gamma else losses


def hardest(losses: Tensor, classes: AnchorClasses, ratio: float) -> Tensor:
    """The anchors that count: all with an object, and of the others those that cost most.

    Args:
        losses: Loss of each anchor, (batch, anchors).
        classes: 0 where there is nothing.
        ratio: How many others for each with an object; as many where a picture has none.

    Returns:
        bool (batch, anchors).
    """
    objects = classes > 0
    wanted = (objects.sum(1, keepdim=True).clamp(min=1) * ratio).long()
    others = losses.masked_fill(objects, -1.0)
    ranks = others.argsort(dim=1, descending=True, stable=True).argsort(1)
    return objects | (ranks < wanted) & ~objects


def box_losses(kind: BoxLoss, anchors: Tensor, offsets: Tensor, boxes: Tensor) -> Tensor:
    """What each box costs, (boxes): of offsets, or of what lies outside of the other.

    Args:
        kind: l1 and smooth_l1 sum over the four offsets; giou and ciou compare the boxes.
        anchors: (boxes, 4).
        offsets: From them, as predicted, (boxes, 4).
        boxes: Boxes to be found, (boxes, 4).
    """
    if kind in ("l1", "smooth_l1"):
        function = l1_loss if kind == "l1" else smooth_l1_loss
        return function(offsets, encode(anchors, boxes), reduction="none").sum(1)
    overlap = generalized_box_iou_loss if kind == "giou" else complete_box_iou_loss
    return overlap(decode(anchors, offsets), boxes, reduction="none")
