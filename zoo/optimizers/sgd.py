"""Stochastic gradient descent, with momentum and Nesterov's look ahead.

Source: Sutskever et al. 2013, https://proceedings.mlr.press/v28/sutskever13.html, equations 1 to 4
"""

from typing import Any

from torch import Tensor
from torch.optim.optimizer import ParamsT

from zoo.optimizers.update_rule import UpdateRule


class SGD(UpdateRule):
    """Steps along a velocity v that remembers earlier gradients g; torch's form, no lr in v.

        v <- momentum v + g
        x <- x - lr v                     with nesterov: x <- x - lr (g + momentum v)

    Args:
        params: Parameters, or groups of them with settings of their own.
        lr: Learning rate.
        momentum: Share of the velocity that stays; 0 is plain gradient descent.
        nesterov: Whether to step along the velocity that would come next.
        weight_decay: L2 penalty.

    Raises:
        InputError: If a setting is out of bounds, or nesterov comes without momentum.
    """

    def __init__(
        self,
        params: ParamsT,
        lr: float = 1e-3,
        momentum: float = 0.0,
        nesterov: bool = False,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(
            params, lr=lr, momentum=momentum, nesterov=nesterov, weight_decay=weight_decay
        )

    def update(
        self, parameter: Tensor, gradient: Tensor, state: dict[str, Any], group: dict[str, Any]
    ) -> None:
        direction, momentum = gradient, group["momentum"]
        if momentum:
            velocity = state["velocity"] = momentum * state.get("velocity", 0) + gradient
            direction = gradient + momentum * velocity if group["nesterov"] else velocity
        parameter -= group["lr"] * direction
