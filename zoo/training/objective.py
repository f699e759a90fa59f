"""What an optimizer works on: groups of parameters, or the loss as a function of them."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from torch import Tensor, nn
from torch.func import functional_call
from torch.optim import Optimizer


def parameter_groups(
    module: nn.Module, weight_decay: float, lr_ratio: Callable[[str], float]
) -> Iterable[Any]:
    """All parameters, or apart those that decay and those that do not, and each ratio.

    Parameters of two or more dimensions are weights and decay; biases, and the gains of
    normalisation, have one. The first groups are those of ratio 1, if there are any.

    Args:
        module: Whose parameters.
        weight_decay: Of the weights.
        lr_ratio: By what the learning rate of the parameter of a name is multiplied.
    """
    parameters = [(p, lr_ratio(name)) for name, p in module.named_parameters()]
    if not weight_decay and all(ratio == 1 for _, ratio in parameters):
        return module.parameters()
    groups: dict[tuple[bool, float, bool], dict[str, Any]] = {}
    for parameter, ratio in parameters:
        apart = bool(weight_decay) and parameter.ndim <= 1
        group = groups.setdefault((ratio != 1, ratio, apart), {"params": []})
        group["params"].append(parameter)
        if weight_decay:
            group["weight_decay"] = 0.0 if apart else weight_decay
        if ratio != 1:
            group["lr_ratio"] = ratio
    return [groups[key] for key in sorted(groups)]


def apply_lr_ratios(optimizer: Optimizer) -> None:
    """Multiplies the learning rate of each group that has a ratio, and notes the rate before."""
    for group in optimizer.param_groups:
        if "lr_ratio" in group:
            group["scheduled_lr"] = group["lr"]
            group["lr"] = group["scheduled_lr"] * group["lr_ratio"]


@contextmanager
def without_lr_ratios(optimizer: Optimizer) -> Iterator[None]:
    """For the step of a schedule, which is the same for all groups: the ratios are taken out.

    So they hold at each step whatever the schedule is: one with rates of its own (OneCycleLR), with
    a floor (CosineAnnealingLR), or that goes on from the last rate (StepLR).
    """
    for group in optimizer.param_groups:
        if "lr_ratio" in group:
            group["lr"] = group["scheduled_lr"]
    yield
    apply_lr_ratios(optimizer)


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
