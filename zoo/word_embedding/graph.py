"""The graph of word vectors: words -> vectors."""

from typing import Any

import torch
from torch import Generator, Tensor, nn
from torch.nn.functional import embedding

from zoo.export.inputs import TrainedModel
from zoo.export.signature import Graph, Input, Sizes


def graph(trained: TrainedModel) -> Graph:
    """Returns what is exported of a trained model."""
    network = Lookup(trained.model)
    number, values = network.table.shape

    def draw(sizes: Sizes, generator: Generator) -> Tensor:
        return torch.randint(number, (sizes["batch"],), generator=generator)

    meaning = f"words by their numbers in the vocabulary, 0 to {number - 1:,}"
    outputs = {"vectors": f"(batch, {values}), as `zoo predict` compares them"}
    inputs = (Input("words", ("batch",), meaning, draw),)
    return Graph(network, inputs, outputs, {"batch": 2})


class Lookup(nn.Module):
    """Words -> their vectors.

    Args:
        model: A WordEmbedding.
    """

    table: Tensor

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.register_buffer("table", model.table().detach().clone())

    def forward(self, words: Tensor) -> Tensor:
        return embedding(words, self.table)
