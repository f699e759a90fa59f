"""Multilayer perceptron: dense layers with an activation, and dropout, between them.

Paper:  Rumelhart, Hinton and Williams 1986, https://doi.org/10.1038/323533a0, Figure 1;
        dropout: Srivastava et al. 2014, https://jmlr.org/papers/v15/srivastava14a.html, Figure 1
Shapes: (batch, 1, 28, 28) -> (batch, 10)
Size:   203,530 parameters
Config: mlp-fashion_mnist, mlp_dropout-fashion_mnist
Result: mlp-fashion_mnist: test accuracy 0.8848 after 5 epochs (real corpus, seed 0, 2026-11-28:
        `zoo fit mlp-fashion_mnist`, `zoo test`)
Result: mlp_dropout-fashion_mnist: test accuracy 0.8882 after 10 epochs (real corpus, seed 0,
        2026-11-28: `zoo fit mlp_dropout-fashion_mnist`, `zoo test`)
"""

from collections.abc import Sequence
from typing import Any, Literal

from torch import nn

from zoo.image_classification.task import FASHION_MNIST, ImageClassifier
from zoo.layers.dense import hidden_layers
from zoo.shapes import Features, Images, Logits


class MLP(ImageClassifier):
    """Hidden layers of the given widths, then one logit a class.

    Args:
        in_features: Values in a picture: channels x height x width; or in a row of a table.
        num_classes: Number of classes.
        hidden_sizes: Width of each hidden layer.
        activation: Non-linearity after each hidden layer.
        dropout: Probability of dropping a hidden unit: one for all layers, or one for each.
    """

    example_sizes = {**FASHION_MNIST, "in_features": 28 * 28}

    def __init__(
        self,
        in_features: int,
        num_classes: int,
        hidden_sizes: Sequence[int] = (256,),
        activation: Literal["relu", "sigmoid", "tanh", "gelu"] = "relu",
        dropout: float | Sequence[float] = 0.0,
        **task: Any,
    ) -> None:
        super().__init__(**task)
        self.save_hyperparameters()
        self.hidden = hidden_layers(in_features, hidden_sizes, activation, dropout)
        self.head = nn.Linear((in_features, *hidden_sizes)[-1], num_classes)

    def forward(self, images: Images | Features) -> Logits:
        return self.head(self.hidden(images.flatten(start_dim=1)))
