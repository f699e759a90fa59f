"""TextCNN: convolutions along the words, of which each channel keeps its greatest response.

Paper:  Kim 2014, https://arxiv.org/abs/1408.5882, Figure 1 and Section 3.1
Shapes: (batch, 300) of 10,000 tokens -> (batch, 2)
Size:   1,240,902 parameters
Config: text_cnn-imdb
Result: text_cnn-imdb: test accuracy 0.8300 after 5 epochs (real corpus, 4,000 of 25,000 training
        rows, the best of 6 epochs by validation, seed 0, 2026-11-28: `zoo fit text_cnn-imdb`, `zoo
        test`)
"""

from collections.abc import Sequence
from math import inf
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import embedding, pad

from zoo.errors import InputError, in_bounds
from zoo.layers.attention import within
from zoo.shapes import Lengths, Logits, Tokens
from zoo.text_classification.task import IMDB, TextClassifier, word_embedding


class TextCNN(TextClassifier):
    """Finds phrases of a few words wherever they stand.

    A window counts where all its words are the text's own; of a text that is shorter than the
    window the first one does, with zeros behind.

    Args:
        vocab_size: Number of tokens.
        num_classes: Number of classes.
        embed_dim: Values of an embedding.
        kernel_sizes: Words that a window spans, of each convolution.
        num_channels: Channels of each convolution.
        fixed: Whether a second embedding is read beside the one that learns, which stays as it
            began: at random, or as the corpus's word vectors.
        dropout: Probability of dropping a channel before the head.
        task: Arguments of every task.

    Raises:
        InputError: There is no kernel.
    """

    example_sizes = IMDB

    def __init__(
        self,
        vocab_size: int,
        num_classes: int,
        embed_dim: int = 100,
        kernel_sizes: Sequence[int] = (3, 4, 5),
        num_channels: int = 100,
        fixed: bool = True,
        dropout: float = 0.5,
        **task: Any,
    ) -> None:
        super().__init__(**task)
        if not kernel_sizes:
            raise InputError("kernel_sizes has to name at least one window")
        self.save_hyperparameters()
        in_bounds(1, embed_dim=embed_dim, kernel_sizes=kernel_sizes, num_channels=num_channels)
        in_bounds(0, 1, dropout=dropout)
        self.embedding = word_embedding(vocab_size, embed_dim)
        self.fixed: Tensor | None
        self.register_buffer(
            "fixed", word_embedding(vocab_size, embed_dim).weight.detach() if fixed else None
        )
        values = 2 * embed_dim if fixed else embed_dim
        self.convolutions = nn.ModuleList(
            nn.Conv1d(values, num_channels, kernel_size=size) for size in kernel_sizes
        )
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(len(kernel_sizes) * num_channels, num_classes)

    def embeddings(self) -> list[Tensor]:
        return super().embeddings() + ([] if self.fixed is None else [self.fixed])

    def forward(self, tokens: Tokens, lengths: Lengths) -> Logits:
        embedded = self.embedding(tokens)
        if self.fixed is not None:
            embedded = torch.cat([embedded, embedding(tokens, self.fixed)], dim=2)
        own = within(lengths, tokens.shape[1])[..., None]
        words = embedded.masked_fill(~own, 0.0).transpose(1, 2)  # (batch, values, steps)
        found = [strongest(layer, words, lengths) for layer in self.convolutions]
        return self.head(self.dropout(torch.cat(found, dim=1)))


def strongest(convolution: nn.Module, words: Tensor, lengths: Tensor) -> Tensor:
    """Of each channel the greatest response, ReLU'd, over the windows of a text's own words."""
    (size,) = convolution.kernel_size  # type: ignore[misc]
    words = pad(words, (0, max(0, size - words.shape[2])))
    responses = convolution(words)  # (batch, channels, windows)
    own = within((lengths - size + 1).clamp(min=1), responses.shape[2])
    return responses.masked_fill(~own[:, None], -inf).amax(dim=2).relu()
