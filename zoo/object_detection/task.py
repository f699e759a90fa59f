"""Detector: which anchors are objects, of which class, and where their boxes are.

Batch: (images, boxes, labels)
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Callback
from torch import Tensor
from torchmetrics.detection import MeanAveragePrecision

from zoo.errors import InputError, in_bounds
from zoo.object_detection.anchors import Placement, anchors_of, encode, targets_of
from zoo.object_detection.detections import Detections, detect
from zoo.object_detection.losses import BoxLoss, box_losses, class_losses, hardest
from zoo.object_detection.multibox_head import MultiBoxHead
from zoo.object_detection.pictures import DetectionPictures
from zoo.shapes import IGNORED, AnchorOutputs, Anchors, Boxes, BoxLabels, FeatureMaps, Images
from zoo.task import Step, Task
from zoo.training.ranks import in_turn, of_all_ranks
from zoo.training.running_means import at_least_one

Found = tuple[dict[str, Tensor], dict[str, Tensor]]  # in a picture, and what there is
PRECISIONS = {"map_50": "map_50", "map": "map"}  # as logged, as torchmetrics calls them
# The sides of anchors in the course's TinySSD, on five maps.
SIZES = ((0.2, 0.272), (0.37, 0.447), (0.54, 0.619), (0.71, 0.79), (0.88, 0.961))
RATIOS = (1.0, 2.0, 0.5)
BANANAS = {"in_channels": 3, "image_size": 256, "num_classes": 1}


def single(values: Tensor) -> Tensor:
    """In single precision at least, in which losses and boxes are computed."""
    return values.to(torch.promote_types(values.dtype, torch.float32))


class Detector(Task):
    """Base of the detectors: `maps` gives feature maps, `head` what each anchor on them says.

    That is, for each anchor, a logit for nothing and one for each class, and four offsets from the
    anchor to a box. Validation finds boxes and measures their average precision as COCO does: mean
    over classes and recalls, at an overlap of 0.5 (`map_50`), and as the mean over overlaps from
    0.5 to 0.95 (`map`). `class_error` and `box_mae` are the course's: how many of the anchors have
    the wrong class, and how far their offsets are off, both as means over all anchors.

    Args:
        num_classes: Classes of objects.
        sizes: Sizes of the anchors on each map, as fractions of the picture's height.
        ratios: Aspect ratios of the anchors, width by height; every size has the first of them,
            and the first size has every one.
        placement: Whether anchors are around the centre of a pixel or, as in the course, its
            upper left corner.
        iou_thresh: Least overlap (IoU) of an anchor with the box that it is matched to.
        gamma: Focusing parameter of the focal loss; 0 is cross-entropy.
        negative_ratio: Number of anchors without an object that count for each with one, those of
            the largest loss (hard negative mining). With it, or with a gamma, losses are divided by
            the number of anchors with an object, of the whole batch or of all pictures evaluated;
            without either all anchors count and losses are means over them, as in the course.
        box_loss: Loss of offsets (l1, smooth_l1) or of boxes (giou, ciou).
        box_weight: Weight of the boxes' loss relative to the classes'.
        score_thresh: Least score of a detection.
        nms_thresh: Overlap (IoU) with a better detection of its class above which non-maximum
            suppression drops one.
        detections_per_img: Largest number of detections in a picture.
        task: Arguments of every task.

    Raises:
        InputError: An argument is out of range.
    """

    head: MultiBoxHead
    monitor = "val/map"
    monitor_mode = "max"
    metric_names = ("class_error", "box_mae")
    counts_rows = False

    def __init__(
        self,
        num_classes: int,
        sizes: Sequence[Sequence[float]] = SIZES,
        ratios: Sequence[float] = RATIOS,
        placement: Placement = "centre",
        iou_thresh: float = 0.5,
        gamma: float = 0.0,
        negative_ratio: float | None = 3.0,
        box_loss: BoxLoss = "smooth_l1",
        box_weight: float = 1.0,
        score_thresh: float = 0.01,
        nms_thresh: float = 0.5,
        detections_per_img: int = 100,
        **task: Any,
    ) -> None:
        super().__init__(**task)
        in_bounds(0, 1, score_thresh=score_thresh)
        if not ratios or not all(kinds and min(kinds) > 0 for kinds in (*sizes, ratios)):
            raise InputError("sizes (some for each map) and ratios of anchors have to be above 0")
        for name, value in (("iou_thresh", iou_thresh), ("nms_thresh", nms_thresh)):
            if not 0 < value <= 1:
                raise InputError(f"{name} is {value}; it has to be above 0 and at most 1")
        in_bounds(0, gamma=gamma, box_weight=box_weight)
        in_bounds(1, detections_per_img=detections_per_img)
        if negative_ratio is not None and not negative_ratio > 0:
            raise InputError(f"negative_ratio is {negative_ratio}; it has to be above 0")
        self.num_classes, self.sizes, self.ratios = num_classes, sizes, ratios
        self.placement, self.iou_thresh = placement, iou_thresh
        self.gamma, self.negative_ratio = gamma, negative_ratio
        self.box_loss, self.box_weight = box_loss, box_weight
        self.score_thresh, self.nms_thresh = score_thresh, nms_thresh
        self.detections_per_img = detections_per_img
        self._anchors: dict[Any, Tensor] = {}  # by the shapes of maps and pictures
        self._found: list[Found] = []  # in this evaluation

    def maps(self, images: Images) -> FeatureMaps:
        """Feature maps, one for each of `sizes`."""
        raise TypeError(f"{type(self).__name__} does not say what its feature maps are")

    def forward(self, images: Images) -> AnchorOutputs:
        return self.head(self.maps(images))

    def anchors(self, maps: FeatureMaps, images: Images) -> Anchors:
        """The anchors on these maps of these pictures, kept for the next of the same shapes."""
        height, width = images.shape[2:]
        shapes = tuple((each.shape[2], each.shape[3]) for each in maps)
        key = shapes, height, width, images.device
        if key not in self._anchors:
            aspect = width / height
            found = [
                anchors_of(*shape, some, self.ratios, self.placement, aspect)
                for shape, some in zip(shapes, self.sizes, strict=True)
            ]
            self._anchors[key] = torch.cat(found).to(images.device)
        return self._anchors[key]

    @classmethod
    def example(cls, rows: int = 1) -> tuple[Images, Boxes, BoxLabels]:
        channels, side, classes = (cls.example_sizes[name] for name in BANANAS)
        corners = torch.rand(rows, 3, 2, 2).sort(2).values
        labels = torch.randint(classes, (rows, 3))
        labels[1:, 2] = IGNORED  # fewer boxes than in the first picture
        return torch.randn(rows, channels, side, side), corners.flatten(2), labels

    def step(self, batch: tuple[Images, Boxes, BoxLabels]) -> Step:
        images, boxes, labels = batch
        maps = self.maps(images)
        anchors, outputs = self.anchors(maps, images), single(self.head(maps))
        logits, offsets = outputs.split((self.num_classes + 1, 4), 2)
        targets = targets_of(anchors, boxes, labels, self.iou_thresh)
        near, predicted = anchors[targets.anchor], offsets[targets.picture, targets.anchor]
        losses = class_losses(logits, targets.classes, self.gamma)
        if self.negative_ratio:
            losses = losses * hardest(losses, targets.classes, self.negative_ratio)
        found = box_losses(self.box_loss, near, predicted, targets.boxes).sum() * self.box_weight
        if self.negative_ratio or self.gamma:
            count = len(near)
            loss = (losses.sum() + found) / at_least_one(count)
        else:
            count = len(images)
            loss = losses.mean() + found / offsets.numel()
        wrong = (logits.argmax(2) != targets.classes).float().mean(1).sum()
        off = (predicted - encode(near, targets.boxes)).abs().sum() / (4 * len(anchors))
        predictions = [] if self.training else self.detect(logits, offsets, anchors)
        sums = {"class_error": wrong, "box_mae": off}
        return Step(loss, len(images), sums, predictions, count)

    def detect(self, logits: Tensor, offsets: Tensor, anchors: Anchors) -> list[Detections]:
        """The objects of each picture; see `zoo.object_detection.detections.detect`."""
        limits = self.score_thresh, self.nms_thresh, self.detections_per_img
        return detect(logits, offsets, anchors, *limits)

    def predict_step(self, batch: tuple[Images, Any], batch_idx: int) -> list[Detections]:
        """The objects of each picture."""
        images = batch[0]
        maps = self.maps(images)
        logits, offsets = single(self.head(maps)).split((self.num_classes + 1, 4), 2)
        return self.detect(logits, offsets, self.anchors(maps, images))

    def on_validation_epoch_start(self) -> None:
        super().on_validation_epoch_start()
        self._found = []

    on_test_epoch_start = on_validation_epoch_start

    def measure(self, batch: tuple[Images, Boxes, BoxLabels]) -> dict[str, Any] | None:
        measured = super().measure(batch)
        if measured:
            _, boxes, labels = (part.cpu() for part in batch)
            self._found += [
                (
                    {name: values.cpu() for name, values in each._asdict().items()},
                    {"boxes": corners[classes >= 0], "labels": classes[classes >= 0]},
                )
                for each, corners, classes in zip(
                    measured["predictions"], boxes, labels, strict=True
                )
            ]
        return measured

    def log_means(self, stage: str) -> None:
        super().log_means(stage)
        values = {f"{stage}/{name}": value for name, value in self.precisions().items()}
        self.log_dict(values, prog_bar=True)

    def precisions(self) -> dict[str, Tensor]:
        """The average precisions of this evaluation, of the pictures of all processes."""
        # torchmetrics gathers pictures one by one, and processes may have different numbers.
        pictures, self._found = in_turn(of_all_ranks(self._found)), []
        precision = MeanAveragePrecision(sync_on_compute=False)
        precision.update(*map(list, zip(*pictures, strict=True)))
        found = precision.compute()
        return {name: found[theirs] for name, theirs in PRECISIONS.items()}

    def pictures(self, folder: Path) -> list[Callback]:
        return [DetectionPictures(folder)]
