"""The graph of a tagger: tokens -> logits of tags."""

from zoo.export.inputs import Subject, tokens_input, vocab_of
from zoo.export.ports import Graph


def graph(subject: Subject) -> Graph:
    """Returns what is exported of a trained model."""
    number = vocab_of(subject, "vocab_size")
    outputs = {"logits": "(batch, steps, tags)"}
    sizes = {"batch": 2, "steps": subject.steps()}
    return Graph(subject.model, (tokens_input("tokens", number),), outputs, sizes)
