"""What discriminator and generator minimise, from the logits that the discriminator gives.

Source: Goodfellow et al. 2014, https://arxiv.org/abs/1406.2661, Section 3; Mao et al. 2017,
        https://arxiv.org/abs/1611.04076, equation 9; Lim and Ye 2017,
        https://arxiv.org/abs/1705.02894; Arjovsky, Chintala and Bottou 2017,
        https://arxiv.org/abs/1701.07875; Gulrajani et al. 2017, https://arxiv.org/abs/1704.00028
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import relu, softplus

from zoo.shapes import Scores


class Objective(NamedTuple):
    """Two losses, and how a logit is shown.

    Attributes:
        discriminator: Loss by the logits of data (batch) and of samples (batch).
        generator: Loss by the logits of samples (batch).
        shown: Maps logits to what D(x) stands for: a probability, or the logit as it is.
    """

    discriminator: Callable[[Tensor, Tensor], Tensor]
    generator: Callable[[Tensor], Tensor]
    shown: Callable[[Tensor], Tensor]


def cross_entropy(real: Scores, fake: Scores) -> Tensor:
    """-(mean log D(x) + mean log(1 - D(G(z)))) / 2, where D is the sigmoid of a logit.

    The mean of both terms, as the course counts it: ln 2 where nothing can be told apart.
    """
    return (softplus(-real).mean() + softplus(fake).mean()) / 2


def non_saturating(fake: Scores) -> Tensor:
    """-mean log D(G(z)), whose gradient stays large where D tells samples for sure."""
    return softplus(-fake).mean()


def squares(real: Scores, fake: Scores) -> Tensor:
    """(mean (D(x) - 1)^2 + mean D(G(z))^2) / 2; D is the logit."""
    return ((real - 1).square().mean() + fake.square().mean()) / 2


def square(fake: Scores) -> Tensor:
    """Half of mean (D(G(z)) - 1)^2."""
    return (fake - 1).square().mean() / 2


def hinge(real: Scores, fake: Scores) -> Tensor:
    """The sum of mean max(0, 1 - D(x)) and mean max(0, 1 + D(G(z)))."""
    return relu(1 - real).mean() + relu(1 + fake).mean()


def critic(real: Scores, fake: Scores) -> Tensor:
    """The difference mean D(G(z)) - mean D(x): the distance of the earth mover, negative."""
    return fake.mean() - real.mean()


def raised(fake: Scores) -> Tensor:
    """-mean D(G(z))."""
    return -fake.mean()


OBJECTIVES = {
    "non_saturating": Objective(cross_entropy, non_saturating, torch.sigmoid),
    "least_squares": Objective(squares, square, Tensor.clone),
    "hinge": Objective(hinge, raised, Tensor.clone),
    "wasserstein": Objective(critic, raised, Tensor.clone),
}


def gradient_penalty(judge: Callable[[Tensor], Tensor], real: Tensor, fake: Tensor) -> Tensor:
    """At points x drawn evenly from the lines between data and samples, mean (|grad D(x)| - 1)^2.

    Args:
        judge: D: maps samples (batch, ...) to logits (batch), each by its own sample alone.
        real: Data, (batch, ...).
        fake: Samples, (batch, ...).

    Source: Gulrajani et al. 2017, equation 3
    """
    share = torch.rand(len(real), *(1,) * (real.ndim - 1), dtype=real.dtype, device=real.device)
    between = torch.lerp(fake, real, share).requires_grad_()
    (gradient,) = torch.autograd.grad(judge(between).sum(), between, create_graph=True)
    return (gradient.flatten(1).norm(dim=1) - 1).square().mean()
