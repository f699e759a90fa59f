"""RMSProp: AdaGrad that forgets, so that its learning rates do not vanish.

Source: Tieleman and Hinton 2012,
    https://www.cs.toronto.edu/~tijmen/csc321/slides/lecture_slides_lec6.pdf, slide 29
"""

from typing import Any

from torch import Tensor
from torch.optim.optimizer import ParamsT

from zoo.optimizers.update_rule import UpdateRule


class RMSProp(UpdateRule):
    """Divides the gradient g by the root of a running mean s of its squares.

        s <- alpha s + (1 - alpha) g^2
        x <- x - lr g / (sqrt(s) + eps)   with eps_inside_root: x <- x - lr g / sqrt(s + eps)

    Args:
        params: Parameters, or groups of them with settings of their own.
        lr: Learning rate.
        alpha: Share of the running mean that stays.
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
        alpha: float = 0.99,
        eps: float = 1e-8,
        eps_inside_root: bool = False,
        weight_decay: float = 0.0,
    ) -> None:
        divisor = {"eps": eps, "eps_inside_root": eps_inside_root}
        super().__init__(params, lr=lr, alpha=alpha, weight_decay=weight_decay, **divisor)

    def update(
        self, parameter: Tensor, gradient: Tensor, state: dict[str, Any], group: dict[str, Any]
    ) -> None:
        alpha, inside, eps = group["alpha"], group["eps_inside_root"], group["eps"]
        square = state["square"] = alpha * state.get("square", 0) + (1 - alpha) * gradient**2
        root = (square + eps).sqrt() if inside else square.sqrt() + eps
        parameter -= group["lr"] * gradient / root
