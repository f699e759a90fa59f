"""Bags of rows: of which rows of a table each example of a batch has some, one after another."""

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import embedding_bag

from zoo.shapes import IGNORED, Contexts


class Bags(NamedTuple):
    """Rows of a table for each example of a batch.

    Attributes:
        rows: int64 (members), or (members, choices).
        example: The example that each belongs to, int64 (members).
        counts: How many each example has, int64 (examples).
        starts: Where its first is, int64 (examples).
        single: Whether each has exactly one.
    """

    rows: Tensor
    example: Tensor
    counts: Tensor
    starts: Tensor
    single: bool = False

    def split(self, step: int) -> list["Bags"]:
        """Bags of `step` examples each, and one of what is left."""
        mini_batches = -(-len(self.counts) // step)
        sizes = torch.bincount(self.example // step, minlength=mini_batches).tolist()
        begins = self.starts[::step].repeat_interleave(step)[: len(self.starts)]
        parts = (
            self.rows.split(sizes),
            (self.example % step).split(sizes),
            self.counts.split(step),
            (self.starts - begins).split(step),
        )
        return [Bags(*part, self.single) for part in zip(*parts, strict=True)]

    def means(self, table: Tensor) -> Tensor:
        """Of the rows of each example, (examples, values)."""
        if self.single:
            return table.index_select(0, self.rows)
        return embedding_bag(self.rows, table, self.starts, mode="mean")


def bags_of(rows: Tensor, counts: Tensor) -> Bags:
    """From the rows of all examples in a row, int64 (members), and how many each has."""
    example = torch.arange(len(counts), device=counts.device).repeat_interleave(counts)
    return Bags(rows, example, counts, counts.cumsum(0) - counts)


def singles(rows: Tensor) -> Bags:
    """One row an example."""
    places = torch.arange(len(rows), device=rows.device)
    return Bags(rows, places, torch.ones_like(rows), places, single=True)


def contexts_of(contexts: Contexts) -> Bags:
    """The contexts of each center that are there."""
    there = contexts != IGNORED
    return bags_of(contexts[there], there.sum(1))
