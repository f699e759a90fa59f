"""Task: one `step` becomes training, validation and test; the base of every architecture."""

import inspect
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any, Literal, NamedTuple

import torch
from lightning.pytorch import Callback, LightningModule
from lightning.pytorch.cli import LRSchedulerCallable, OptimizerCallable
from lightning.pytorch.trainer.states import TrainerFn
from torch import Tensor, nn
from torch.optim.lr_scheduler import ReduceLROnPlateau
from torchmetrics import SumMetric

from zoo.errors import in_bounds
from zoo.training.chosen_metrics import Judged, made
from zoo.training.corpus import datamodule_of
from zoo.training.finite import FiniteSteps
from zoo.training.loop_progress import batches_begun, begin, is_due, is_last_batch, restate
from zoo.training.optimization import (
    BatchObjective,
    is_second_order,
    optimizer_of,
    optimizer_steps,
    parameter_groups,
    refuse_outlasting,
    run_epochs,
    step_plateaus,
    with_schedule,
    without_lr_ratios,
)
from zoo.training.resuming import circumstances, refuse_other_batches, take_options
from zoo.training.running_means import COUNT, RunningMeans, at_least_one, means
from zoo.training.whole_mean import WholeMean
from zoo.version import CHECKPOINT_FORMAT, zoo_version


class Step(NamedTuple):
    """What a task makes of one batch.

    Attributes:
        loss: Mean over the rows, a scalar; what is minimised.
        size: Number of rows behind the mean; a tensor where it is another on each process.
        sums: Further quantities, each summed over the rows (accuracy: the number correct).
        predictions: Predictions for pictures and tables; never used in training.
        counted: Of what the loss is a mean over, where that is not the rows; the loss is its sum
            where there are none.
        judged: Predictions and targets, which metrics that the user chose compare.
    """

    loss: Tensor
    size: int | Tensor
    sums: dict[str, Tensor]
    predictions: Any
    counted: int | Tensor | None = None
    judged: tuple[Tensor, Tensor] | None = None


def adam(parameters: Any) -> torch.optim.Optimizer:
    """Returns Adam with its own settings, the default optimizer.

    A function, for jsonargparse hands the settings of a default class on to whatever class is
    chosen instead: Adam's eps to AdaGrad, its learning rate to AdaDelta.
    """
    return torch.optim.Adam(parameters)


class Task(LightningModule):
    """Owns loss, metrics, logging, optimizer and schedule; an architecture adds the network.

    Logs `train/...` as means over the last `Trainer(log_every_n_steps=...)` steps, for loggers and
    bars, and `train/..._epoch`, `val/...`, `test/...` as means over all rows.

    A step descends the mean over the rows of all its micro-batches and processes, however many each
    of them has: see `WholeMean`.

    Args:
        optimizer: Optimizer, of torch or the zoo: SGD, AdamW; in Python a function that makes it
            from the parameters, `partial(SGD, lr=0.1)`.
        lr_scheduler: Learning-rate schedule, of torch or the zoo: StepLR, WarmupCosineLR; none by
            default. One that takes `total_steps` and was given none gets the run's.
        schedule_interval: Interval at which the schedule steps.
        weight_decay: Weight decay (L2 penalty) of the parameters of two or more dimensions; biases
            and the gains of normalisation have none.
        metrics: Further metrics of evaluations, by their names in torchmetrics: F1Score, AUROC,
            Accuracy@5, or with options ({F1Score: {average: weighted}}).
        monitor: Metric by which the best checkpoint is chosen (val/f1_score); by default the task's
            own.

    Raises:
        InputError: A metric does not exist or measures no predictions of this kind.
    """

    monitor: str | None = "val/loss"  # by which the best checkpoint is chosen; none: the newest
    monitor_mode: Literal["min", "max"] = "min"
    metric_names: tuple[str, ...] = ()
    judges: Judged = ""  # what its predictions are, for metrics that the user chooses
    counts_rows = True  # or something else, which is behind the loss: see `Step.counted`
    signatures: Mapping[str, str] = {}  # of metrics that are computed in many ways: in which
    one_process = False  # whether it trains in one process alone
    manual_optimization = False  # whether it steps its optimizers itself, whatever they are
    example_sizes: Mapping[str, Any] = {}  # arguments and sizes of what its header describes
    reads_values = False  # whether `forward` looks at values, which the meta device has none of
    not_exported: str = ""  # why there is no graph of it, as in "X looks its counts up, which ..."

    def __init__(
        self,
        optimizer: OptimizerCallable = adam,
        lr_scheduler: LRSchedulerCallable | None = None,
        schedule_interval: Literal["epoch", "step"] = "epoch",
        weight_decay: float = 0.0,
        metrics: Sequence[str | dict[str, Any]] = (),
        monitor: str | None = None,
    ) -> None:
        super().__init__()
        in_bounds(0, weight_decay=weight_decay)
        self.metrics = tuple(metrics)
        self._chosen = made(self.metrics, self.judges)
        if monitor:
            self.monitor, self.monitor_mode = monitor, self._end_of(monitor)
        self.optimizer = optimizer
        self.lr_scheduler = lr_scheduler
        self.schedule_interval = schedule_interval
        self.weight_decay = weight_decay
        self._window, self._epoch = RunningMeans(), RunningMeans()
        self._sums: dict[str, SumMetric] = {}
        self._key = 0
        self._whole_mean = WholeMean()
        self._finite = FiniteSteps()
        self._objective: BatchObjective | None = None
        self._begun: dict[str, Any] | None = None  # the checkpoint that a run goes on from

    def __setattr__(self, name: str, value: Any) -> None:
        """Sets text and None directly: Lightning notes the running hook some 40 times a step.

        What is in `__dict__` is no parameter, buffer or module, which `nn.Module` would look for.
        """
        if (value is None or type(value) is str) and name in self.__dict__:
            self.__dict__[name] = value
        else:
            super().__setattr__(name, value)

    def step(self, batch: Any) -> Step:
        """Loss and metrics of one batch; a family's task writes it."""
        raise TypeError(f"{type(self).__name__} does not say what a step is")

    @classmethod
    def example(cls, rows: int = 1) -> tuple[Any, ...]:
        """Returns a batch of random rows of its `example_sizes`; a family's task writes it."""
        raise TypeError(f"{cls.__name__} does not say what a batch is")

    def forward_inputs(self, batch: tuple[Any, ...]) -> tuple[Any, ...]:
        """Returns what `forward` takes of a batch: its first parts, as many as it has arguments."""
        return batch[: len(inspect.signature(self.forward).parameters)]

    def derived(self, means: dict[str, Tensor]) -> dict[str, Tensor]:
        """The means over rows, and what follows from them (a root, an exponential)."""
        return means

    def pictures(self, folder: Path) -> list[Callback]:
        """The callbacks that draw what this task shows, into `folder`; for the command."""
        return []

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        step = self.step(batch)
        self._window.update(step.loss, step.sums, step.size, step.counted)
        if self._whole_mean.alone:
            return step.loss
        count = step.size if step.counted is None else step.counted
        dealt = self.trainer.overfit_batches  # type: ignore[attr-defined]  # as in evaluation
        differ = step.counted is not None or isinstance(step.size, Tensor) or dealt > 0
        return self._whole_mean.weighted(step.loss, count, differ)

    # Lightning inspects the signature at every step; this saves working it out, 20 us.
    training_step.__signature__ = inspect.signature(training_step)  # type: ignore[attr-defined]

    def validation_step(self, batch: Any, batch_idx: int) -> dict[str, Any] | None:
        return self.measure(batch)

    def test_step(self, batch: Any, batch_idx: int) -> dict[str, Any] | None:
        return self.measure(batch)

    def on_validation_epoch_start(self) -> None:
        # Not MeanMetric: it ignores the weights where it does not look for nan.
        counts = () if self.counts_rows else (COUNT,)
        names = ("size", "loss", *counts, *self.metric_names)
        self._sums = {name: SumMetric(nan_strategy="disable").to(self.device) for name in names}
        if self.metrics:
            classes = self.hparams.get("num_classes", 0)
            chosen = made(self.metrics, self.judges, classes)
            self._chosen = {name: metric.to(self.device) for name, metric in chosen.items()}

    on_test_epoch_start = on_validation_epoch_start

    def on_validation_epoch_end(self) -> None:
        self.log_means("val")
        trainer = self.trainer
        if (
            trainer.state.fn == TrainerFn.FITTING
            and not trainer.sanity_checking
            and is_due(trainer)
        ):
            step_plateaus(trainer, "val")

    def on_test_epoch_end(self) -> None:
        self.log_means("test")

    def measure(self, batch: Any) -> dict[str, Any] | None:
        """Adds a batch to the sums of an evaluation; a family that measures more extends it.

        An empty batch keeps the ranks in step and adds nothing.

        Returns:
            The predictions of the rows, for pictures; None for an empty batch.
        """
        if len(batch[0]) == 0:
            for metric in self._sums.values():
                metric.update(0.0)
            return None
        step = self.step(batch)
        size = torch.as_tensor(step.size)
        sums = {"size": size, "loss": step.loss * size, **step.sums}
        if step.counted is not None:
            sums["loss"] = step.loss * at_least_one(step.counted)
            sums[COUNT] = torch.as_tensor(step.counted)
        for name, value in sums.items():
            self._sums[name].update(value)
        if step.judged:
            for chosen in self._chosen.values():
                chosen.update(*step.judged)
        return {"predictions": step.predictions}

    def log_means(self, stage: str) -> None:
        """Logs the means of an evaluation over the rows of all ranks, as `<stage>/<metric>`.

        A family that measures whole evaluations extends it. Called by every rank.

        Args:
            stage: `val` or `test`.
        """
        sums = {name: metric.compute() for name, metric in self._sums.items()}
        found = self.derived(means(sums, sums.pop("size")))
        self.log_dict({f"{stage}/{name}": each.compute() for name, each in self._chosen.items()})
        logged = {f"{stage}/{name}": value for name, value in found.items()}
        self.log_dict(logged, prog_bar=True, sync_dist=True)

    def _end_of(self, metric: str) -> Literal["min", "max"]:
        """The better end of a metric: the largest accuracy, the smallest loss."""
        name = metric.rpartition("/")[2]
        if name in self._chosen:
            return "min" if self._chosen[name].higher_is_better is False else "max"
        if metric == type(self).monitor:
            return type(self).monitor_mode
        return "max" if name in ("accuracy", "bleu", "map") else "min"

    @property
    def epoch_rows(self) -> int:
        """Number of training examples of this epoch so far, on this rank."""
        return int(self._epoch.size) + int(self._window.size)

    def on_fit_start(self) -> None:
        """Has a run that goes on from a checkpoint take its own options; before that is loaded."""
        if self._begun:
            take_options(self._begun, self.trainer)

    def on_train_start(self) -> None:
        seed = int(os.environ.get("PL_GLOBAL_SEED", "0"))
        self._key = (seed * 1_000_003 + self.global_rank) * 1_000_000_007
        begin(self.trainer)
        if self._begun:
            refuse_other_batches(self._begun, self.trainer)
        self._begun = None
        refuse_outlasting(self.trainer, self.schedule_length)

    def on_train_batch_start(self, batch: Any, batch_idx: int) -> None:
        """Keys the generators by seed, rank and batches done: dropout is the same after a resume.

        Not `torch.manual_seed`, which takes 0.15 to 0.4 ms a call on a CUDA build. Sums start with
        the first batch of an epoch; a run that goes on within one has them from its checkpoint.
        """
        if batch_idx == 0:
            self._window.reset()
            self._epoch.reset()
        trainer = self.trainer
        parts = trainer.accumulate_grad_batches
        self._whole_mean.begin(batch_idx % parts, parts, trainer.world_size)
        key = (self._key + batches_begun(trainer)) % 2**63
        torch.default_generator.manual_seed(key)
        if self._objective:
            self._objective.batch = batch
        if self.device.type == "cuda":
            torch.cuda.default_generators[self.device.index].manual_seed(key)

    def on_before_optimizer_step(self, optimizer: torch.optim.Optimizer) -> None:
        self._whole_mean.correct(optimizer)
        self._finite.check(self, optimizer)

    def on_train_batch_end(self, outputs: Any, batch: Any, batch_idx: int) -> None:
        every = self.trainer.log_every_n_steps  # type: ignore[attr-defined]
        if every and self.global_step % every == 0 and self._window.size:
            self._log_window()

    def _log_window(self) -> None:
        """Where a logger or a bar shows it: what is logged once costs each further step."""
        if self.trainer.loggers or self.trainer.progress_bar_callback:
            logged = {f"train/{name}": mean for name, mean in self._means(self._window).items()}
            self.log_dict(logged, on_step=True, on_epoch=False, prog_bar=True, sync_dist=True)
        self._epoch.merge(self._window)
        self._window.reset()

    def on_train_epoch_end(self) -> None:
        whole = RunningMeans()  # the parts stay: the run may end here, within an epoch
        whole.merge(self._epoch)
        whole.merge(self._window)
        logged = {f"train/{name}_epoch": mean for name, mean in self._means(whole).items()}
        self.log_dict(logged, sync_dist=True)
        if is_last_batch(self.trainer):
            step_plateaus(self.trainer, "train")

    def _means(self, running: RunningMeans) -> dict[str, Tensor]:
        """Means over the rows of all ranks, and what follows from them."""
        total = partial(self.trainer.strategy.reduce, reduce_op="sum")
        return self.derived(running.compute(total))

    def lr_ratio(self, name: str) -> float:
        """By what the learning rate of the parameter `name` is multiplied."""
        return 1.0

    def configure_optimizers(self) -> Any:
        return self.configured(self, self.optimizer, self.lr_scheduler)

    def configured(
        self,
        network: nn.Module,
        make_optimizer: OptimizerCallable,
        make_scheduler: LRSchedulerCallable | None,
    ) -> Any:
        """Returns the optimizer of a network's parameters, with its schedule if there is one.

        Raises:
            InputError: The optimizer cannot train as the trainer is set.
        """
        groups = parameter_groups(network, self.weight_decay, self.lr_ratio)
        optimizer: Any = optimizer_of(self, make_optimizer, groups, self.weight_decay)
        if is_second_order(optimizer):
            optimizer.objective = self._objective = BatchObjective(self)
        watched = (self.monitor, self.monitor_mode)
        length, interval = self.schedule_length, self.schedule_interval
        return with_schedule(optimizer, make_scheduler, length, interval, *watched)

    def lr_scheduler_step(self, scheduler: Any, metric: Any) -> None:
        """Steps a schedule; those that watch a metric are stepped where it is measured."""
        if isinstance(scheduler, ReduceLROnPlateau):
            return
        with without_lr_ratios(scheduler.optimizer):
            super().lr_scheduler_step(scheduler, metric)

    def schedule_length(self) -> int:
        """Returns the number of schedule steps of a run; a family that takes fewer overrides it."""
        if self.schedule_interval == "epoch":
            return run_epochs(self.trainer, self.trainer.accumulate_grad_batches)
        return optimizer_steps(self.trainer)

    def save_hyperparameters(
        self, *args: Any, frame: FrameType | None = None, **options: Any
    ) -> None:
        """Saves the arguments of `__init__` but for callables: a checkpoint holds plain data only.

        Callables given in Python are kept as text by `on_save_checkpoint`; the command hands on
        their configuration, which is plain data already.
        """
        current = inspect.currentframe()
        frame = frame or (current.f_back if current else None)
        super().save_hyperparameters(*args, frame=frame, **options)
        callables = [name for name, value in self.hparams.items() if callable(value)]
        if callables:
            self.remove_ignored_hparams(callables)
            super().save_hyperparameters(*args, frame=frame, ignore=callables, **options)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        cls, corpus = type(self), datamodule_of(self.trainer)
        checkpoint["zoo"] = {
            **checkpoint.get("zoo", {}),
            "version": zoo_version(),
            "format": CHECKPOINT_FORMAT,
            "class_path": f"{cls.__module__}.{cls.__qualname__}",
            "corpus": type(corpus).__qualname__ if corpus else None,
            "optimizer": repr(self.optimizer),
            "lr_scheduler": repr(self.lr_scheduler),
            "window": self._window.state_dict(),
            "epoch": self._epoch.state_dict(),
            "validating": bool(self.trainer.validating),
            "run": circumstances(self.trainer),
        }

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        with suppress(RuntimeError):  # there is no trainer
            if self.trainer.precision == "64-true":  # Lightning does it once float32 has rounded
                self.double()
            if self.trainer.training:
                restate(checkpoint, self.trainer.accumulate_grad_batches)
                self._begun = checkpoint
                if self.trainer.strategy.restore_checkpoint_after_setup:
                    self.on_fit_start()
        state = checkpoint.get("zoo")
        if state:
            self._window.load_state_dict(state["window"], self.device)
            self._epoch.load_state_dict(state["epoch"], self.device)
