"""What an optimizer works on: groups of parameters, or the loss as a function of them."""

from collections.abc import Iterable
from typing import Any

from torch import Tensor, nn
from torch.func import functional_call


def parameter_groups(module: nn.Module, weight_decay: float) -> Iterable[Any]:
    """All parameters, or apart those that decay and those that do not.

    Parameters of two or more dimensions are weights and decay; biases, and the gains of
    normalisation, have one.
    """
    if not weight_decay:
        return module.parameters()
    weights = [p for p in module.parameters() if p.ndim > 1]
    others = [p for p in module.parameters() if p.ndim <= 1]
    groups = [(weights, weight_decay), (others, 0.0)]
    return [{"params": group, "weight_decay": decay} for group, decay in groups if group]


class BatchObjective:
    """The loss of a batch as a function of a task's parameters, for second-order methods.

    Args:
        task: Its `step` gives the loss.

    Attributes:
        batch: The batch at hand.
    """

    def __init__(self, task: nn.Module) -> None:
        self.loss = _Loss(task)
        self.batch: Any = None

    def __call__(self, parameters: list[Tensor]) -> Tensor:
        names = [name for name, _ in self.loss.named_parameters()]
        return functional_call(self.loss, dict(zip(names, parameters, strict=True)), (self.batch,))


class _Loss(nn.Module):
    """The loss of a task as a module's output, which is what torch.func can differentiate."""

    def __init__(self, task: Any) -> None:
        super().__init__()
        self.task = task

    def forward(self, batch: Any) -> Tensor:
        return self.task.step(batch).loss
