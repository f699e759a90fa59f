"""What the recurrent language models share: from tokens through stacked layers to logits.

Source: Mikolov et al. 2010, https://doi.org/10.21437/Interspeech.2010-343; Zaremba, Sutskever and
        Vinyals 2014, https://arxiv.org/abs/1409.2329, Figure 2 (dropout); Press and Wolf 2017,
        https://arxiv.org/abs/1608.05859 (tied weights)
"""

from typing import Any, Literal

import torch
from torch import Tensor, nn

from zoo.errors import InputError, in_bounds
from zoo.language_modeling.task import LanguageModel
from zoo.shapes import State, TokenLogits, Tokens


class RecurrentLanguageModel(LanguageModel):
    """Reads each token into a state and predicts the next one from it.

    Layers are stacked: each reads the one below. With `residual` each but the first adds to what
    it reads, and with `layer_norm` what leaves a layer is normalised before it is read, but not
    on its way around the next: so six layers train, which plainly stacked do not.

    Args:
        vocab_size: Number of tokens.
        input: one_hot, where the first layer's weights have a column for each token, or embedding.
            With torch's kernel a batch of one-hot vectors is in memory: take embedding for words.
        embed_dim: Values of an embedding; by default `hidden_size`.
        hidden_size: Values of a layer's state.
        num_layers: Layers.
        dropout: Probability of dropping a value where it goes up: of embeddings, between layers,
            and before the head; never from step to step.
        layer_norm: Whether what leaves a layer is normalised.
        residual: Whether each layer but the first adds to what it reads.
        tied: Whether the head's weights are the embeddings.
        init_std: Of the weights, normal around 0, with biases 0: the course's is 0.01. By default
            torch's own draw, uniform within 1 / sqrt(hidden_size), which trains faster.
        kernel: torch's kernel, or the equations of `zoo.layers.recurrent`, which are equal and
            slower.
        bidirectional: Refused.
        task: Arguments of every language model.

    Raises:
        InputError: The arguments contradict one another.
    """

    num_states = 1

    def __init__(
        self,
        vocab_size: int,
        input: Literal["one_hot", "embedding"] = "one_hot",
        embed_dim: int | None = None,
        hidden_size: int = 256,
        num_layers: int = 1,
        dropout: float = 0.0,
        layer_norm: bool = False,
        residual: bool = False,
        tied: bool = False,
        init_std: float | None = None,
        kernel: Literal["torch", "equation"] = "torch",
        bidirectional: bool = False,
        **task: Any,
    ) -> None:
        super().__init__(**task)
        in_bounds(1, embed_dim=embed_dim, hidden_size=hidden_size, num_layers=num_layers)
        in_bounds(0, init_std=init_std)
        in_bounds(0, 1, dropout=dropout)
        if bidirectional:
            raise InputError(
                "a bidirectional network is no language model: reading backwards, it sees the "
                "token that it is to predict"
            )
        if input == "one_hot" and (embed_dim or tied):
            raise InputError("embed_dim and tied are of embeddings: add --model.input embedding")
        size = vocab_size if input == "one_hot" else embed_dim or hidden_size
        if tied and size != hidden_size:
            raise InputError(
                f"the head's weights can be the embeddings' where both are of one size: embed_dim "
                f"is {size} and hidden_size {hidden_size}"
            )
        self.vocab_size, self.hidden_size, self.num_layers = vocab_size, hidden_size, num_layers
        self.kernel, self.residual = kernel, residual
        self.embedding = nn.Embedding(vocab_size, size) if input == "embedding" else None
        self.dropout = nn.Dropout(dropout)
        apart = layer_norm or residual  # else one kernel runs all layers
        depth, between = (1, 0.0) if apart or num_layers == 1 else (num_layers, dropout)
        self.layers = nn.ModuleList(
            self.recurrence(
                hidden_size if layer else size, hidden_size, num_layers=depth, dropout=between
            )
            for layer in range(num_layers if apart else 1)
        )
        norm = nn.LayerNorm if layer_norm else nn.Identity
        self.norms = nn.ModuleList(norm(hidden_size) for _ in self.layers)
        self.head = nn.Linear(hidden_size, vocab_size)
        if init_std is not None:
            _draw(self, init_std)
        if tied and self.embedding is not None:
            self.embedding.weight = self.head.weight

    def recurrence(self, input_size: int, hidden_size: int, **options: Any) -> nn.Module:
        """The kernel of some layers, batch first: (inputs, state) -> (outputs, state)."""
        raise TypeError(f"{type(self).__name__} does not say what its layers are")

    def initial_state(self, rows: int) -> State:
        weight = self.head.weight
        zeros = weight.new_zeros(self.num_layers, rows, self.hidden_size)
        return (zeros,) * self.num_states

    def unroll(self, tokens: Tokens, state: State) -> tuple[TokenLogits, State]:
        outputs = self.read(tokens)
        after: list[State] = []
        for index, layer in enumerate(self.layers):
            inputs = self.dropout(self.norms[index - 1](outputs)) if index else outputs
            before = state if len(self.layers) == 1 else tuple(s[index : index + 1] for s in state)
            made, last = layer(inputs, before if self.num_states > 1 else before[0])
            outputs = outputs + made if index and self.residual else made
            after.append(last if self.num_states > 1 else (last,))
        state = after[0]
        if len(after) > 1:
            state = tuple(torch.cat(parts) for parts in zip(*after, strict=True))
        return self.head(self.dropout(self.norms[-1](outputs))), state

    def read(self, tokens: Tokens) -> Tensor:
        """What the first layer reads."""
        if self.embedding is not None:
            return self.dropout(self.embedding(tokens))
        if self.kernel == "equation":
            return tokens
        zeros = self.head.weight.new_zeros(*tokens.shape, self.vocab_size)
        return zeros.scatter_(2, tokens.unsqueeze(2), 1.0)


def _draw(network: nn.Module, std: float) -> None:
    """Normal weights and zero biases; normalisation keeps its own."""
    normalised = {
        id(parameter)
        for module in network.modules()
        if isinstance(module, nn.LayerNorm)
        for parameter in module.parameters()
    }
    for parameter in network.parameters():
        if parameter.ndim > 1:
            nn.init.normal_(parameter, std=std)
        elif id(parameter) not in normalised:
            nn.init.zeros_(parameter)
