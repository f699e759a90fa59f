"""Averages of the weights over training, which are measured, saved and tested in their place."""

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from typing import Any

import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import WeightAveraging
from lightning.pytorch.strategies import FSDPStrategy
from torch import Tensor, nn
from torch.optim.swa_utils import get_ema_multi_avg_fn

from zoo.errors import InputError
from zoo.training.loop_progress import batches_of_epoch


class AveragedWeights(WeightAveraging):
    """Base of both: validation, checkpoints, and the model after training have the average.

    Lightning's callback, but that the weights stay as they are until something was averaged (they
    were those before training), that the average has the device and the type of the weights, and
    that a run goes on exactly from a checkpoint which an earlier callback saved, too. A checkpoint
    holds the average as `state_dict`, the weights as `current_model_state`.

    Args:
        averaging: Arguments of Lightning's callback.

    Raises:
        InputError: The task steps its optimizers itself, counts, or has its weights in parts or in
            half precision.
    """

    def __init__(self, **averaging: Any) -> None:
        super().__init__(**averaging)
        self.begun = False  # whether something was averaged, in training

    def due(self, step: int) -> bool:
        """Whether the weights after this step are to be averaged."""
        return True

    def should_update(self, step_idx: int | None = None, epoch_idx: int | None = None) -> bool:
        due = step_idx is not None and self.due(step_idx)
        self.begun |= due
        return due

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        self.begun = False
        if stage == "fit":
            # Lightning does both after this, and the average would stay in float32 on the CPU.
            trainer.precision_plugin.convert_module(pl_module).to(trainer.strategy.root_device)
            _refuse(trainer, pl_module)
            self.load_state_dict({"latest_update_step": 0})
        with _without_callables(pl_module):
            super().setup(trainer, pl_module, stage)

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        _refuse(trainer, pl_module)

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Takes in the last step, where the checkpoint was saved before that was averaged."""
        if trainer.global_step:
            self.on_train_batch_end(trainer, pl_module, None, None, 0)

    def on_validation_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if self.begun:
            super().on_validation_epoch_start(trainer, pl_module)

    def on_validation_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if self.begun:
            super().on_validation_epoch_end(trainer, pl_module)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if self.begun:
            super().on_train_end(trainer, pl_module)

    def on_save_checkpoint(
        self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        if self.begun:
            super().on_save_checkpoint(trainer, pl_module, checkpoint)

    def on_load_checkpoint(
        self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        if trainer.training and "averaging_state" in checkpoint:
            self.begun = True
            super().on_load_checkpoint(trainer, pl_module, checkpoint)


class ExponentialMovingAverage(AveragedWeights):
    """The newest weights count most: an average w of the weights w' after each step.

        w <- d w + (1 - d) w',  d = min(decay, (1 + t) / (10 + t)) at the update t = 1, 2, ...

    The first update takes the weights as they are; the small d of the next ones soon forgets them.
    What batch normalisation keeps is averaged, too; whole numbers are not.

    Source: Polyak and Juditsky 1992, https://doi.org/10.1137/0330046; the growing d is that of
        TensorFlow's `ExponentialMovingAverage(num_updates=...)`

    Args:
        decay: Largest d, in (0, 1): of 0.999, what is 1,000 steps old counts a third.
        every_n_steps: Steps from update to update.

    Raises:
        InputError: A setting is out of bounds.
    """

    def __init__(self, decay: float = 0.999, every_n_steps: int = 1) -> None:
        if not 0 < decay < 1 or every_n_steps < 1:
            raise InputError(
                f"decay is {decay} and every_n_steps {every_n_steps}; they have to be in (0, 1) "
                "and at least 1"
            )
        super().__init__(multi_avg_fn=self.update)
        self.decay, self.every_n_steps = decay, every_n_steps

    def due(self, step: int) -> bool:
        return (step + 1) % self.every_n_steps == 0

    def update(self, averages: Any, weights: Any, updates: Tensor | int) -> None:
        """Moves averages, all of one type, towards the weights."""
        if averages[0].is_floating_point():
            done = int(updates)
            decay = min(self.decay, (1 + done) / (10 + done))
            get_ema_multi_avg_fn(decay)(averages, weights, updates)
        else:
            for average, weight in zip(averages, weights, strict=True):
                average.copy_(weight)


class StochasticWeightAveraging(AveragedWeights):
    """The mean of the weights at the ends of the last epochs.

    The statistics of batch normalisation are those of the averaged network: after each update a
    further epoch is read, without gradients, as by `torch.optim.swa_utils.update_bn`.

    Source: Izmailov et al. 2018, https://arxiv.org/abs/1803.05407

    Args:
        start: Share of the epochs that pass before; the last epoch is averaged in any case.
        lr: Learning rate of the epochs that are averaged; the paper holds one that is high enough
            for the weights to move. By default the run's own goes on.

    Raises:
        InputError: A setting is out of bounds, or the run has no fixed number of epochs.
    """

    def __init__(self, start: float = 0.75, lr: float | None = None) -> None:
        if not 0 <= start < 1 or (lr is not None and not lr > 0):
            raise InputError(f"start is {start} and lr {lr}; they have to be in [0, 1) and over 0")
        super().__init__(use_buffers=False)
        self.start, self.lr = start, lr
        self._ends, self._updated = False, False  # the epoch does; with this step

    def due(self, step: int) -> bool:
        self._updated = self._ends
        return self._ends

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        if stage == "fit" and (trainer.max_epochs or 0) < 1:
            raise InputError("weights are averaged over a number of epochs: --trainer.max_epochs N")
        super().setup(trainer, pl_module, stage)

    def on_train_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int
    ) -> None:
        if self.lr and self._counts(trainer, trainer.current_epoch):
            for group in trainer.optimizers[0].param_groups:
                group["lr"] = self.lr * group.get("lr_ratio", 1.0)

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        # A run that resumes between two epochs takes in the last step of the one before.
        epoch = trainer.current_epoch if batches_of_epoch(trainer) else trainer.current_epoch - 1
        self._ends = trainer.is_last_batch and self._counts(trainer, epoch)
        self._updated = False
        super().on_train_batch_end(trainer, pl_module, outputs, batch, batch_idx)
        if self._updated:
            super().on_validation_epoch_start(trainer, pl_module)  # exchanges weights and average
            renew_statistics(trainer, pl_module)
            super().on_validation_epoch_end(trainer, pl_module)  # and back

    def _counts(self, trainer: Trainer, epoch: int) -> bool:
        """Whether an epoch is one of those that are averaged."""
        epochs = trainer.max_epochs or 1
        return epoch >= min(int(self.start * epochs), epochs - 1)


@torch.no_grad()
def renew_statistics(trainer: Trainer, model: LightningModule) -> None:
    """Makes the running statistics the plain means of those of all batches of an epoch.

    Modules that do not train keep theirs. Over several processes they are averaged.
    """
    layers: list[Any] = [
        module
        for module in model.modules()
        if isinstance(getattr(module, "running_mean", None), Tensor) and module.training
    ]
    if not layers:
        return
    momenta = [layer.momentum for layer in layers]
    for layer in layers:
        layer.num_batches_tracked.zero_()
    loader: Any = trainer.train_dataloader
    limit = trainer.num_training_batches
    for index, batch in enumerate(islice(loader, limit if isinstance(limit, int) else None)):
        for layer in layers:
            layer.momentum = 1 / (index + 1)
        moved = trainer.strategy.batch_to_device(trainer.precision_plugin.convert_input(batch))
        with trainer.precision_plugin.forward_context():
            model(moved[0])
    for layer, momentum in zip(layers, momenta, strict=True):
        layer.momentum = momentum
        for statistic in (layer.running_mean, layer.running_var):
            statistic.copy_(trainer.strategy.reduce(statistic, reduce_op="mean"))


@contextmanager
def _without_callables(model: nn.Module) -> Iterator[None]:
    """Takes away what makes the optimizer, while the model is copied.

    What the command makes of its options holds on to all of them, the Trainer's strategy included,
    which cannot be copied.
    """
    attributes = vars(model)
    kept = {name: value for name, value in attributes.items() if callable(value)}
    attributes.update(dict.fromkeys(kept))
    try:
        yield
    finally:
        attributes.update(kept)


def _refuse(trainer: Trainer, model: nn.Module) -> None:
    name = type(model).__name__
    groups = [group for optimizer in trainer.optimizers for group in optimizer.param_groups]
    reason = ""
    if not getattr(model, "automatic_optimization", True):
        own = " (it averages by --model.ema_decay)" if hasattr(model, "ema_decay") else ""
        reason = f"{name} steps its optimizers itself{own}"
    elif any("lr" not in group for group in groups):
        reason = f"{name} counts, and descends nothing"
    elif isinstance(trainer.strategy, FSDPStrategy):
        reason = "they lie in parts on all processes: take +ddp"
    elif any(p.is_floating_point() and p.itemsize < 4 for p in model.parameters()):
        reason = "half precision would round small updates away: --trainer.precision bf16-mixed"
    if reason:
        raise InputError(f"the weights cannot be averaged: {reason}")
