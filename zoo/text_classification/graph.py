"""The graph of a classifier of texts: tokens and lengths -> logits."""

from zoo.export.inputs import Subject, lengths_input, tokens_input, vocab_of
from zoo.export.ports import Graph


def graph(subject: Subject) -> Graph:
    """Returns what is exported of a trained model."""
    inputs = (tokens_input("tokens", vocab_of(subject, "vocab_size")), lengths_input("lengths"))
    outputs = {"logits": "(batch, classes), of the classes in order; softmax gives probabilities"}
    sizes = {"batch": 2, "steps": subject.steps()}
    return Graph(subject.model, inputs, outputs, sizes)
