"""Topic 3: the activation functions of multilayer perceptrons."""

import torch
from matplotlib.figure import Figure
from torch.nn import functional

from scripts.figures.runs import Runs
from scripts.figures.style import BLUE, GREY, ORANGE, sheet

TOPIC = (3, "Multilayer perceptrons")
ACTIVATIONS = {
    "ReLU": torch.relu,
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "GELU": functional.gelu,
}


def activations(runs: Runs) -> Figure:
    """ReLU, sigmoid, tanh and GELU above their gradients.

    ReLU and GELU pass the gradient of a large input unchanged. The gradients of sigmoid, never
    above a quarter, and of tanh die away on both sides: a unit that saturates stops learning.

    Made from the functions of torch for x in [-8, 8); the gradients by autograd.
    """
    figure, panels = sheet(2, len(ACTIVATIONS), 4.8, sharex=True)
    x = torch.arange(-8, 8, 0.01, dtype=torch.float64).requires_grad_()
    for upper, lower, (title, function) in zip(
        panels, panels[len(ACTIVATIONS) :], ACTIVATIONS.items(), strict=False
    ):
        y = function(x)
        (gradient,) = torch.autograd.grad(y.sum(), x)
        for panel, values, color in ((upper, y, BLUE), (lower, gradient, ORANGE)):
            panel.axhline(0, color=GREY, linewidth=0.8)
            panel.plot(x.detach(), values.detach(), color=color, linewidth=2)
            panel.set_xticks((-8, -4, 0, 4, 8))
        lower.set(ylim=(-0.2, 1.2), yticks=(0, 0.25, 0.5, 0.75, 1))
        upper.set(title=title)
        lower.set(title=f"gradient of {title}", xlabel="x")
    return figure
