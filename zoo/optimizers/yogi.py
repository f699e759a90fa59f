"""Yogi: Adam whose mean of squares moves by the size of the new square alone, however far it is.

Source: Zaheer et al. 2018, https://papers.nips.cc/paper/8186, algorithm 2; the means are freed of
    their start at 0 as in Adam, and as in https://d2l.ai/chapter_optimization/adam.html
"""

from typing import Any

from torch import Tensor
from torch.optim.optimizer import ParamsT

from zoo.optimizers.update_rule import UpdateRule


class Yogi(UpdateRule):
    """Lets v forget a rare large gradient g slowly, where Adam's would do so at once.

        m <- beta1 m + (1 - beta1) g
        v <- v - (1 - beta2) sign(v - g^2) g^2
        x <- x - lr m / (1 - beta1^t) / (sqrt(v / (1 - beta2^t)) + eps)

    Args:
        params: Parameters, or groups of them with settings of their own.
        lr: Learning rate; ten times Adam's is usual.
        betas: Share of the running mean that stays, and 1 less the share of g^2 by which v moves.
        eps: Keeps the divisor from 0; larger than Adam's.
        weight_decay: L2 penalty.

    Raises:
        InputError: If a setting is out of bounds.
    """

    def __init__(
        self,
        params: ParamsT,
        lr: float = 1e-2,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-3,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(params, lr=lr, betas=betas, eps=eps, weight_decay=weight_decay)

    def update(
        self, parameter: Tensor, gradient: Tensor, state: dict[str, Any], group: dict[str, Any]
    ) -> None:
        beta1, beta2 = group["betas"]
        step = state["step"] = state.get("step", 0) + 1
        mean = state["mean"] = beta1 * state.get("mean", 0) + (1 - beta1) * gradient
        square, new = state.get("square", 0), gradient**2
        square = state["square"] = square - (1 - beta2) * (square - new).sign() * new
        mean, square = mean / (1 - beta1**step), square / (1 - beta2**step)
        parameter -= group["lr"] * mean / (square.sqrt() + group["eps"])
