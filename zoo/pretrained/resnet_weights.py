"""Weights to begin from: a trained ResNet's, under the zoo's names, and what follows from them.

Source: torchvision's names, https://github.com/pytorch/vision/blob/main/torchvision/models/resnet.py
"""

import hashlib
import pickle
import re
import sys
import warnings
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import Any

import torch
from filelock import FileLock
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn
from torchvision.models import get_model_weights

from zoo.checkpoints import checkpoint
from zoo.errors import InputError
from zoo.layers.residual import DEPTHS, basic, bottleneck

NETWORKS = (
    "zoo.image_classification.resnet.ResNet",
    "zoo.image_classification.fine_tuned_resnet.FineTunedResNet",
)
BODY = ("stem.", "stages.")
HEAD = ("fc.", "head.")


@dataclass(frozen=True)
class Pretrained:
    """A trained body.

    Attributes:
        source: The file, as text.
        sha256: Of the file.
        body: The weights, under the names of ResNet's stem and stages.
        depth: Layers with weights.
        stem: imagenet or cifar.
        in_channels: Channels of a picture.
        width_ratio: Multiplies all numbers of channels.
    """

    source: str
    sha256: str
    body: dict[str, Tensor]
    depth: int
    stem: str
    in_channels: int
    width_ratio: float


def read(weights: str, network: Callable[..., nn.Module], depth: int | None = None) -> Pretrained:
    """Reads the body of a trained ResNet; runs no code from the file.

    Args:
        weights: The word torchvision, for its weights of ImageNet; or a file: .pth or .pt with
            torchvision's names, .safetensors with those or the zoo's, or a .ckpt of the zoo.
        network: Builds a ResNet, whose stem and stages the weights are to fit.
        depth: Which of torchvision's networks, by default 18.

    Raises:
        InputError: The file is missing, damaged, of another network, or cannot be downloaded.
    """
    otherwise = "name a file of your own: --model.weights FILE"
    path = Path(weights)
    if weights == "torchvision":
        path = torchvisions(f"resnet{depth or 18}", otherwise)
    if path.suffix not in (".pth", ".pt", ".safetensors", ".ckpt"):
        raise InputError(
            f"weights are torchvision or a .pth, .pt, .safetensors or .ckpt file, not {weights}"
        )
    sha256 = sha256_of(path)
    if not path.stat().st_size:
        raise InputError(f"{path}: is empty")
    width_ratio = None
    if path.suffix == ".ckpt":
        tensors, width_ratio = _checkpoint(path)
    else:
        tensors = tensors_in(path)
    body = _body(tensors, path)
    form = _form(body, path)
    if width_ratio:
        form["width_ratio"] = width_ratio
    return Pretrained(str(path), sha256, _fitting(body, form, path, network), **form)


def sha256_of(path: Path) -> str:
    """Of a file of weights.

    Raises:
        InputError: It is not there or cannot be read.
    """
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError:
        trained = f": `zoo fit {path.parts[1]}` makes it" if path.parts[0] == "runs" else ""
        raise InputError(f"{path}: there is no such file{trained}") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from None


def torchvisions(network: str, otherwise: str) -> Path:
    """Torchvision's file of weights, from torch's cache or else downloaded into it.

    Args:
        network: Torchvision's name of it.
        otherwise: What else can be done where that fails.

    Raises:
        InputError: It is not there and cannot be downloaded.
    """
    url = get_model_weights(network)["DEFAULT"].url
    name = url.rpartition("/")[2]
    path = Path(torch.hub.get_dir(), "checkpoints", name)
    if path.exists():
        return path
    digest = Path(name).stem.rpartition("-")[2]
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(path.with_name(f".{name}.lock")):
            if not path.exists():
                bar = sys.stderr.isatty()
                torch.hub.download_url_to_file(url, str(path), digest, progress=bar)
    except (OSError, RuntimeError, HTTPException) as error:
        reason = " ".join(str(error).split())
        raise InputError(
            f"{name} is not in {path.parent} and cannot be downloaded from {url} ({reason}): put "
            f"a copy there, or {otherwise}"
        ) from None
    return path


def tensors_in(path: Path) -> dict[str, Any]:
    """The weights by name of a .safetensors file, or of what torch.save wrote.

    Raises:
        InputError: The file is damaged or holds more than plain data.
    """
    return _safetensors(path) if path.suffix == ".safetensors" else _pickled(path)


def renamed(name: str) -> str:
    """The zoo's name of a parameter of torchvision's ResNet: layer1.0.conv2 is in stages.0.0."""
    if match := re.fullmatch(r"(conv|bn)1\.(\w+)", name):
        layer, rest = match.groups()
        return f"stem.{('conv', 'bn').index(layer)}.{rest}"
    if match := re.fullmatch(r"layer(\d)\.(\d+)\.(conv|bn)(\d)\.(\w+)", name):
        stage, block, layer, number, rest = match.groups()
        layer_of_three = 3 * (int(number) - 1) + ("conv", "bn").index(layer)  # and ReLU
        return f"stages.{int(stage) - 1}.{block}.residual.{layer_of_three}.{rest}"
    if match := re.fullmatch(r"layer(\d)\.(\d+)\.downsample\.(\d)\.(\w+)", name):
        stage, block, place, rest = match.groups()
        return f"stages.{int(stage) - 1}.{block}.shortcut.{place}.{rest}"
    return name


def _checkpoint(path: Path) -> tuple[dict[str, Any], float | None]:
    """The weights in a checkpoint of the zoo, and the ratio that its network was built with."""
    saved = checkpoint.read(path)
    checkpoint.refuse_foreign(saved, path)
    if (class_path := saved["zoo"].get("class_path")) not in NETWORKS:
        raise InputError(f"{path}: of {class_path}, not of a ResNet or a FineTunedResNet")
    return saved.get("state_dict", {}), saved.get("hyper_parameters", {}).get("width_ratio")


def _safetensors(path: Path) -> dict[str, Any]:
    try:
        return load_file(path)
    except (SafetensorError, OSError) as error:
        raise InputError(f"{path}: not a whole file of safetensors ({error})") from None


def _pickled(path: Path) -> dict[str, Any]:
    """What torch.save wrote, in either of its formats, perhaps one level down."""
    try:
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                if archive.testzip():
                    raise zipfile.BadZipFile
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the pickle's protocol, where it is no pickle
            loaded = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError:
        raise InputError(f"{path}: damaged, or holds more than plain data: not loaded") from None
    except Exception:  # a damaged pickle raises anything
        raise InputError(f"{path}: not a whole file of weights (damaged or cut?)") from None
    for key in ("state_dict", "model"):
        if isinstance(loaded, dict) and isinstance(loaded.get(key), dict):
            loaded = loaded[key]
    if not isinstance(loaded, dict):
        raise InputError(f"{path}: holds a {type(loaded).__name__}, not weights by name")
    return loaded


def _body(tensors: dict[str, Any], path: Path) -> dict[str, Tensor]:
    """The weights of stem and stages, under the zoo's names, without those of the head."""
    body = {}
    for name, tensor in tensors.items():
        ours = renamed(str(name))
        if not ours.startswith(BODY + HEAD) or not isinstance(tensor, Tensor):
            raise InputError(f"{path}: not the weights of a ResNet: it has {name}")
        if ours.startswith(BODY):
            body[ours] = tensor
    return body


def _form(body: dict[str, Tensor], path: Path) -> dict[str, Any]:
    """What the network was built with, as the names and shapes of its weights show it."""
    places = {tuple(name.split(".")[1:3]) for name in body if name.startswith("stages.")}
    counts = tuple(sum(stage == str(i) for stage, _ in places) for i in range(4))
    block = bottleneck if "stages.0.0.residual.6.weight" in body else basic
    rows = {d: row for d, row in DEPTHS.items() if row[0] is block and row[2] == counts}
    if not rows:
        blocks = ", ".join(map(str, counts))
        raise InputError(
            f"{path}: its stages have {blocks} blocks ({block.__name__}): no ResNet of depth "
            f"{', '.join(map(str, DEPTHS))}"
        )
    ((depth, (_, widths, _)),) = rows.items()
    first, last = body.get("stem.0.weight"), body.get("stages.3.0.shortcut.1.weight")
    if first is None or first.ndim != 4 or last is None or not last.numel():
        raise InputError(f"{path}: not the weights of a ResNet: no convolution in front, or no end")
    stem = {7: "imagenet", 3: "cifar"}.get(first.shape[-1])
    if stem is None:
        raise InputError(f"{path}: its first convolution is neither 7x7 nor 3x3")
    return {
        "depth": depth,
        "stem": stem,
        "in_channels": first.shape[1],
        "width_ratio": last.numel() / widths[-1],  # the widest layer: rounded least
    }


def _fitting(
    body: dict[str, Tensor], form: dict[str, Any], path: Path, network: Callable[..., nn.Module]
) -> dict[str, Tensor]:
    """The weights, if they are those of a network of this form, and finite.

    Files from before torch 0.4.1 do not count the batches that the normalisation has seen.
    """
    kind = f"ResNet-{form['depth']}"
    with torch.device("meta"):
        wanted = network(num_classes=1, **form).state_dict()
    wanted = {name: tensor for name, tensor in wanted.items() if name.startswith(BODY)}
    if surplus := body.keys() - wanted.keys():
        raise InputError(f"{path}: has {min(surplus)}, which a {kind} has not")
    fitting = {}
    for name, like in wanted.items():
        if name.endswith("num_batches_tracked"):
            body.setdefault(name, torch.tensor(0))
        if name not in body:
            raise InputError(f"{path}: lacks {name}, which a {kind} has")
        tensor = body[name]
        if tensor.shape != like.shape:
            raise InputError(
                f"{path}: its {name} is {_sides(tensor)} and that of a {kind} {_sides(like)}"
            )
        if tensor.is_floating_point() != like.is_floating_point():
            raise InputError(f"{path}: its {name} is {tensor.dtype}")
        fitting[name] = tensor.to(like.dtype)
        if not fitting[name].isfinite().all():
            raise InputError(f"{path}: its {name} has values that are not finite")
    return fitting


def _sides(tensor: Tensor) -> str:
    return " x ".join(map(str, tensor.shape)) or "one value"
