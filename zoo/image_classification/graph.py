"""The graph of a classifier: pixels -> logits, or the features of a table's rows -> logits."""

from zoo.export.inputs import Pictures, TrainedModel, features_input, pictures_input
from zoo.export.signature import Graph


def graph(trained: TrainedModel) -> Graph:
    """Returns what is exported of a trained model."""
    labels = trained.state.get("labels")
    logits = f"(batch, {len(labels)})" if labels else "(batch, classes)"
    outputs = {"logits": f"{logits}, of the labels in order; softmax gives probabilities"}
    if "encoder" in trained.state:
        return Graph(trained.model, (features_input(trained),), outputs, {"batch": 2})
    before, pixels, sizes = pictures_input(trained)
    return Graph(Pictures(before, trained.model), (pixels,), outputs, sizes)
