"""GloVe: products of two words' vectors are the logarithms of how often they are near.

Paper:  Pennington, Socher and Manning 2014, https://aclanthology.org/D14-1162, equations 8 and 9
Shapes: (batch) of 9,858 tokens, (batch) -> (batch)
Size:   1,991,316 parameters
Config: glove-penn_treebank_cooccurrences
Result: glove-penn_treebank_cooccurrences: held-out loss 0.0235, WordSim-353 0.1642 after 10 epochs
        (real corpus, seed 0, 2026-11-28: `zoo fit glove-penn_treebank_cooccurrences`)
"""

from typing import Any

import torch
from torch import Tensor, nn

from zoo.errors import InputError, in_bounds
from zoo.shapes import Targets, Words, WordVectors
from zoo.task import Step
from zoo.word_embedding.task import PENN_TREEBANK, WordEmbedding


class GloVe(WordEmbedding):
    """Fits w . c + b + b' to log count, in squares weighted by min(1, (count / x_max)^alpha).

    A word has a vector as a word and one as a context; what it is known by is their sum.

    Batch: (words, contexts, counts)

    Args:
        vocab_size: Number of words.
        embed_dim: Values of a vector.
        x_max: The count from which on all weigh 1.
        alpha: How fast less frequent pairs weigh less.
        embedding: Arguments of every word embedding.

    Raises:
        InputError: An argument is out of bounds.
    """

    example_sizes = PENN_TREEBANK

    def __init__(
        self,
        vocab_size: int,
        embed_dim: int = 100,
        x_max: float = 100.0,
        alpha: float = 0.75,
        **embedding: Any,
    ) -> None:
        super().__init__(vocab_size, **embedding)
        self.save_hyperparameters()
        in_bounds(1, embed_dim=embed_dim)
        if not (x_max > 0 and alpha >= 0):
            raise InputError(f"x_max is {x_max} and alpha {alpha}; they have to be > 0 and >= 0")
        self.x_max, self.alpha = x_max, alpha
        self.word, self.context = (nn.Embedding(vocab_size, embed_dim) for _ in range(2))
        self.word_bias, self.context_bias = (nn.Embedding(vocab_size, 1) for _ in range(2))
        for table in (self.word, self.context, self.word_bias, self.context_bias):
            nn.init.uniform_(table.weight, -0.5 / embed_dim, 0.5 / embed_dim)

    def table(self) -> WordVectors:
        return self.word.weight + self.context.weight

    def forward(self, words: Words, contexts: Words) -> Targets:
        """What the logarithms of the counts are taken to be."""
        products = (self.word(words) * self.context(contexts)).sum(1)
        return products + self.word_bias(words)[:, 0] + self.context_bias(contexts)[:, 0]

    @classmethod
    def example(cls, rows: int = 1) -> tuple[Words, Words, Tensor]:
        words, contexts = torch.randint(cls.example_sizes["vocab_size"], (2, rows))
        return words, contexts, torch.rand(rows) + 0.5

    def step(self, batch: tuple[Words, Words, Tensor]) -> Step:
        words, contexts, counts = batch
        found = self(words, contexts)
        weights = (counts / self.x_max).clamp(max=1) ** self.alpha
        loss = (weights * (found - counts.log()).square()).mean()
        return Step(loss, len(words), {}, words[:0])
