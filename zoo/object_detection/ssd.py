"""SSD: anchors on the maps of a classifier's body, and of stages behind it, find objects.

The body is that of any image classifier of the zoo, trained or not. Anchors are on its maps from
`first_stride` on, the last of each side, then on those of further stages that halve the side.

Paper:  Liu et al. 2016, https://arxiv.org/abs/1512.02325, Figure 2
Shapes: (batch, 3, 256, 256) -> (batch, 5456, 6)
Size:   12,170,424 parameters
Config: ssd-pikachu
Result: ssd-pikachu: mAP at an overlap of 0.5 1.0000, mAP from 0.5 to 0.95 0.7559, class error
        0.000636, offsets' error 0.000543 after 51 epochs (real corpus, 260 of 900 training rows,
        the best of 60 epochs by validation, seed 0, 2026-11-30: `zoo fit ssd-pikachu`, `zoo test`)
"""

from typing import Any

from torch import nn

from zoo.errors import InputError, in_bounds
from zoo.layers.stem import convolution
from zoo.object_detection.multibox_head import MultiBoxHead, kinds_of
from zoo.object_detection.task import BANANAS, Detector
from zoo.pretrained import backbones
from zoo.shapes import FeatureMaps, Images


class SSD(Detector):
    """A body, further stages, and a convolution on each map.

    Args:
        in_channels: Channels of a picture.
        num_classes: Classes of objects.
        image_size: Side of a picture, by which the maps are chosen; others work, too.
        backbone: Class path of an image classifier of the zoo, or the path of its checkpoint
            (.ckpt), which may be trained.
        backbone_args: Arguments of that class: {depth: 18, width_ratio: 0.5}.
        weights: Weights of a ResNet: torchvision (ImageNet), or a file of them.
        first_stride: Least stride of the first map: the side of the picture by that of the map.
        width: Channels of the maps of further stages.
        body_lr_ratio: The body learns at this multiple of the learning rate.
        detector: Arguments of every detector.

    Raises:
        InputError: The backbone cannot be had, or has more maps than there are sizes.
    """

    example_sizes = BANANAS

    def __init__(
        self,
        in_channels: int,
        num_classes: int,
        image_size: int = 256,
        backbone: str = "zoo.image_classification.resnet.ResNet",
        backbone_args: dict[str, Any] | None = None,
        weights: str | None = None,
        first_stride: int = 8,
        width: int = 256,
        body_lr_ratio: float = 1.0,
        **detector: Any,
    ) -> None:
        super().__init__(num_classes, **detector)
        self.save_hyperparameters()
        in_bounds(1, first_stride=first_stride, width=width)
        if not body_lr_ratio > 0:
            raise InputError(f"body_lr_ratio is {body_lr_ratio}; it has to be above 0")
        self.body_lr_ratio = body_lr_ratio
        found = backbones.read(backbone, in_channels, backbone_args or {}, weights)
        self.hparams.update(backbone=found.class_path, backbone_args=found.arguments)
        self._origin = found.origin
        scales = backbones.scales(found.parts, in_channels, image_size)
        self._taken = [i for i, (side, _) in scales.items() if image_size >= side * first_stride]
        if not 1 <= len(self._taken) <= len(self.sizes):
            sides = [image_size // side for side, _ in scales.values()]
            raise InputError(
                f"sizes are given for {len(self.sizes)} maps, and {found.class_path} has "
                f"{len(self._taken)} of {sides} from first_stride {first_stride} on"
            )
        self.body = found.parts[: self._taken[-1] + 1]
        channels = [scales[index][1] for index in self._taken]
        self.further = nn.Sequential()
        while len(channels) < len(self.sizes):
            self.further.append(halving(channels[-1], width))
            channels.append(width)
        self.head = MultiBoxHead(channels, kinds_of(self.sizes, self.ratios), num_classes)

    def maps(self, images: Images) -> FeatureMaps:
        maps, x = [], images
        for index, part in enumerate(self.body):
            x = part(x)
            if index in self._taken:
                maps.append(x)
        for stage in self.further:
            x = stage(x)
            maps.append(x)
        return maps

    def lr_ratio(self, name: str) -> float:
        return self.body_lr_ratio if name.startswith("body.") else 1.0

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Of a file of weights, name and digest are enough: the checkpoint has the weights."""
        super().on_save_checkpoint(checkpoint)
        checkpoint["hyper_parameters"]["weights"] = None
        checkpoint["zoo"]["pretrained"] = self._origin

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        super().on_load_checkpoint(checkpoint)
        self._origin = checkpoint.get("zoo", {}).get("pretrained")


def halving(in_channels: int, out_channels: int) -> nn.Sequential:
    """1x1 to half the channels, then 3x3 with half the side."""
    between = out_channels // 2
    return nn.Sequential(
        *(*convolution(in_channels, between, 1), nn.ReLU(inplace=True)),
        *(*convolution(between, out_channels, 3, stride=2), nn.ReLU(inplace=True)),
    )
