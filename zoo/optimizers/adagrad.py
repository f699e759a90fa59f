"""AdaGrad: a learning rate for each coordinate, falling with the gradients that it has seen.

Source: Duchi, Hazan and Singer 2011, https://jmlr.org/papers/v12/duchi11a.html, figure 1
"""

from typing import Any

from torch import Tensor
from torch.optim.optimizer import ParamsT

from zoo.optimizers.update_rule import UpdateRule


class AdaGrad(UpdateRule):
    """Divides the gradient g by the root of the sum s of its squares.

        s <- s + g^2
        x <- x - lr g / (sqrt(s) + eps)   with eps_inside_root: x <- x - lr g / sqrt(s + eps)

    Args:
        params: Parameters, or groups of them with settings of their own.
        lr: Learning rate.
        eps: Keeps the divisor from 0.
        eps_inside_root: Whether eps is added to s, as the course does, or to its root, as torch.
        weight_decay: L2 penalty.

    Raises:
        InputError: If a setting is out of bounds.
    """

    def __init__(
        self,
        params: ParamsT,
        lr: float = 1e-2,
        eps: float = 1e-10,
        eps_inside_root: bool = False,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(
            params, lr=lr, eps=eps, eps_inside_root=eps_inside_root, weight_decay=weight_decay
        )

    def update(
        self, parameter: Tensor, gradient: Tensor, state: dict[str, Any], group: dict[str, Any]
    ) -> None:
        square = state["square"] = state.get("square", 0) + gradient**2
        inside, eps = group["eps_inside_root"], group["eps"]
        root = (square + eps).sqrt() if inside else square.sqrt() + eps
        parameter -= group["lr"] * gradient / root
