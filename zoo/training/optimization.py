"""What a run descends by: optimizers, schedules, and what they work on.

An optimizer gets groups of parameters, or, of second order, the loss as a function of them.
"""

import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from math import ceil, inf
from typing import Any, Literal

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.cli import LRSchedulerCallable, OptimizerCallable
from torch import Tensor, nn
from torch.func import functional_call
from torch.optim import LBFGS, Optimizer
from torch.optim.lr_scheduler import ReduceLROnPlateau

from zoo.errors import InputError
from zoo.runs.rounding import HIGHER
from zoo.training.corpus import datamodule_of
from zoo.training.loop_progress import is_due

AT_A_CONSTANT_RATE = "at a constant rate: --model.lr_scheduler null --model.optimizer.lr RATE"


def optimizer_of(
    module: LightningModule,
    make_optimizer: OptimizerCallable,
    parameters: Any,
    weight_decay: float,
) -> Optimizer:
    """Makes an optimizer and checks that it can train as the trainer is set.

    Args:
        module: Module that it trains; asked for its trainer only by optimizers with a condition.
        make_optimizer: Makes the optimizer from the parameters.
        parameters: Parameters, or groups of them.
        weight_decay: Weight decay that the optimizer is to apply.

    Raises:
        InputError: The optimizer has no weight decay, needs a single process, or takes no
            micro-batches.
    """
    optimizer = make_optimizer(parameters)
    name = type(optimizer).__name__
    if weight_decay and "weight_decay" not in optimizer.defaults:
        raise InputError(f"{name} knows no weight decay: --model.weight_decay 0, or another")
    if evaluates_repeatedly(optimizer) and module.trainer.accumulate_grad_batches > 1:
        raise InputError(
            f"{name} looks at a whole batch several times in a step: leave out "
            "--trainer.accumulate_grad_batches"
        )
    if getattr(optimizer, "one_process", False) and module.trainer.world_size > 1:
        raise InputError(f"{name} trains in one process: --trainer.devices 1")
    return optimizer


def is_second_order(optimizer: Any) -> bool:
    """Returns whether an optimizer, or a class of them, asks for the loss itself (`objective`)."""
    return hasattr(optimizer, "objective")


def evaluates_repeatedly(optimizer: Optimizer) -> bool:
    """Returns whether a step of an optimizer evaluates the loss of its batch several times."""
    return is_second_order(optimizer) or isinstance(optimizer, LBFGS)


def with_schedule(
    optimizer: Optimizer,
    make_scheduler: LRSchedulerCallable | None,
    length: Callable[[], int],
    interval: Literal["epoch", "step"],
    monitor: str | None,
    mode: Literal["min", "max"],
) -> Any:
    """Returns an optimizer with its learning-rate schedule as Lightning takes them.

    The optimizer also gets its `settings`, by which a run that goes on knows what was changed.

    Args:
        optimizer: The optimizer; the learning-rate ratios of its groups are applied.
        make_scheduler: Makes the schedule from the optimizer; None for none.
        length: Number of its steps, for a schedule that takes `total_steps` and was given none.
        interval: Whether it steps after each epoch or after each step.
        monitor: Metric that a schedule watches where it names none of its own.
        mode: Which end of that metric is the better one.
    """
    groups = [_plain(group) for group in optimizer.param_groups]
    settings: dict[str, Any] = {"name": type(optimizer).__name__, "groups": groups}
    settings["lr_scheduler"] = None
    vars(optimizer)["settings"] = settings
    if make_scheduler is None:
        apply_lr_ratios(optimizer)
        return optimizer
    given = {"total_steps": length()} if _wants_length(make_scheduler) else {}
    scheduler = make_scheduler(optimizer, **given)
    settings["lr_scheduler"] = {
        "name": type(scheduler).__name__,
        "options": {**_schedule_options(make_scheduler, scheduler), "schedule_interval": interval},
    }
    if isinstance(scheduler, ReduceLROnPlateau):
        _watch(scheduler, make_scheduler, monitor, mode)
    apply_lr_ratios(optimizer)
    return {
        "optimizer": optimizer,
        "lr_scheduler": {
            "scheduler": scheduler,
            "interval": interval,
            "reduce_on_plateau": False,  # or Lightning would step it: see `step_plateaus`
        },
    }


def _plain(options: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the options that are numbers, texts or sequences of them."""
    kinds = (int, float, str, tuple, list, type(None))
    return {k: v for k, v in options.items() if k != "params" and isinstance(v, kinds)}


def _schedule_options(make_scheduler: LRSchedulerCallable, scheduler: Any) -> dict[str, Any]:
    """Returns the options that a schedule was made with; none of what its maker does not show."""
    given = _given(make_scheduler)
    if given is None:
        return {}
    parameters = inspect.signature(type(scheduler).__init__).parameters.values()
    return _plain({p.name: p.default for p in parameters if p.default is not p.empty} | given)


def _given(make_scheduler: Any) -> dict[str, Any] | None:
    """Returns the options that the maker of a schedule hands on; None where it does not show."""
    return {} if isinstance(make_scheduler, type) else getattr(make_scheduler, "keywords", None)


def _watch(
    scheduler: Any,
    make_scheduler: LRSchedulerCallable,
    monitor: str | None,
    mode: Literal["min", "max"],
) -> None:
    """Has a schedule that was given no metric, or no mode, watch the task's, or what is better."""
    watched = scheduler.monitor = getattr(scheduler, "monitor", None) or monitor
    if watched is None:
        raise InputError("nothing is measured that a plateau could be seen by: another schedule")
    given = _given(make_scheduler)
    if given is not None and not given.get("mode"):
        if watched != monitor:
            mode = "max" if HIGHER.search(watched) else "min"
        scheduler.load_state_dict({"mode": mode, "best": -inf if mode == "max" else inf})


def step_plateaus(trainer: Trainer, stage: str) -> None:
    """Steps the schedules that watch a metric of a stage, `train` or `val`, as it is measured.

    Lightning steps them after the epoch: by what was measured long ago or not yet, and, in a run
    that goes on from a checkpoint, not in its first epoch.

    Raises:
        InputError: The metric was not measured.
    """
    for config in trainer.lr_scheduler_configs:
        scheduler: Any = config.scheduler
        if not isinstance(scheduler, ReduceLROnPlateau):
            continue
        watched = vars(scheduler)["monitor"]
        here = watched.startswith("val/") == (stage == "val")
        if here and watched in trainer.callback_metrics:
            with without_lr_ratios(scheduler.optimizer):
                scheduler.step(trainer.callback_metrics[watched])
        elif here or not _validates(trainer):
            raise InputError(
                f"{type(scheduler).__name__} watches {watched}, which is not measured; "
                f"there are: {', '.join(sorted(trainer.callback_metrics))}"
            )


def _validates(trainer: Trainer) -> bool:
    """Returns whether something is measured in validations, as far as one was due."""
    batches = sum(trainer.num_val_batches)
    return trainer.enable_validation and (batches > 0 or not is_due(trainer))


def _wants_length(scheduler: LRSchedulerCallable) -> bool:
    """Returns whether a schedule takes `total_steps` and was given no length."""
    given = getattr(scheduler, "keywords", {})
    if "total_steps" in given:
        return given["total_steps"] is None and given.get("epochs") is None
    length = inspect.signature(scheduler).parameters.get("total_steps")
    return length is not None and length.default is None and "epochs" not in given


def refuse_outlasting(trainer: Trainer, length: Callable[[], int]) -> None:
    """Refuses a run longer than its schedules, whose length a checkpoint brings with it.

    Raises:
        InputError: A schedule ends before the run.
    """
    for config in trainer.lr_scheduler_configs:
        steps = getattr(config.scheduler, "total_steps", None)
        if steps is not None and steps < length():
            raise InputError(
                f"the learning-rate schedule ends after {steps} steps and the run has {length()}: "
                f"resume with the length it was begun with, or {AT_A_CONSTANT_RATE}"
            )


def optimizer_steps(trainer: Trainer) -> int:
    """Returns the number of optimizer steps of a run."""
    epochs = trainer.max_epochs or 0
    if datamodule_of(trainer) is None or epochs < 1:
        return int(trainer.estimated_stepping_batches)
    steps = ceil(batches_per_epoch(trainer) / trainer.accumulate_grad_batches) * epochs
    return min(steps, trainer.max_steps) if trainer.max_steps >= 0 else steps


def run_epochs(trainer: Trainer, batches_per_step: int) -> int:
    """Returns the number of epochs of a run, the last perhaps cut short by its number of steps."""
    epochs, batches = trainer.max_epochs or 0, inf
    if trainer.max_steps >= 0:
        batches = batches_per_epoch(trainer)
    if batches < inf:
        needed = ceil(trainer.max_steps / max(1, ceil(batches / batches_per_step)))
        epochs = min(epochs, needed) if epochs > 0 else needed
    return max(1, epochs)


def batches_per_epoch(trainer: Trainer) -> int | float:
    """Returns the number of training batches of an epoch.

    Asked of a loader of the corpus's own, where there is one: Trainer, asked before training, would
    have the workers of its loader begin to read, and a resumed run would get the first batches
    once more.
    """
    corpus = datamodule_of(trainer)
    if corpus is None:
        return trainer.num_training_batches
    found = len(corpus.train_dataloader())
    limit = trainer.limit_train_batches
    if limit is None:
        return found
    return min(limit, found) if isinstance(limit, int) else int(limit * found)


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
