"""Hidden layers of a multilayer perceptron."""

from collections.abc import Sequence

from torch import nn

from zoo.errors import InputError, in_bounds

ACTIVATIONS = {"relu": nn.ReLU, "sigmoid": nn.Sigmoid, "tanh": nn.Tanh, "gelu": nn.GELU}


def hidden_layers(
    in_size: int, sizes: Sequence[int], activation: str, dropout: float | Sequence[float] = 0.0
) -> nn.Sequential:
    """Dense layers from `in_size` through `sizes`, each with its activation, and dropout after it.

    Args:
        in_size: Values in a row.
        sizes: Width of each layer.
        activation: One of `ACTIVATIONS`.
        dropout: Probability of dropping a unit: one for all layers, or one for each.

    Raises:
        InputError: A size or a rate is out of bounds, or there are more or fewer rates than layers.
    """
    in_bounds(1, hidden_sizes=sizes)
    in_bounds(0, 1, dropout=dropout)
    rates = [dropout] * len(sizes) if isinstance(dropout, float | int) else dropout
    if len(rates) != len(sizes):
        raise InputError(f"{len(rates)} dropout rates for {len(sizes)} hidden layers")
    layers = nn.Sequential()
    for previous, size, rate in zip((in_size, *sizes), sizes, rates, strict=False):
        layers.extend([nn.Linear(previous, size), ACTIVATIONS[activation]()])
        if rate:
            layers.append(nn.Dropout(rate))
    return layers
