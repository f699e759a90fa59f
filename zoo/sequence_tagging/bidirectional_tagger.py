"""BidirectionalTagger: one recurrence reads forwards, one backwards; a tag from both.

Paper:  Schuster and Paliwal 1997, https://doi.org/10.1109/78.650093, Figure 3; for tagging: Huang,
        Xu and Yu 2015, https://arxiv.org/abs/1508.01991, Figure 4
Shapes: (batch, 64) of 27 tokens -> (batch, 64, 2)
Size:   51,298 parameters
Config: bidirectional_tagger-word_boundaries
Result: bidirectional_tagger-word_boundaries: held-out accuracy 0.9695 after 10 epochs (real corpus,
        seed 0, 2026-11-28: `zoo fit bidirectional_tagger-word_boundaries`)
"""

from typing import Any, Literal

from torch import nn

from zoo.errors import in_bounds
from zoo.sequence_tagging.task import SequenceTagger
from zoo.shapes import TagLogits, Tokens

KERNELS = {"rnn": nn.RNN, "gru": nn.GRU, "lstm": nn.LSTM}


class BidirectionalTagger(SequenceTagger):
    """Tags each token by what stands before it and after it.

    For the next token no such model is asked, as it would have read it: see
    `zoo.language_modeling.recurrent`.

    Args:
        vocab_size: Number of tokens.
        num_tags: Number of tags.
        cell: What reads: rnn, gru or lstm.
        embed_dim: Values of an embedding.
        hidden_size: Values of a layer's state, in each direction.
        num_layers: Layers; each reads both directions of the one below.
        dropout: Probability of dropping a value where it goes up.
        bidirectional: Whether to read backwards too; otherwise a tag is of what stands before.
        task: Arguments of every task.
    """

    example_sizes = {"vocab_size": 27, "num_tags": 2, "num_steps": 64}

    def __init__(
        self,
        vocab_size: int,
        num_tags: int,
        cell: Literal["rnn", "gru", "lstm"] = "lstm",
        embed_dim: int = 32,
        hidden_size: int = 64,
        num_layers: int = 1,
        dropout: float = 0.0,
        bidirectional: bool = True,
        **task: Any,
    ) -> None:
        super().__init__(**task)
        self.save_hyperparameters()
        in_bounds(1, embed_dim=embed_dim, hidden_size=hidden_size, num_layers=num_layers)
        in_bounds(0, 1, dropout=dropout)
        self.embedding = nn.Embedding(vocab_size, embed_dim)
        self.dropout = nn.Dropout(dropout)
        self.recurrence = KERNELS[cell](
            embed_dim,
            hidden_size,
            num_layers,
            batch_first=True,
            dropout=dropout if num_layers > 1 else 0.0,
            bidirectional=bidirectional,
        )
        self.head = nn.Linear(hidden_size * (2 if bidirectional else 1), num_tags)

    def forward(self, tokens: Tokens) -> TagLogits:
        outputs, _ = self.recurrence(self.dropout(self.embedding(tokens)))
        return self.head(self.dropout(outputs))
