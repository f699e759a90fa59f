"""Rows of a linear rule with noise: the true weights are known.

Source: generated: y = w x + b + noise, x from N(0, 1); d2l, Section 3.3
Batch: (features, targets)
"""

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import torch
from torch import Generator, Tensor

from datamodules.files.errors import CorpusError
from datamodules.generated import GeneratedCorpus, linear_rule


class SyntheticRegression(GeneratedCorpus):
    """1,000 training rows of two features, and 100 each of validation and test.

    Args:
        weights: Weight of each feature.
        bias: Bias of the rule.
        noise: Standard deviation of what is added to each target.
        num_examples: Training rows.
        num_held_out: Rows of validation, and of test.
        generated: Arguments of every generated corpus.
    """

    title = "a linear rule"

    def __init__(
        self,
        weights: Sequence[float] = (2.0, -3.4),
        bias: float = 4.2,
        noise: float = 0.01,
        num_examples: int = 1000,
        num_held_out: int = 100,
        **generated: Any,
    ) -> None:
        super().__init__(num_examples=num_examples, num_held_out=num_held_out, **generated)
        self.save_hyperparameters(logger=False)
        if not weights:
            raise CorpusError("weights must name one number at least")
        self.weights, self.bias, self.noise = tuple(weights), bias, noise

    @cached_property
    def in_features(self) -> int:
        return len(self.weights)

    def draw(self, size: int, generator: Generator) -> tuple[Tensor, Tensor]:
        features = torch.randn(size, len(self.weights), generator=generator)
        return features, linear_rule(features, self.weights, self.bias, self.noise, generator)
