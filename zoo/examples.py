"""Each architecture at the sizes of its header, and a batch for it."""

import math
import re
from importlib import import_module
from typing import Any

import torch
from torch import Tensor

from zoo.catalogue import Definition, arguments, definitions

Shape = tuple[int, ...]


WITH_LENGTHS = ("translation", "text_classification")  # after the tokens


def shapes(definition: Definition) -> tuple[Shape, Shape | None]:
    """Input and output of the header, without the batch; None for an output without rows.

    `(batch, 1, 28, 28) -> (batch, 10)` is (1, 28, 28) and (10,). Of several inputs it is the first.
    """
    inputs, *_, outputs = _all_shapes(definition)
    return inputs or (), outputs


def _all_shapes(definition: Definition) -> list[Shape | None]:
    """The shapes of the header in order, without the batch; None for one without rows."""
    return [
        tuple(int(size) for size in sizes.split(",") if size.strip()) if rows else None
        for rows, sizes in re.findall(r"\((batch)?,? ?([\d, ]*)\)", definition.header["Shapes"])
    ]


def vocab_size(definition: Definition) -> int:
    """Of how many tokens a text is: 27 in `(batch, 64) of 27 tokens`, else the last size given."""
    said = re.search(r" of ([\d,]+) tokens", definition.header["Shapes"])
    _, outputs = shapes(definition)
    return int(said[1].replace(",", "")) if said else (outputs or (0,))[-1]


def build(definition: Definition, **options: Any) -> Any:
    """The architecture with the sizes that its header gives, and other arguments as given."""
    inputs, outputs = shapes(definition)
    size, last = math.prod(inputs), (outputs or (0,))[-1]
    sizes = {"in_features": size, "dimensions": size, "num_classes": (outputs or (0,))[0]}
    sizes |= dict.fromkeys(("vocab_size", "source_vocab_size"), vocab_size(definition))
    sizes |= dict.fromkeys(("num_tags", "target_vocab_size"), last)
    sizes |= {"bos_index": 1, "eos_index": 2}
    if definition.family == "object_detection":
        sizes["num_classes"] = last - 5  # an anchor says nothing, a class, or where it should be
    if len(inputs) == 3:
        sizes |= {"in_channels": inputs[0], "image_size": inputs[1]}
    if definition.family == "generation":  # of noise
        sizes |= {"in_features": last, "latent_dim": size}
        sizes |= dict(zip(("in_channels", "image_size"), outputs or (), strict=False))
    known = arguments(definition, definitions())
    module, _, name = definition.class_path.rpartition(".")
    cls = getattr(import_module(module), name)
    if "image_sizes" in known:
        options = {"image_sizes": [inputs[1:]], **options}
    return cls(**{key: value for key, value in sizes.items() if key in known}, **options)


def example(definition: Definition, rows: int = 1) -> tuple[Tensor, ...]:
    """What `forward` takes: zeros of the shapes that the header gives, tokens where it reads them.

    Where texts come with their lengths, those follow the texts.
    """
    known = arguments(definition, definitions())
    reads_tokens = {"vocab_size", "source_vocab_size"} & set(known)
    dtype = torch.int64 if reads_tokens else torch.float32
    *inputs, _ = _all_shapes(definition)
    zeros = [torch.zeros(rows, *(shape or ()), dtype=dtype) for shape in inputs]
    if definition.family in WITH_LENGTHS:
        zeros.insert(1, torch.full((rows,), zeros[0].shape[1]))
    return tuple(zeros)


def device(definition: Definition) -> torch.device:
    """Where an architecture is looked at: nowhere, but for those that look at numbers."""
    looks = definition.family in (*WITH_LENGTHS, "word_embedding")
    return torch.device("cpu" if looks else "meta")
