"""UpdateRule: an optimizer that is one equation for each parameter; the base of its neighbours."""

from collections.abc import Callable
from math import inf
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer
from torch.optim.optimizer import ParamsT

from zoo.errors import InputError

FRACTIONS = ("momentum", "betas", "alpha", "rho")


class UpdateRule(Optimizer):
    """Calls `update`, which a subclass writes, for every parameter that has a gradient.

    The L2 penalty, weight_decay times the parameter, is in the gradient that `update` gets. What
    `update` keeps is tensors and plain numbers.
    """

    def __init__(self, params: ParamsT, **settings: Any) -> None:
        super().__init__(params, settings)

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Adds parameters; settings of their own are checked as the constructor's are."""
        check(self.defaults | param_group)
        super().add_param_group(param_group)

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Updates every parameter once.

        Args:
            closure: Computes the loss and its gradients; called first.

        Returns:
            What the closure returned.

        Raises:
            InputError: If a gradient is sparse.
        """
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            for parameter in group["params"]:
                gradient = parameter.grad
                if gradient is None:
                    continue
                if gradient.layout is not torch.strided:
                    raise InputError(
                        f"{type(self).__name__} takes dense gradients: make the layer that gives "
                        "sparse ones with sparse=False"
                    )
                if group["weight_decay"]:
                    gradient = gradient + group["weight_decay"] * parameter
                self.update(parameter, gradient, self.state[parameter], group)
        return loss

    def update(
        self, parameter: Tensor, gradient: Tensor, state: dict[str, Any], group: dict[str, Any]
    ) -> None:
        """Changes the parameter in place.

        Args:
            parameter: What is learned.
            gradient: Of the loss by the parameter; left as it is.
            state: What the updates of this parameter remember; empty before the first.
            group: The settings.
        """
        raise TypeError(f"{type(self).__name__} does not say what an update is")


def check(settings: dict[str, Any]) -> None:
    """Raises InputError for a setting below 0, for a fraction of 1 or more, for a lone nesterov."""
    for name in ("lr", "weight_decay", "eps", *FRACTIONS):
        value, bound = settings.get(name, 0.0), 1 if name in FRACTIONS else inf
        numbers = value if isinstance(value, tuple | list) else (value,)
        if not all(0 <= number < bound for number in numbers):
            raise InputError(f"{name} is {value}; it has to be in [0, {bound})")
    if settings.get("nesterov") and not settings["momentum"]:
        raise InputError("nesterov is True and momentum 0; it has to be above 0 to look ahead")
