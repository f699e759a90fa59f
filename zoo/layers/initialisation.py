"""Weights before training.

Source: He, Zhang, Ren and Sun 2015, https://arxiv.org/abs/1502.01852, equation 10; Krizhevsky,
        Sutskever and Hinton 2012, https://doi.org/10.1145/3065386, section 5
"""

from torch import nn


def he_normal(*networks: nn.Module) -> None:
    """Gaussian weights of variance 2 / fan-in, biases 0: the signal keeps its size under ReLU.

    Args:
        networks: Every convolution and dense layer in them is drawn afresh.
    """
    for network in networks:
        for layer in network.modules():
            if isinstance(layer, nn.Conv2d | nn.Linear):
                nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
                if layer.bias is not None:
                    nn.init.zeros_(layer.bias)


def near_zero(layer: nn.Linear) -> None:
    """Gaussian weights of standard deviation 0.01, bias 0: a classifier begins with a guess."""
    nn.init.normal_(layer.weight, std=0.01)
    nn.init.zeros_(layer.bias)
