"""StyleTransfer: the content of one picture in the style of another.

Batch: (contents, style)
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from zoo.errors import InputError
from zoo.pretrained import tapped_network
from zoo.pretrained.tapped_network import TappedNetwork
from zoo.shapes import FeatureMaps, Images, Style
from zoo.style_transfer.losses import content_loss, gram, style_loss, total_variation
from zoo.task import Step, Task


class StyleTransfer(Task):
    """Base of what paints: `forward` maps contents to pictures; both are normalised as ImageNet is.

    The feature maps of a frozen, trained network give the losses. What is logged as
    `content_loss`, `style_loss` and `tv_loss` is weighted: they add up to the loss. The network is
    read when it is needed, and is no part of a checkpoint: to look at a painting, or to paint by a
    trained model, there is no need for it; to train on, it has to be the same.

    Args:
        features: The network: torchvision, for its VGG-19 of ImageNet; a file of weights of a VGG;
            a checkpoint (.ckpt) of an image classifier of the zoo, or its class path, whose weights
            are drawn at random. See `zoo.pretrained.tapped_network`.
        features_args: Arguments of that class: {depth: 18, width_ratio: 0.5}.
        style_layers: Numbers of its parts whose maps show the style; by default for VGG-19 the
            course's, 0, 5, 10, 19 and 28, else the last map of each size.
        content_layers: Numbers of its parts whose maps show the content; by default for VGG-19 the
            course's, 25, else the last of the second smallest maps.
        content_weight: Weight of the content loss.
        style_weight: Weight of the style loss.
        tv_weight: Weight of the total variation loss, which makes pictures smooth.
        task: Arguments of every task.

    Raises:
        InputError: A weight is negative, or all are 0, or no layer shows the style or the content.
    """

    metric_names = ("content_loss", "style_loss", "tv_loss")

    def __init__(
        self,
        features: str = "torchvision",
        features_args: dict[str, Any] | None = None,
        style_layers: Sequence[int] | None = None,
        content_layers: Sequence[int] | None = None,
        content_weight: float = 1.0,
        style_weight: float = 1e3,
        tv_weight: float = 10.0,
        **task: Any,
    ) -> None:
        super().__init__(**task)
        self.weights = {"content": content_weight, "style": style_weight, "tv": tv_weight}
        if min(self.weights.values()) < 0 or not any(self.weights.values()):
            raise InputError(f"weights are {self.weights}; none may be negative, nor all 0")
        if any(layers is not None and not layers for layers in (style_layers, content_layers)):
            raise InputError("style_layers, content_layers: one at least; a weight of 0 omits it")
        self.features, self.features_args = features, features_args or {}
        self.style_layers, self.content_layers = style_layers, content_layers
        self._network: list[TappedNetwork] = []  # none, or one, in no checkpoint
        self._origin: dict[str, str] | None = None
        self._style_targets: dict[Any, list[Tensor]] = {}  # by the size of the picture

    @classmethod
    def example(cls, rows: int = 1) -> tuple[Images, Style]:
        size = cls.example_sizes["image_sizes"][0]
        return torch.randn(rows, 3, *size), torch.randn(1, 3, 48, 64)

    def step(self, batch: tuple[Images, Style]) -> Step:
        contents, style = batch
        painted = self(contents)
        network = self.network(painted)
        style_maps, content_maps = self.maps(network, painted)
        losses = {
            "content": content_loss(content_maps, self.content_targets(network, contents)),
            "style": style_loss(style_maps, self.style_targets(network, style)),
            "tv": total_variation(painted),
        }
        weighted = {f"{name}_loss": self.weights[name] * loss for name, loss in losses.items()}
        sums = {name: loss * len(contents) for name, loss in weighted.items()}
        return Step(torch.stack([*weighted.values()]).sum(), len(contents), sums, painted.detach())

    # The feature network

    def network(self, like: Tensor) -> TappedNetwork:
        """Returns the feature network, on the device and in the precision of a tensor.

        Raises:
            InputError: It cannot be had, or lacks a layer.
        """
        if not self._network:
            body = tapped_network.read(self.features, self.features_args)
            if self.style_layers is None:
                self.style_layers = body.style
            if self.content_layers is None:
                self.content_layers = body.content
            self._origin = body.origin
            self._network = [TappedNetwork(body, [*self.style_layers, *self.content_layers])]
        (network,) = self._network
        if (network.scale.device, network.scale.dtype) != (like.device, like.dtype):
            network.to(like)
        return network

    def maps(self, network: TappedNetwork, images: Images) -> tuple[FeatureMaps, FeatureMaps]:
        """The maps of the style's and of the content's layers."""
        style, content = self.style_layers or (), self.content_layers or ()
        found = network(images, [*style, *content])
        return found[: len(style)], found[len(style) :]

    def content_targets(self, network: TappedNetwork, contents: Images) -> FeatureMaps:
        """The maps of the pictures whose content is wanted."""
        return network(contents, self.content_layers or ())

    def style_targets(self, network: TappedNetwork, style: Style) -> list[Tensor]:
        """The Gram matrices of the style, computed once in a run."""
        if style.shape not in self._style_targets:
            maps = network(style, self.style_layers or ())
            self._style_targets[style.shape] = [gram(each) for each in maps]
        return self._style_targets[style.shape]

    def setup(self, stage: str) -> None:
        self._style_targets = {}
        if stage in ("fit", "validate", "test"):
            self.network(torch.empty(0))  # read now: what is amiss is said at once

    # What a checkpoint keeps

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Saves the feature network's file name and digest, and a path without this machine's."""
        super().on_save_checkpoint(checkpoint)
        checkpoint["zoo"]["features"] = self._origin
        if Path(self.features).is_absolute():
            checkpoint["hyper_parameters"]["features"] = Path(self.features).name

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        super().on_load_checkpoint(checkpoint)
        before = checkpoint.get("zoo", {}).get("features")
        if self._network and before != self._origin:
            name = before["file"] if before else "some drawn at random"
            raise InputError(f"the run was begun by other features ({name}): --model.features")
