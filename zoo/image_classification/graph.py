"""The graph of a classifier of pictures: pixels -> logits."""

from zoo.export.inputs import Pictures, TrainedModel, pictures_input
from zoo.export.signature import Graph


def graph(trained: TrainedModel) -> Graph:
    """Returns what is exported of a trained model."""
    before, pixels, sizes = pictures_input(trained)
    labels = trained.state.get("labels")
    logits = f"(batch, {len(labels)})" if labels else "(batch, classes)"
    outputs = {"logits": f"{logits}, of the labels in order; softmax gives probabilities"}
    return Graph(Pictures(before, trained.model), (pixels,), outputs, sizes)
