"""The graph of a classifier of pictures: pixels -> logits."""

from zoo.export.inputs import Pictures, Subject, pictures_input
from zoo.export.ports import Graph


def graph(subject: Subject) -> Graph:
    """Returns what is exported of a trained model."""
    before, pixels, sizes = pictures_input(subject)
    labels = subject.state.get("labels")
    logits = f"(batch, {len(labels)})" if labels else "(batch, classes)"
    outputs = {"logits": f"{logits}, of the labels in order; softmax gives probabilities"}
    return Graph(Pictures(before, subject.model), (pixels,), outputs, sizes)
