"""More features than rows: what fits perfectly and means nothing.

Source: generated: y = 0.05 + the sum of 0.01 x_i + noise, x from N(0, 1); d2l, Section 3.7
Batch: (features, targets)
"""

from functools import cached_property
from typing import Any

import torch
from torch import Generator, Tensor

from datamodules.files.errors import CorpusError
from datamodules.generated import GeneratedCorpus, linear_rule

WEIGHT, BIAS, NOISE = 0.01, 0.05, 0.01


class HighDimensional(GeneratedCorpus):
    """20 training rows of 200 features, and 100 each of validation and test.

    Args:
        num_features: Values in a row, each of weight 0.01.
        num_examples: Training rows.
        num_held_out: Rows of validation, and of test.
        generated: Arguments of every generated corpus.
    """

    title = "a rule of many features"

    def __init__(
        self,
        num_features: int = 200,
        num_examples: int = 20,
        num_held_out: int = 100,
        **generated: Any,
    ) -> None:
        super().__init__(num_examples=num_examples, num_held_out=num_held_out, **generated)
        self.save_hyperparameters(logger=False)
        if num_features < 1:
            raise CorpusError(f"num_features must be at least 1, not {num_features}")
        self.num_features = num_features

    @cached_property
    def in_features(self) -> int:
        return self.num_features

    def draw(self, size: int, generator: Generator) -> tuple[Tensor, Tensor]:
        features = torch.randn(size, self.num_features, generator=generator)
        weights = (WEIGHT,) * self.num_features
        return features, linear_rule(features, weights, BIAS, NOISE, generator)
