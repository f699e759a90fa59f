"""Maps within a trained network: what a picture shows, and in what style, without being learnt.

Source: Gatys, Ecker and Bethge 2016, https://doi.org/10.1109/CVPR.2016.265, Section 2, with VGG-19
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from zoo.checkpoints import checkpoint
from zoo.errors import InputError
from zoo.pretrained import backbones, resnet_weights
from zoo.shapes import FeatureMaps, Images

VGG = f"{backbones.FAMILY}vgg.VGG"
DEPTHS = (11, 13, 16, 19)  # of VGG
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet, as the pictures given
STYLE, CONTENT = (0, 5, 10, 19, 28), (25,)  # layers of VGG-19 that the course takes
TRIED = 64  # side of the picture by which other networks show where maps get smaller
OTHERWISE = (
    "name another file, --model.features FILE, or a network that the zoo trained, --model.features "
    "runs/resnet_small-cifar10/1/checkpoints/best.ckpt"
)


class Body(NamedTuple):
    """A trained body, and where to tap it.

    Attributes:
        parts: Of which each takes what the one before gives.
        style: Numbers of the parts whose maps show the style.
        content: Numbers of the parts whose maps show the content.
        mean: Of the pixels in [0, 1] that it was trained on, one a channel.
        std: Of these pixels.
        origin: Name and sha256 of the file that the weights came from, if they did.
    """

    parts: nn.ModuleList
    style: tuple[int, ...]
    content: tuple[int, ...]
    mean: Sequence[float] = MEAN
    std: Sequence[float] = STD
    origin: dict[str, str] | None = None


def read(source: str, arguments: dict[str, Any]) -> Body:
    """Reads the body of a network; no code runs but the zoo's own.

    Args:
        source: The word torchvision, for its VGG-19 of ImageNet, from torch's cache or else
            downloaded; a file of weights of a VGG without normalisation, under torchvision's
            names: .pth, .pt or .safetensors; a .ckpt of an image classifier of the zoo; or the
            class path of one, whose weights are drawn at random, always the same.
        arguments: Of the class.

    Raises:
        InputError: It cannot be had, is something else, or has no body.
    """
    path = Path(source)
    if source == "torchvision":
        path = resnet_weights.torchvisions("vgg19", OTHERWISE)
    if path.suffix in (".pth", ".pt", ".safetensors"):
        if arguments:
            raise InputError(f"{source} says itself what it is: leave out features_args")
        return _vgg(path)
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(0)  # what is drawn judges the same in every process
        found = backbones.read(source, len(MEAN), arguments)
    state = {}
    if path.suffix == ".ckpt":
        state = checkpoint.corpus_state(checkpoint.read(path)) or {}
    mean, std = state.get("mean", MEAN), state.get("std", STD)
    style = tuple(backbones.scales(found.parts, len(MEAN), TRIED))
    content = style[-2:-1] or style
    return Body(found.parts, style, content, mean, std, found.origin)


def _vgg(path: Path) -> Body:
    """The convolutions of a VGG, from torchvision's file or one like it."""
    sha256 = resnet_weights.sha256_of(path)
    weights = {
        name.removeprefix("features."): tensor
        for name, tensor in resnet_weights.tensors_in(path).items()
        if str(name).startswith("features.") and isinstance(tensor, Tensor)
    }
    depth = sum(tensor.ndim == 4 for tensor in weights.values()) + 3  # and the dense layers
    if depth not in DEPTHS:
        raise InputError(f"{path}: not the weights of a VGG: there is no VGG-{depth}")
    with torch.device("meta"):
        parts = backbones.read(VGG, len(MEAN), {"depth": depth}).parts
    wanted = parts.state_dict()
    if {n: t.shape for n, t in weights.items()} != {n: t.shape for n, t in wanted.items()}:
        raise InputError(f"{path}: not the weights of a VGG-{depth} without normalisation")
    if not all(tensor.isfinite().all() for tensor in weights.values()):
        raise InputError(f"{path}: has values that are not finite")
    parts.load_state_dict({n: t.float() for n, t in weights.items()}, assign=True)
    origin = {"file": path.name, "sha256": sha256}
    if depth == 19:
        return Body(parts, STYLE, CONTENT, origin=origin)
    ends = tuple(i - 1 for i, part in enumerate(parts) if isinstance(part, nn.MaxPool2d))
    return Body(parts, ends, ends[-2:-1], origin=origin)


class TappedNetwork(nn.Module):
    """A frozen body, run as far as the last of the layers that are asked for.

    The map of a convolution is seen after the ReLU that follows it, as in the course, where ReLUs
    overwrite what they are given; but that of the last layer at once, for no ReLU is run.

    Args:
        body: What is run. Its ReLUs overwrite what they are given.
        layers: Numbers of all parts that will be asked for.

    Raises:
        InputError: There is no such part.
    """

    scale: Tensor
    shift: Tensor

    def __init__(self, body: Body, layers: Sequence[int]) -> None:
        super().__init__()
        if not layers or not all(0 <= layer < len(body.parts) for layer in layers):
            raise InputError(
                f"style_layers and content_layers are {sorted(set(layers))}; the features have "
                f"parts from 0 to {len(body.parts) - 1}"
            )
        self.parts = body.parts[: max(layers) + 1]
        self.tap = {layer: self._seen_after(layer) for layer in layers}
        for before, part in zip(self.parts, self.parts[1:], strict=False):
            if isinstance(part, nn.ReLU) and isinstance(before, nn.Conv2d | nn.BatchNorm2d):
                part.inplace = True
        ratios = [theirs / ours for ours, theirs in zip(body.std, STD, strict=True)]
        gaps = [(m - own) / s for m, own, s in zip(MEAN, body.mean, body.std, strict=True)]
        self.same = tuple(body.mean) == MEAN and tuple(body.std) == STD
        self.register_buffer("scale", torch.tensor(ratios).view(-1, 1, 1))
        self.register_buffer("shift", torch.tensor(gaps).view(-1, 1, 1))
        self.requires_grad_(False).eval()

    def _seen_after(self, layer: int) -> int:
        follows = layer + 1 < len(self.parts) and isinstance(self.parts[layer + 1], nn.ReLU)
        return layer + follows

    def forward(self, images: Images, layers: Sequence[int]) -> FeatureMaps:
        """The maps of these layers, in their order, of pictures normalised as ImageNet is.

        Raises:
            InputError: The pictures are too small for a layer.
        """
        taps = [self.tap[layer] for layer in layers]
        maps, x = {}, images if self.same else images * self.scale + self.shift
        for index, part in enumerate(self.parts[: max(taps) + 1]):
            try:
                x = part(x)
            except RuntimeError as error:
                if min(x.shape[-2:]) > 16:
                    raise
                size = " x ".join(map(str, images.shape[-2:]))
                raise InputError(f"pictures of {size} are too small for the features") from error
            if index in taps:
                maps[index] = x
        return [maps[tap] for tap in taps]
