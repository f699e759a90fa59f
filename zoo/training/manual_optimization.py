"""What a task that steps its optimizers itself does in Lightning's place."""

from collections.abc import Mapping
from contextlib import nullcontext
from typing import Any

import torch
from lightning.pytorch import LightningModule, Trainer
from torch import Tensor, nn

from zoo.errors import InputError
from zoo.training.loop_progress import is_last_batch


def refuse_options(subject: str, options: Mapping[str, Any], otherwise: str = "") -> None:
    """Refuses options of the Trainer that act in automatic optimization alone.

    Args:
        subject: Subject of the message.
        options: Whether each is set, by what to do instead.
        otherwise: End of the message.

    Raises:
        InputError: One is set.
    """
    for instead, is_set in options.items():
        if is_set:
            raise InputError(f"{subject} {instead}{otherwise}")


def without_plateau(configured: Any) -> dict[str, Any]:
    """Returns optimizer and schedule without the key for a plateau, which has no meaning here."""
    if not isinstance(configured, dict):
        return {"optimizer": configured}
    keys = ("scheduler", "interval")
    return {**configured, "lr_scheduler": {key: configured["lr_scheduler"][key] for key in keys}}


def step_schedules(task: LightningModule, interval: str) -> None:
    """Steps the schedules of an interval, `epoch` or `step`; an epoch that ended early is none."""
    if interval == "epoch" and not is_last_batch(task.trainer):
        return
    for config in task.trainer.lr_scheduler_configs:
        if config.interval == interval:
            task.lr_scheduler_step(config.scheduler, None)


def backward(task: LightningModule, loss: Tensor) -> None:
    """Adds to the gradients without DDP's exchange, which waits for every parameter's."""
    unsynchronised = getattr(task.trainer.strategy, "block_backward_sync", nullcontext)
    with unsynchronised():
        task.manual_backward(loss)


def average_ranks(trainer: Trainer, network: nn.Module) -> None:
    """Averages the gradients and the statistics of batch normalisation over all ranks."""
    if trainer.world_size == 1:
        return
    tensors = [p.grad for p in network.parameters() if p.grad is not None]
    tensors += [buffer for buffer in network.buffers() if buffer.is_floating_point()]
    flat = torch.cat([tensor.flatten() for tensor in tensors])
    mean = trainer.strategy.reduce(flat, reduce_op="mean")
    sizes = [tensor.numel() for tensor in tensors]
    for tensor, part in zip(tensors, mean.split(sizes), strict=True):
        tensor.copy_(part.view_as(tensor))
