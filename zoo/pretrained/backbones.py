"""Bodies of image classifiers for other families: a class of the zoo, or a checkpoint of one."""

from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from zoo.catalogue import TASK, imported, is_a
from zoo.checkpoints import checkpoint
from zoo.errors import InputError
from zoo.pretrained import resnet_weights

FAMILY = "zoo.image_classification."
RESNET, FINE_TUNED = resnet_weights.NETWORKS


class Backbone(NamedTuple):
    """The parts of a classifier before its head, one after another.

    Attributes:
        parts: Of which each takes what the one before gives.
        class_path: Of the classifier.
        arguments: With which the classifier was built, but for those of training.
        origin: Name and sha256 of a file that the weights came from, if they did.
    """

    parts: nn.ModuleList
    class_path: str
    arguments: dict[str, Any]
    origin: dict[str, str] | None


def read(
    source: str, in_channels: int, arguments: dict[str, Any], weights: str | None = None
) -> Backbone:
    """Builds a backbone; no code runs but the zoo's own.

    Args:
        source: A class path below `zoo.image_classification`, or the path of a checkpoint (.ckpt)
            of such a classifier.
        in_channels: Channels of a picture.
        arguments: Of the class; a checkpoint has its own.
        weights: Of a ResNet: torchvision or a file; see `zoo.pretrained.resnet_weights`.

    Raises:
        InputError: There is no such class or file, it is no image classifier with a body, or it
            does not fit the pictures or the arguments.
    """
    if source.endswith(".ckpt"):
        if arguments or weights is not None:
            raise InputError(f"{source} brings its arguments and weights: leave out others")
        return _trained(source, in_channels)
    given = {"in_channels": in_channels, "num_classes": 1, **arguments}
    network_class, origin = _class(source), None
    body: dict[str, Tensor] = {}
    if weights is not None:
        if source != RESNET:
            raise InputError(f"weights are those of a {RESNET}; of others give the .ckpt")
        found = resnet_weights.read(weights, network_class, arguments.get("depth"))
        form = {name: getattr(found, name) for name in ("depth", "stem", "width_ratio")}
        given, body = {**given, **form}, found.body
        if found.in_channels != in_channels:
            raise InputError(f"{weights}: reads {found.in_channels} channels, not {in_channels}")
        origin = {"file": Path(found.source).name, "sha256": found.sha256}
    try:
        network = network_class(**given)
    except TypeError as error:
        raise InputError(f"{source} cannot be built with {arguments}: {error}") from None
    network.load_state_dict(body, strict=False)
    del given["in_channels"], given["num_classes"]
    return Backbone(parts_of(network, source), source, given, origin)


def _trained(path: str, in_channels: int) -> Backbone:
    """The body of a classifier of the zoo, from its checkpoint."""
    sha256 = resnet_weights.sha256_of(Path(path))
    network: Any = checkpoint.load(path)
    saved = dict(network.hparams)
    if saved.get("in_channels", in_channels) != in_channels:
        raise InputError(f"{path}: reads {saved['in_channels']} channels, not {in_channels}")
    cls = type(network)
    class_path = f"{cls.__module__}.{cls.__qualname__}"
    arguments = checkpoint.model_arguments({"hyper_parameters": saved})
    if class_path == FINE_TUNED:  # of which the body is a ResNet's
        class_path = RESNET
        arguments = {name: arguments[name] for name in ("depth", "stem", "width_ratio")}
    for name in ("in_channels", "num_classes"):
        arguments.pop(name, None)
    origin = {"file": Path(path).name, "sha256": sha256}
    return Backbone(parts_of(network, path), class_path, arguments, origin)


def _class(class_path: str) -> Any:
    """The class, after a look at its name: to import it is to run its module."""
    if not class_path.startswith(FAMILY) or not is_a(class_path, TASK):
        raise InputError(f"{class_path}: a backbone is a class below {FAMILY[:-1]} or a .ckpt file")
    return imported(class_path)


def parts_of(network: nn.Module, source: str) -> nn.ModuleList:
    """Stem and stages, or the features.

    Raises:
        InputError: It has neither.
    """
    stem, stages = getattr(network, "stem", None), getattr(network, "stages", None)
    features = getattr(network, "features", None)
    if isinstance(stem, nn.Module) and isinstance(stages, nn.Sequential):
        return nn.ModuleList([stem, *stages])
    if isinstance(features, nn.Sequential):
        return nn.ModuleList(features)
    raise InputError(f"{source}: has no body of stem and stages, nor of features")


def scales(parts: nn.ModuleList, in_channels: int, image_size: int) -> dict[int, tuple[int, int]]:
    """After which parts a map is about to get smaller, or to end: side and channels of that map.

    Args:
        parts: Of a backbone.
        in_channels: Channels of a picture.
        image_size: Side of a picture.
    """
    found: dict[int, tuple[int, int]] = {}
    x, training = torch.zeros(1, in_channels, image_size, image_size), parts.training
    parts.eval()
    for index, part in enumerate(parts):
        shape = x.shape
        x = part(x)
        if index and x.shape[-1] < shape[-1]:
            found[index - 1] = shape[-1], shape[1]
    found[len(parts) - 1] = x.shape[-1], x.shape[1]
    parts.train(training)
    return found
