"""The graph of a language model: tokens -> logits of the next."""

from typing import Any

from torch import Tensor, nn

from zoo.export.inputs import TrainedModel, tokens_input, vocab_of
from zoo.export.signature import Graph


def graph(trained: TrainedModel) -> Graph:
    """Returns what is exported of a trained model."""
    number = vocab_of(trained, "vocab_size")
    outputs = {"logits": f"(batch, steps, {number:,}), of the token after each"}
    sizes = {"batch": 2, "steps": trained.steps()}
    return Graph(Reading(trained.model), (tokens_input("tokens", number),), outputs, sizes)


class Reading(nn.Module):
    """Tokens -> logits of the token after each, of texts read from their beginning.

    Args:
        model: A LanguageModel.
    """

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    def forward(self, tokens: Tensor) -> Tensor:
        # As its forward, which counts the rows by len: a graph would have them fixed.
        return self.model.unroll(tokens, self.model.initial_state(tokens.shape[0]))[0]
