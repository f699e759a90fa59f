"""The graph of a tagger: tokens -> logits of tags."""

from zoo.export.inputs import TrainedModel, tokens_input, vocab_of
from zoo.export.signature import Graph


def graph(trained: TrainedModel) -> Graph:
    """Returns what is exported of a trained model."""
    number = vocab_of(trained, "vocab_size")
    outputs = {"logits": "(batch, steps, tags)"}
    sizes = {"batch": 2, "steps": trained.steps()}
    return Graph(trained.model, (tokens_input("tokens", number),), outputs, sizes)
