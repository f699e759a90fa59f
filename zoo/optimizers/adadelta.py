"""AdaDelta: RMSProp whose learning rate is the size of its own last changes.

Source: Zeiler 2012, https://arxiv.org/abs/1212.5701, algorithm 1
"""

from typing import Any

from torch import Tensor
from torch.optim.optimizer import ParamsT

from zoo.optimizers.update_rule import UpdateRule


class AdaDelta(UpdateRule):
    """Scales the gradient g by running means: u of the changes d squared, s of g squared.

        s <- rho s + (1 - rho) g^2
        d <- sqrt((u + eps) / (s + eps)) g
        u <- rho u + (1 - rho) d^2
        x <- x - lr d

    Args:
        params: Parameters, or groups of them with settings of their own.
        lr: Factor of the change; the paper has none, that is 1.
        rho: Share of the running means that stays.
        eps: Keeps the divisor from 0, and sets the first changes going.
        weight_decay: L2 penalty.

    Raises:
        InputError: If a setting is out of bounds.
    """

    def __init__(
        self,
        params: ParamsT,
        lr: float = 1.0,
        rho: float = 0.9,
        eps: float = 1e-6,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(params, lr=lr, rho=rho, eps=eps, weight_decay=weight_decay)

    def update(
        self, parameter: Tensor, gradient: Tensor, state: dict[str, Any], group: dict[str, Any]
    ) -> None:
        rho, eps, changes = group["rho"], group["eps"], state.get("changes", 0)
        square = state["square"] = rho * state.get("square", 0) + (1 - rho) * gradient**2
        change = ((changes + eps) / (square + eps)).sqrt() * gradient
        state["changes"] = rho * changes + (1 - rho) * change**2
        parameter -= group["lr"] * change
