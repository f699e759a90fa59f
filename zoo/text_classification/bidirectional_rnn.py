"""BidirectionalRNN: one recurrence reads a text forwards, one backwards; a class from both.

Paper:  Schuster and Paliwal 1997, https://doi.org/10.1109/78.650093, Figure 3; for reviews: Zhang,
        Lipton, Li and Smola 2023, https://d2l.ai, section 16.2; attention as pooling: Yang et al.
        2016, https://aclanthology.org/N16-1174, Section 2.2
Shapes: (batch, 300) of 10,000 tokens -> (batch, 2)
Size:   1,085,250 parameters
Config: bidirectional_rnn-imdb
Result: bidirectional_rnn-imdb: test accuracy 0.8205 after 7 epochs (real corpus, 4,000 of 25,000
        training rows, the best of 8 epochs by validation, seed 0, 2026-11-30: `zoo fit
        bidirectional_rnn-imdb`, `zoo test`)
"""

from math import inf
from typing import Any, Literal

import torch
from torch import Tensor, nn

from zoo.errors import in_bounds
from zoo.layers.attention import masked_softmax, within
from zoo.layers.recurrent import run_packed
from zoo.shapes import Lengths, Logits, Tokens
from zoo.text_classification.task import IMDB, TextClassifier, word_embedding

KERNELS: dict[str, type[nn.GRU] | type[nn.LSTM]] = {"gru": nn.GRU, "lstm": nn.LSTM}
Pooling = Literal["ends", "mean", "max", "attention"]


class BidirectionalRNN(TextClassifier):
    """Texts are packed: neither direction ever reads padding.

    Args:
        vocab_size: Number of tokens.
        num_classes: Number of classes.
        cell: What reads: lstm or gru.
        embed_dim: Values of an embedding.
        hidden_size: Values of a layer's state, in each direction.
        num_layers: Layers; each reads both directions of the one below.
        pooling: What the class is told from: the state at which each direction ends, which is
            after a text's last token and after its first (ends); or of the states after all
            tokens the mean, the greatest of each value, or the mean weighted by attention.
        dropout: Probability of dropping a value of an embedding, between layers, and before the
            head.
        task: Arguments of every task.
    """

    example_sizes = IMDB

    def __init__(
        self,
        vocab_size: int,
        num_classes: int,
        cell: Literal["gru", "lstm"] = "lstm",
        embed_dim: int = 100,
        hidden_size: int = 64,
        num_layers: int = 1,
        pooling: Pooling = "ends",
        dropout: float = 0.5,
        **task: Any,
    ) -> None:
        super().__init__(**task)
        self.save_hyperparameters()
        in_bounds(1, embed_dim=embed_dim, hidden_size=hidden_size, num_layers=num_layers)
        in_bounds(0, 1, dropout=dropout)
        self.pooling = pooling
        self.embedding = word_embedding(vocab_size, embed_dim)
        self.dropout = nn.Dropout(dropout)
        self.recurrence = KERNELS[cell](
            embed_dim,
            hidden_size,
            num_layers,
            batch_first=True,
            dropout=dropout if num_layers > 1 else 0.0,
            bidirectional=True,
        )
        size = 2 * hidden_size
        if pooling == "attention":  # score = v . tanh(W h)
            self.score = nn.Sequential(nn.Linear(size, size), nn.Tanh(), nn.Linear(size, 1))
        self.head = nn.Linear(size, num_classes)

    def forward(self, tokens: Tokens, lengths: Lengths) -> Logits:
        embedded = self.dropout(self.embedding(tokens))
        states, last = run_packed(self.recurrence, embedded, lengths)
        if self.pooling == "ends":
            hidden = last[0] if isinstance(last, tuple) else last  # (layers * 2, batch, hidden)
            pooled = torch.cat([hidden[-2], hidden[-1]], dim=1)
        else:
            pooled = self.pool(states, within(lengths, states.shape[1]))
        return self.head(self.dropout(pooled))

    def pool(self, states: Tensor, own: Tensor) -> Tensor:
        """One state a text, of those that are its own."""
        if self.pooling == "max":
            return states.masked_fill(~own[..., None], -inf).amax(dim=1)
        scores = self.score(states).squeeze(2) if self.pooling == "attention" else own.float()
        return (masked_softmax(scores, own)[:, None] @ states).squeeze(1)
