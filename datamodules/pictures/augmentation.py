"""The random changes of training pictures that a recipe names."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, TypeVar

import torch
from torch import Tensor

from datamodules.files.errors import CorpusError
from datamodules.pictures import changes
from datamodules.pictures.transforms import is_transform, keyed

T = TypeVar("T")
Change = Callable[[Tensor, Tensor], Tensor]
Mix = Callable[[Tensor, Tensor, Tensor, int], tuple[Tensor, Tensor]]
CHANGES: dict[str, Callable[..., Tensor]] = {
    change.__name__: change
    for change in (
        *(changes.flip, changes.vertical_flip, changes.crop, changes.resized_crop),
        *(changes.color_jitter, changes.rand_augment, changes.cutout),
    )
}
MIXES: dict[str, Callable[..., tuple[Tensor, Tensor]]] = {
    mix.__name__: mix for mix in (changes.mixup, changes.cutmix)
}
GIVEN = ("images", "labels", "keys", "num_classes")  # by the corpus, not by the recipe


class Augmentation:
    """The changes that a recipe names, tried out once so that a bad option is found at once.

    Args:
        named: Names of changes or of classes of torchvision.transforms.v2, or mappings from one
            name to its options: `{crop: {padding: 2}}`.
        size: Side of what `resized_crop` gives, where its options do not say.
        channels: Channels of the pictures.

    Raises:
        CorpusError: There is no such change or option, or a value is none that it takes.
    """

    def __init__(
        self, named: Sequence[str | Mapping[str, Any]], size: int, channels: int = 3
    ) -> None:
        self.changes: list[Change] = []
        self.mix: Mix | None = None
        trial = torch.zeros(2, channels, size, size, dtype=torch.uint8)
        keys = torch.arange(2)
        for place, entry in enumerate(named):
            if is_transform(entry):
                self.changes.append(keyed(entry, place, trial, keys))
                continue
            name, options = named_change(entry, {**CHANGES, **MIXES}, GIVEN)
            if name in MIXES:
                if self.mix:
                    raise CorpusError(f"augment, {name}: one mix of two pictures is enough")
                labels = torch.zeros(2, dtype=torch.long)
                mix = partial(MIXES[name], **options)
                self.mix = tried(name, mix, trial.float(), labels, keys, 2)
            else:
                if name == "resized_crop":
                    options.setdefault("size", size)
                self.changes.append(tried(name, partial(CHANGES[name], **options), trial, keys))

    def change(self, images: Tensor, keys: Tensor) -> Tensor:
        """Pictures as bytes -> pictures as bytes, each changed by its key."""
        for change in self.changes:
            images = change(images, keys)
        return images


def tried(name: str, change: partial[T], *trial: Any) -> partial[T]:
    """Returns a change after calling it once.

    Raises:
        CorpusError: An option has a value that it does not take.
    """
    try:
        change(*trial)
    except (TypeError, ValueError, RuntimeError) as error:
        reason = str(error).partition("\n")[0]
        raise CorpusError(f"augment, {name}: {reason}") from None
    return change


def named_change(
    entry: Any, known: Mapping[str, Callable[..., Any]], given: Sequence[str]
) -> tuple[str, dict[str, Any]]:
    """The name and the options of an entry.

    Args:
        entry: A name, or a mapping from one name to its options.
        known: The changes that there are.
        given: Parameters of changes that are no options.

    Raises:
        CorpusError: There is no such change or option.
    """
    if isinstance(entry, str):
        entry = {entry: {}}
    if not isinstance(entry, Mapping) or len(entry) != 1:
        raise CorpusError(f"augment: wanted a name or {{name: {{option: value}}}}, not {entry}")
    ((name, options),) = entry.items()
    if name not in known:
        raise CorpusError(f"augment: no change is called {name}; there are: {', '.join(known)}")
    takes = [p for p in inspect.signature(known[name]).parameters if p not in given]
    options = options or {}
    if not isinstance(options, Mapping):
        raise CorpusError(f"augment, {name}: wanted {{option: value}}, not {options}")
    for option in options:
        if option not in takes:
            raise CorpusError(
                f"augment, {name}: there is no option {option}; there are: {', '.join(takes)}"
            )
    return name, dict(options)
