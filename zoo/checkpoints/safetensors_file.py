"""Checkpoints as safetensors: the weights by name and, as text, all else that makes the model.

What trains on (optimizers, schedules, callbacks, loops) is left out. The text is JSON under `zoo`
in the header: plain values as they are, a tensor as {"$tensor": name}, other kinds likewise. The
digest there is of the whole file but for its own place, so that no changed byte is read.

Source: https://huggingface.co/docs/safetensors (format)
"""

import hashlib
import json
import math
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from zoo.errors import InputError

SUFFIX = ".safetensors"
KEPT = (
    *("zoo", "hyper_parameters", "hparams_name", "state_dict", "epoch", "global_step"),
    "pytorch-lightning_version",
)
WEIGHTS = "state_dict"
SIZE = 8  # bytes before the header, which say how long it is
MAX_HEADER = 100_000_000  # bytes, by the format
MARK, NO_DIGEST = b'"sha256":"', "0" * 64


def is_safetensors(path: Path) -> bool:
    """Whether a file is safetensors, by its name or its first bytes.

    Raises:
        OSError: It cannot be read.
    """
    with path.open("rb") as file:
        return path.suffix == SUFFIX or file.read(SIZE + 1)[SIZE:] == b"{"


def encode(checkpoint: dict[str, Any], source: Path) -> tuple[bytes, bytes]:
    """Returns the two parts of the file that holds a checkpoint: its header and its data.

    Args:
        checkpoint: Content, as `zoo.checkpoints.checkpoint.read` returns it.
        source: Name of what cannot be encoded, in errors.

    Raises:
        InputError: The format cannot hold the content.
    """
    kept = {name: checkpoint[name] for name in KEPT if name in checkpoint}
    corpus = checkpoint["zoo"].get("corpus")
    if corpus in checkpoint:
        kept[corpus] = checkpoint[corpus]
    tensors: dict[str, Tensor] = {}
    try:
        text = json.dumps(_packed(kept, tensors, ()), allow_nan=False)
        header, data = _parts(save(tensors, {"format": "pt", "sha256": NO_DIGEST, "zoo": text}))
    except (TypeError, KeyError, ValueError, SafetensorError) as error:
        raise InputError(f"{source}: safetensors cannot hold it: {error}") from None
    if len(header) > MAX_HEADER:
        raise InputError(f"{source}: safetensors cannot hold {len(header):,} bytes of text")
    digest = hashlib.sha256(header + data).hexdigest()
    return header.replace(MARK + NO_DIGEST.encode(), MARK + digest.encode(), 1), data


def read(path: Path) -> dict[str, Any]:
    """The checkpoint in a file, on the CPU, after a check of every byte; runs no code from it.

    Raises:
        InputError: The file is cut, damaged or changed, or was not written by the zoo.
        OSError: It cannot be read.
    """
    whole = path.read_bytes()
    end = SIZE + int.from_bytes(whole[:SIZE], "little")
    try:
        metadata = json.loads(whole[SIZE:end]).get("__metadata__", {})
        text, digest = metadata.get("zoo"), str(metadata.get("sha256"))
    except (ValueError, AttributeError, RecursionError):
        raise InputError(f"{path}: not a whole file of safetensors (damaged or cut?)") from None
    if text is None:
        raise InputError(
            f"{path}: weights alone, not a model that `zoo export --format safetensors` wrote"
        )
    placed = MARK + digest.encode()
    summed = hashlib.sha256(whole[:end].replace(placed, MARK + NO_DIGEST.encode(), 1))
    summed.update(memoryview(whole)[end:])
    if summed.hexdigest() != digest:
        raise InputError(f"{path}: damaged, cut or changed: take another copy, or export it again")
    try:
        return _unpacked(json.loads(text), load(whole))
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError, SafetensorError):
        raise InputError(f"{path}: this version of the zoo cannot read what is in it") from None


def _parts(whole: bytes) -> tuple[bytes, bytes]:
    """The header with its size, sorted, so that equal checkpoints are equal files; and the data."""
    end = SIZE + int.from_bytes(whole[:SIZE], "little")
    names = json.loads(whole[SIZE:end])
    metadata = dict(sorted(names.pop("__metadata__").items()))
    text = json.dumps({"__metadata__": metadata, **names}, separators=(",", ":")).encode()
    text += b" " * (-len(text) % SIZE)
    return len(text).to_bytes(SIZE, "little") + text, whole[end:]


# What JSON does not know is an object with one key, which names its kind.


def _packed(value: Any, tensors: dict[str, Tensor], place: tuple[str, ...]) -> Any:
    """A value as JSON; its tensors are added to those that are there.

    Weights keep their names, other tensors are called by their place.

    Raises:
        TypeError: There is something else in it than plain data.
    """
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else {"$float": str(value)}
    if isinstance(value, Tensor):
        own = place[:1] == (WEIGHTS,) and len(place) == 2
        name = place[1] if own else "/".join(("zoo", *place))
        tensors[name] = _untied(value, tensors)
        return {"$tensor": name}
    if isinstance(value, list | tuple):
        items = [_packed(item, tensors, (*place, str(n))) for n, item in enumerate(value)]
        return items if isinstance(value, list) else {"$tuple": items}
    if isinstance(value, dict):
        pairs = [(k, _packed(v, tensors, (*place, str(k)))) for k, v in value.items()]
        if all(isinstance(key, str) and key[:1] != "$" for key in value):
            return dict(pairs)
        return {"$dict": [[_packed(key, tensors, place), item] for key, item in pairs]}
    raise TypeError(f"{'.'.join(place)} is a {type(value).__name__}")


def _untied(tensor: Tensor, others: dict[str, Tensor]) -> Tensor:
    """Returns a tensor with storage of its own: the format refuses shared (tied) weights."""
    tensor = tensor.cpu().contiguous()
    storages = {other.untyped_storage().data_ptr() for other in others.values()}
    return tensor.clone() if tensor.untyped_storage().data_ptr() in storages else tensor


def _unpacked(value: Any, tensors: dict[str, Tensor]) -> Any:
    """The inverse of `_packed`."""
    if isinstance(value, list):
        return [_unpacked(item, tensors) for item in value]
    if not isinstance(value, dict):
        return value
    if not any(key[:1] == "$" for key in value):
        return {key: _unpacked(item, tensors) for key, item in value.items()}
    ((kind, held),) = value.items()
    if kind == "$float":
        return float(held)
    if kind == "$tensor":
        return tensors[held]
    if kind == "$tuple":
        return tuple(_unpacked(item, tensors) for item in held)
    if kind == "$dict":
        return {_unpacked(key, tensors): _unpacked(item, tensors) for key, item in held}
    raise KeyError(kind)
