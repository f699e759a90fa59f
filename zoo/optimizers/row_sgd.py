"""SGD that touches only the rows of a table that a batch is about.

Source: Mikolov et al. 2013, https://arxiv.org/abs/1310.4546, and their program, which updates rows
        in place
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer
from torch.optim.optimizer import ParamsT

from zoo.optimizers.update_rule import check


class RowSGD(Optimizer):
    """Steps down the gradients of rows, of which a model hands over those that are not zero.

        table[row] <- table[row] - lr g,        once for each g of that row

    A step is a call of the closure, in which the model calls `descend` as often as it likes; the
    gradients that autograd left at parameters are not used. In one process.

    Args:
        params: Parameters, in one group.
        lr: Learning rate.

    Raises:
        InputError: A setting is out of bounds.
    """

    one_process = True

    def __init__(self, params: ParamsT, lr: float = 0.025) -> None:
        super().__init__(params, {"lr": lr})

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Adds parameters, whose settings are checked."""
        check(self.defaults | param_group)
        super().add_param_group(param_group)

    def descend(
        self, table: Tensor, rows: Tensor, gradients: Tensor, factors: Tensor | None = None
    ) -> None:
        """Updates rows in place.

        Args:
            table: A parameter, (size, values).
            rows: Which, int64 (...); a row may be there more than once.
            gradients: (..., values).
            factors: By which the gradients are multiplied, (...); 1 by default.
        """
        lr = float(self.param_groups[0]["lr"])
        steps = gradients * (-lr if factors is None else factors.mul(-lr)[..., None])
        steps, rows = steps.flatten(0, -2), rows.flatten()
        values = table.detach()
        if table.is_cuda:  # where `scatter_add_` of rows has no deterministic form
            values.index_add_(0, rows, steps)
        else:  # where it takes half the time of `index_add_`
            values.scatter_add_(0, rows[:, None].expand_as(steps), steps)

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Calls the closure, which descends; returns what that returned."""
        return closure() if closure else None
