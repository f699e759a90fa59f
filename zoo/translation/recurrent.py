"""What the recurrent translators share: embeddings, a network that reads, one that writes, a head.

Source: Sutskever, Vinyals and Le 2014, https://arxiv.org/abs/1409.3215, Section 2
"""

from typing import Any, Literal

from torch import Tensor, nn

from zoo.errors import in_bounds
from zoo.layers.recurrent import run_packed
from zoo.shapes import Lengths, SourceTokens, State, TokenLogits
from zoo.translation.task import Translator

Cell = Literal["gru", "lstm"]
KERNELS: dict[str, type[nn.GRU] | type[nn.LSTM]] = {"gru": nn.GRU, "lstm": nn.LSTM}


class RecurrentTranslator(Translator):
    """Two stacks of recurrent layers with states of one shape, (batch, layers, hidden) each.

    Sources are packed: the encoder's state is that after each row's own last token.

    Args:
        source_vocab_size: Number of tokens of the source.
        target_vocab_size: Number of tokens of the target.
        cell: lstm or gru.
        embed_dim: Values of an embedding.
        hidden_size: Values of a layer's state.
        num_layers: Layers of the encoder, and of the decoder.
        dropout: Probability of dropping a value of an embedding, between layers, and before the
            head.
        translator: Arguments of every translator.
    """

    def __init__(
        self,
        source_vocab_size: int,
        target_vocab_size: int,
        cell: Cell = "lstm",
        embed_dim: int = 32,
        hidden_size: int = 32,
        num_layers: int = 2,
        dropout: float = 0.0,
        **translator: Any,
    ) -> None:
        super().__init__(**translator)
        in_bounds(1, embed_dim=embed_dim, hidden_size=hidden_size, num_layers=num_layers)
        in_bounds(0, 1, dropout=dropout)
        self.hidden_size = hidden_size
        self.source_embedding = nn.Embedding(source_vocab_size, embed_dim)
        self.target_embedding = nn.Embedding(target_vocab_size, embed_dim)
        self.dropout = nn.Dropout(dropout)
        options: dict[str, Any] = {
            "num_layers": num_layers,
            "batch_first": True,
            "dropout": dropout if num_layers > 1 else 0.0,
        }
        self.encoder = KERNELS[cell](embed_dim, hidden_size, **options)
        self.decoder = KERNELS[cell](embed_dim + hidden_size, hidden_size, **options)
        self.head = nn.Linear(hidden_size, target_vocab_size)

    def read(self, source: SourceTokens, lengths: Lengths) -> tuple[Tensor, State]:
        """The last layer's states (batch, source_steps, hidden), and all after the last token."""
        embedded = self.dropout(self.source_embedding(source))
        states, last = run_packed(self.encoder, embedded, lengths)
        return states, rows_first(last)

    def write(self, inputs: Tensor, state: State) -> tuple[Tensor, State]:
        """The last layer's states after each of the decoder's inputs, and all after the last."""
        states, last = self.decoder(inputs, layers_first(state))
        return states, rows_first(last)

    def predict(self, states: Tensor) -> TokenLogits:
        """Logits of the token that each state writes."""
        return self.head(self.dropout(states))


def rows_first(state: Tensor | tuple[Tensor, ...]) -> State:
    """A kernel's state with the batch in front of the layers, as decoding wants it."""
    parts = state if isinstance(state, tuple) else (state,)
    return tuple(part.transpose(0, 1) for part in parts)


def layers_first(state: State) -> Any:
    """The state as a kernel wants it."""
    parts = tuple(part.transpose(0, 1).contiguous() for part in state)
    return parts if len(parts) > 1 else parts[0]
