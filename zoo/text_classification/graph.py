"""The graph of a classifier of texts: tokens and lengths -> logits."""

from zoo.export.inputs import TrainedModel, lengths_input, tokens_input, vocab_of
from zoo.export.signature import Graph


def graph(trained: TrainedModel) -> Graph:
    """Returns what is exported of a trained model."""
    inputs = (tokens_input("tokens", vocab_of(trained, "vocab_size")), lengths_input("lengths"))
    outputs = {"logits": "(batch, classes), of the classes in order; softmax gives probabilities"}
    sizes = {"batch": 2, "steps": trained.steps()}
    return Graph(trained.model, inputs, outputs, sizes)
