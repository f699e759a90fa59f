"""The graph of a regressor: features -> predictions."""

from typing import Any

from torch import Tensor, nn

from zoo.export.inputs import TrainedModel, features_input
from zoo.export.signature import Graph


def graph(trained: TrainedModel) -> Graph:
    """Returns what is exported of a trained model."""
    state = trained.state
    target = state.get("target") or "the target"
    unit = "the natural logarithm of {}" if state.get("log_target") else "{} in its own units"
    outputs = {"predictions": f"(batch), {unit.format(target)}"}
    return Graph(Regression(trained.model), (features_input(trained),), outputs, {"batch": 2})


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
