"""Signature of an exported graph: names, shapes, meanings and examples of what goes in and out."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Generator, Tensor, nn

Sizes = dict[str, int]


class Input(NamedTuple):
    """An input of a graph.

    Attributes:
        name: Of the argument of the network.
        shape: Sizes, and names of those that may be free.
        meaning: In words.
        draw: An example, from the sizes by name.
    """

    name: str
    shape: tuple[int | str, ...]
    meaning: str
    draw: Callable[[Sizes, Generator], Tensor]


@dataclass
class Graph:
    """What is exported.

    Attributes:
        network: Takes the inputs by position, and gives a tensor or a tuple of them.
        inputs: In order.
        outputs: Their names, and what they are.
        sizes: Of what may be free, as in training.
        notes: What else is to be known to use it.
    """

    network: nn.Module
    inputs: tuple[Input, ...]
    outputs: dict[str, str]
    sizes: Sizes
    notes: tuple[str, ...] = ()

    @property
    def free(self) -> list[list[str]]:
        """Which of the sizes might be free: first all, then fewer; those of a picture together."""
        names = list(self.sizes)
        ends = range(len(names), 0, -2 if "height" in names else -1)
        return [names[:end] for end in ends]

    def examples(self, sizes: Sizes, seed: int = 0) -> tuple[Tensor, ...]:
        """Inputs of these sizes, drawn at random."""
        generator = torch.Generator().manual_seed(seed)
        return tuple(each.draw(sizes, generator) for each in self.inputs)
