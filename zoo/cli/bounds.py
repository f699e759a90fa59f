"""Bounds of the models' numbers, by name: a name means the same in each of them.

What many models have, a size or a rate, is checked here for the command, so that an architecture
reads like its figure; what is a model's own, the model checks. Torch would train a network of no
channels, or complain of a tensor and not of the option.
"""

import math
import re
from collections.abc import Iterator, Mapping
from typing import Any

from zoo.errors import InputError

BOUNDS = (  # the least and the most of what has such a name
    (1, math.inf, r"((hidden|head|kernel)_sizes?|(beam|context|micro_batch|mini_batch)_size)"),
    (1, math.inf, r"(\w+_dim|num_(layers|heads|channels|blocks|buckets)|blocks|growth|bottleneck)"),
    (1, math.inf, r"(width|base_width|cardinality|first_stride|max_length)"),
    (0, math.inf, r"(weight_decay|init_std|dense_layers|length_penalty)"),
    (0, 1, r"(dropout|label_smoothing|compression|least_score)"),
)


def refuse_out_of_bounds(options: Mapping[str, Any]) -> None:
    """Refuses the first number of a model that is out of bounds; None stands for a default.

    Raises:
        InputError: One is.
    """
    for name, value in options.items():
        for least, most, names in BOUNDS:
            for number in _numbers(value) if re.fullmatch(names, name) else ():
                if not least <= number <= most:  # nor is nan
                    bounds = f"from {least} to {most}" if most < math.inf else f"{least} or more"
                    raise InputError(f"--model.{name} has to be {bounds}, not {number}")


def _numbers(value: Any) -> Iterator[float]:
    if isinstance(value, list | tuple):
        for each in value:
            yield from _numbers(each)
    elif isinstance(value, int | float):
        yield value
