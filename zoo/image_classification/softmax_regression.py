"""Softmax regression: one linear map of the pixels; the baseline that every network must beat.

Paper:  Bishop 2006, Pattern Recognition and Machine Learning, Section 4.3.4, Equation 4.104
Shapes: (batch, 1, 28, 28) -> (batch, 10)
Size:   7,850 parameters
Config: softmax_regression-fashion_mnist
Result: softmax_regression-fashion_mnist: test accuracy 0.8456 after 9 epochs (real corpus, the best
        of 10 epochs by validation, seed 0, 2026-11-28: `zoo fit softmax_regression-fashion_mnist`,
        `zoo test`)
"""

from typing import Any

from torch import nn

from zoo.image_classification.task import FASHION_MNIST, ImageClassifier
from zoo.shapes import Features, Images, Logits


class SoftmaxRegression(ImageClassifier):
    """logits = W x + b, with weights from N(0, 0.01).

    Args:
        in_features: Values in a picture: channels x height x width; or in a row of a table.
        num_classes: Number of classes.
    """

    example_sizes = {**FASHION_MNIST, "in_features": 28 * 28}

    def __init__(self, in_features: int, num_classes: int, **task: Any) -> None:
        super().__init__(**task)
        self.save_hyperparameters()
        self.linear = nn.Linear(in_features, num_classes)
        nn.init.normal_(self.linear.weight, std=0.01)
        nn.init.zeros_(self.linear.bias)

    def forward(self, images: Images | Features) -> Logits:
        return self.linear(images.flatten(start_dim=1))
