"""BagOfEmbeddings: the mean of a text's word vectors, and a linear classifier of it.

Paper:  Joulin, Grave, Bojanowski and Mikolov 2017, https://arxiv.org/abs/1607.01759, Figure 1
Shapes: (batch, 300) of 10,000 tokens -> (batch, 2)
Size:   1,000,202 parameters
Config: bag_of_embeddings-imdb
Result: bag_of_embeddings-imdb: test accuracy 0.8530 after 4 epochs (real corpus, 4,000 of 25,000
        training rows, the best of 10 epochs by validation, seed 0, 2026-11-28: `zoo fit
        bag_of_embeddings-imdb`, `zoo test`)
"""

from typing import Any

from torch import nn

from zoo.errors import in_bounds
from zoo.layers.attention import within
from zoo.shapes import Lengths, Logits, Tokens
from zoo.text_classification.task import IMDB, TextClassifier, word_embedding


class BagOfEmbeddings(TextClassifier):
    """Knows which words there are and how many, and nothing of their order.

    Args:
        vocab_size: Number of tokens.
        num_classes: Number of classes.
        embed_dim: Values of an embedding.
        dropout: Probability of dropping a value of the mean.
        task: Arguments of every task.
    """

    example_sizes = IMDB

    def __init__(
        self,
        vocab_size: int,
        num_classes: int,
        embed_dim: int = 100,
        dropout: float = 0.5,
        **task: Any,
    ) -> None:
        super().__init__(**task)
        self.save_hyperparameters()
        in_bounds(1, embed_dim=embed_dim)
        in_bounds(0, 1, dropout=dropout)
        self.embedding = word_embedding(vocab_size, embed_dim)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(embed_dim, num_classes)

    def forward(self, tokens: Tokens, lengths: Lengths) -> Logits:
        own = within(lengths, tokens.shape[1])[..., None]
        total = self.embedding(tokens).masked_fill(~own, 0.0).sum(dim=1)
        return self.head(self.dropout(total / lengths.clamp(min=1)[:, None]))
