"""Newton's method: straight to the minimum of the parabola that touches the loss.

Source: Boyd and Vandenberghe 2004, https://web.stanford.edu/~boyd/cvxbook/, algorithm 9.5
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer
from torch.optim.optimizer import ParamsT

from zoo.errors import InputError
from zoo.optimizers.update_rule import check

LARGEST = 2_000


class Newton(Optimizer):
    """Steps by the gradient g and the Hessian H of all parameters x taken as one vector.

        x <- x - lr H^-1 g

    A parameter with `requires_grad` off stays. Gradients that a closure left behind are not used,
    nor are those of other processes: train in one.

    Args:
        params: Parameters, in one group, at most 2,000 values.
        lr: 1 is Newton's step, less a damped one.
        objective: The loss as a function of the list of `params`; a `Task` sets it.

    Raises:
        InputError: If lr is below 0, the parameters are too many or come in groups.
    """

    one_process = True
    objective: Callable[[list[Tensor]], Tensor] | None = None

    def __init__(
        self,
        params: ParamsT,
        lr: float = 1.0,
        objective: Callable[[list[Tensor]], Tensor] | None = None,
    ) -> None:
        super().__init__(params, {"lr": lr})
        self.objective = objective

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Adds the one group: the Hessian couples all parameters."""
        check(self.defaults | param_group)
        if self.param_groups:
            raise InputError("Newton takes one parameter group: its step is one for all parameters")
        super().add_param_group(param_group)
        size = sum(p.numel() for p in param_group["params"] if p.requires_grad)
        if size > LARGEST:
            raise InputError(
                f"Newton takes at most {LARGEST:,} values and got {size:,}: the memory of its "
                "Hessian grows with the square; take SGD or Adam"
            )

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Updates all parameters once.

        Args:
            closure: Computes the loss; called first, for its value alone.

        Returns:
            What the closure returned.

        Raises:
            InputError: If `objective` is missing or the Hessian singular.
        """
        objective = self.objective
        if objective is None:
            raise InputError(
                "Newton needs the loss as a function: set optimizer.objective to one that takes "
                "the list of parameters"
            )
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        (group,) = self.param_groups
        free = [p for p in group["params"] if p.requires_grad]
        sizes = [p.numel() for p in free]

        def loss_at(point: Tensor) -> Tensor:
            pieces = iter(point.split(sizes))
            return objective(
                [
                    next(pieces).view_as(p).to(p.dtype) if p.requires_grad else p
                    for p in group["params"]
                ]
            )

        point = torch.cat([p.flatten() for p in free])
        # In float32 at least: torch solves no equations in less.
        point = point.to(torch.promote_types(point.dtype, torch.float32))
        gradient, hessian = torch.func.grad(loss_at)(point), torch.func.hessian(loss_at)(point)
        try:
            point -= group["lr"] * torch.linalg.solve(hessian, gradient)
        except torch.linalg.LinAlgError as error:
            raise InputError(
                "the Hessian is singular, so Newton has no step: start from other parameters or "
                "add a small multiple of their squares to the loss"
            ) from error
        for parameter, piece in zip(free, point.split(sizes), strict=True):
            parameter.copy_(piece.view_as(parameter))
        return loss
