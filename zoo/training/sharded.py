"""Fully sharded training: no process holds the whole model but while it computes with it."""

from typing import TYPE_CHECKING

from lightning.pytorch import Trainer
from lightning.pytorch.strategies import FSDPStrategy
from torch.distributed.fsdp import FullyShardedDataParallel

if TYPE_CHECKING:
    from torch import nn


class Sharded(FSDPStrategy):
    """`FSDPStrategy`, under which optimizers are made of whole parameters.

    In parts every parameter is flat. `zoo.task.Task` tells by their dimensions which of them decay,
    and would let none decay.

    Source: Zhao et al. 2023, https://arxiv.org/abs/2304.11277
    """

    def setup_optimizers(self, trainer: Trainer) -> None:
        model: nn.Module | None = self.model
        if not isinstance(model, FullyShardedDataParallel):
            return super().setup_optimizers(trainer)
        with FullyShardedDataParallel.summon_full_params(model, writeback=False):
            return super().setup_optimizers(trainer)
