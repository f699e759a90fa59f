"""The graph of a detector: pixels -> probabilities and boxes of all anchors."""

from typing import Any

import torch
from torch import Tensor, nn

from zoo.export.inputs import TrainedModel, pictures_input
from zoo.export.signature import Graph
from zoo.object_detection.anchors import decode


def graph(trained: TrainedModel) -> Graph:
    """Returns what is exported of a trained model."""
    before, pixels, sizes = pictures_input(trained)
    shape = tuple(sizes.get(str(size), size) for size in pixels.shape)
    network = Detection(before, trained.model, torch.zeros(shape))  # type: ignore[arg-type]
    outputs = {
        "probabilities": "(batch, anchors, 1 + classes), of nothing and of each label",
        "boxes": "(batch, anchors, 4): left, top, right, bottom as fractions of the picture",
    }
    model = trained.model
    notes = (
        "pictures of another shape are squeezed into the square",
        f"keep boxes with a probability of {model.score_thresh} or more, and of those of one label "
        f"that overlap by more than {model.nms_thresh} (IoU) the most probable "
        "(torchvision.ops.batched_nms)",
    )
    return Graph(network, (pixels,), outputs, sizes, notes)


class Detection(nn.Module):
    """Pixels -> probabilities and boxes of all anchors, which are those of one size of pictures.

    Args:
        before: Normalises.
        model: A Detector.
        like: Pictures of the size.
    """

    anchors: Tensor

    def __init__(self, before: nn.Module, model: Any, like: Tensor) -> None:
        super().__init__()
        self.before, self.model = before, model
        self.register_buffer("anchors", model.anchors(model.maps(like), like))

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        outputs = self.model(self.before(pixels))
        logits, offsets = outputs.split((outputs.shape[2] - 4, 4), 2)
        boxes = decode(self.anchors.expand(offsets.shape[0], -1, -1), offsets)
        return logits.softmax(2), boxes.clamp(0, 1)
