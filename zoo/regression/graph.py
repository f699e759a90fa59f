"""The graph of a regressor: features -> predictions."""

from typing import Any

import torch
from torch import Generator, Tensor, nn

from zoo.export.inputs import TrainedModel
from zoo.export.signature import Graph, Input, Sizes


def graph(trained: TrainedModel) -> Graph:
    """Returns what is exported of a trained model."""
    state = trained.state
    number = trained.arguments.get("in_features") or trained.shape[0]

    def draw(sizes: Sizes, generator: Generator) -> Tensor:
        return torch.randn(sizes["batch"], number, generator=generator)

    scaled = "; the scaling of its columns is not in the graph" if "encoder" in state else ""
    meaning = f"features as the corpus encodes them{scaled}"
    target = state.get("target") or "the target"
    unit = "the natural logarithm of {}" if state.get("log_target") else "{} in its own units"
    outputs = {"predictions": f"(batch), {unit.format(target)}"}
    inputs = (Input("features", ("batch", number), meaning, draw),)
    return Graph(Regression(trained.model), inputs, outputs, {"batch": 2})


class Regression(nn.Module):
    """Features -> predictions in the units of the target.

    Args:
        model: A Regressor.
    """

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    def forward(self, features: Tensor) -> Tensor:
        return self.model.predict_step((features, None), 0)
