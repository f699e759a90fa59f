"""The graph of a translator: source and tokens so far -> logits of the next."""

from zoo.export.inputs import TrainedModel, lengths_input, tokens_input, vocab_of
from zoo.export.signature import Graph


def graph(trained: TrainedModel) -> Graph:
    """Returns what is exported of a trained model."""
    source, target = (vocab_of(trained, f"{side}_vocab_size") for side in ("source", "target"))
    steps = trained.steps()
    inputs = (
        tokens_input("source", source, "source", "source_steps"),
        lengths_input("source_lengths", "source_steps"),
        tokens_input("tokens", target, "target"),
    )
    outputs = {"logits": f"(batch, steps, {target:,}), of the token after each"}
    notes = (
        "a source ends with <eos>, the tokens of its translation begin with <bos>; to translate, "
        "append the most probable next token again and again until it is <eos>",
    )
    sizes = {"batch": 2, "source_steps": steps, "steps": steps - 1 or 1}
    return Graph(trained.model, inputs, outputs, sizes, notes)
