"""Adam: momentum over RMSProp, both means freed of their start at 0.

Source: Kingma and Ba 2015, https://arxiv.org/abs/1412.6980, algorithm 1
"""

from typing import Any

from torch import Tensor
from torch.optim.optimizer import ParamsT

from zoo.optimizers.update_rule import UpdateRule


class Adam(UpdateRule):
    """Divides a running mean m of the gradient g by the root of one of its square, v, at step t.

        m <- beta1 m + (1 - beta1) g
        v <- beta2 v + (1 - beta2) g^2
        x <- x - lr m / (1 - beta1^t) / (sqrt(v / (1 - beta2^t)) + eps)

    Args:
        params: Parameters, or groups of them with settings of their own.
        lr: Learning rate.
        betas: Shares of the two running means that stay.
        eps: Keeps the divisor from 0.
        weight_decay: L2 penalty.

    Raises:
        InputError: If a setting is out of bounds.
    """

    def __init__(
        self,
        params: ParamsT,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(params, lr=lr, betas=betas, eps=eps, weight_decay=weight_decay)

    def update(
        self, parameter: Tensor, gradient: Tensor, state: dict[str, Any], group: dict[str, Any]
    ) -> None:
        beta1, beta2 = group["betas"]
        step = state["step"] = state.get("step", 0) + 1
        mean = state["mean"] = beta1 * state.get("mean", 0) + (1 - beta1) * gradient
        square = state["square"] = beta2 * state.get("square", 0) + (1 - beta2) * gradient**2
        mean, square = mean / (1 - beta1**step), square / (1 - beta2**step)
        parameter -= group["lr"] * mean / (square.sqrt() + group["eps"])
