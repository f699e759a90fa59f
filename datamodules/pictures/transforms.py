"""Classes of torchvision.transforms.v2 as random changes, each picture's drawn by its own key."""

from collections.abc import Callable, Mapping
from difflib import get_close_matches
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torchvision.transforms import v2

from datamodules.files.errors import CorpusError
from datamodules.pictures.changes import uniform

HOME = "torchvision.transforms.v2"
FIRST, STREAMS = 33, 64  # a key's random numbers that are theirs; see `uniform`
SPEC = {"class_path", "init_args"}


def is_transform(entry: Any) -> bool:
    """Whether an entry of a list of changes names a class: by a capital letter, or its path."""
    named = entry
    if isinstance(entry, Mapping) and entry:
        named = entry.get("class_path", next(iter(entry)))
    return isinstance(named, str) and named.rpartition(".")[2][:1].isupper()


def keyed(
    entry: Any, place: int, trial: Tensor, keys: Tensor
) -> Callable[[Tensor, Tensor], Tensor]:
    """Makes the change of an entry, and tries it once.

    Args:
        entry: Name of a class, `{name: {argument: value}}`, or `{class_path: ..., init_args: ...}`.
        place: Index in the list of changes: equal classes draw on their own.
        trial: Pictures to try it on, uint8 (batch, channels, size, size).
        keys: Keys of these.

    Raises:
        CorpusError: There is no such class, it does not take an argument, or what it gives is not
            a picture of the size and type that it was given.
    """
    if FIRST + place >= STREAMS:
        raise CorpusError(f"augment: at most {STREAMS - FIRST} changes may be named")
    change, name = partial(drawn, made(entry), FIRST + place), name_of(entry)
    try:
        changed = change(trial, keys)
    except (TypeError, ValueError, RuntimeError, AttributeError, IndexError) as error:
        raise CorpusError(f"augment, {name}: {_short(error)}") from None
    if changed.shape != trial.shape or changed.dtype != trial.dtype:
        found, wanted = (f"{tuple(x.shape[1:])}, {x.dtype}" for x in (changed, trial))
        raise CorpusError(
            f"augment, {name}: wanted a picture as it was, {wanted}; it gives {found}"
        )
    return change


def drawn(transform: v2.Transform, stream: int, images: Tensor, keys: Tensor) -> Tensor:
    """Changes each picture by itself, with torch's generator seeded by its key.

    Args:
        transform: The change.
        stream: Index of the random number of a key that seeds it.
        images: uint8 (batch, channels, height, width).
        keys: Key of each picture.
    """
    seeds = (uniform(keys, stream) * (1 << 24)).long().tolist()
    on_cuda = images.device.type == "cuda"
    with torch.random.fork_rng(devices=[images.device] if on_cuda else []):
        changed = []
        for image, seed in zip(images, seeds, strict=True):
            torch.default_generator.manual_seed(seed)
            if on_cuda:  # noise is drawn where the pictures are
                torch.cuda.manual_seed(seed)
            changed.append(transform(image))
    return torch.stack(changed)


def made(entry: Any) -> v2.Transform:
    """Makes the object that an entry describes; arguments may be entries, or lists of them.

    Raises:
        CorpusError: There is no such class, or it does not take an argument.
    """
    name, cls = name_of(entry), getattr(v2, name_of(entry), None)
    path = _path(entry)
    if path not in (name, f"{HOME}.{name}"):
        raise CorpusError(f"augment: {path} is not of {HOME}, whose classes alone may stand there")
    if not (isinstance(cls, type) and issubclass(cls, v2.Transform)):
        near = get_close_matches(name, v2.__dict__, n=1)
        hint = f" (did you mean {near[0]}?)" if near else ""
        raise CorpusError(f"augment: {HOME} has no class {name}{hint}")
    if issubclass(cls, v2.MixUp | v2.CutMix):
        raise CorpusError(f"augment: pictures are mixed by {name.lower()}, not by {name}")
    try:
        return cls(**{key: _value(value) for key, value in _arguments(entry).items()})
    except (TypeError, ValueError) as error:
        raise CorpusError(f"augment, {name}: {_short(error)}") from None


def name_of(entry: Any) -> str:
    """The name of the class of an entry."""
    return _path(entry).rpartition(".")[2]


def _path(entry: Any) -> str:
    if isinstance(entry, Mapping):
        return str(entry.get("class_path", next(iter(entry))))
    return str(entry)


def _arguments(entry: Any) -> Mapping[str, Any]:
    if not isinstance(entry, Mapping):
        return {}
    one = (entry.get("init_args") if "class_path" in entry else next(iter(entry.values()))) or {}
    known = set(entry) <= SPEC if "class_path" in entry else len(entry) == 1
    if not known or not isinstance(one, Mapping):
        raise CorpusError(f"augment: wanted {{name: {{argument: value}}}}, not {dict(entry)}")
    return one


def _value(value: Any) -> Any:
    """An argument: an object where it describes one, as RandomApply and RandomChoice take."""
    if isinstance(value, list | tuple):
        return [_value(item) for item in value]
    return made(value) if is_transform(value) else value


def _short(error: Exception) -> str:
    return str(error).partition("\n")[0].rpartition("__init__() ")[2]
