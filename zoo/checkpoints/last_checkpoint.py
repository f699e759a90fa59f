"""last.ckpt: the newest state from which a run can go on exactly."""

import signal
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.trainer.states import TrainerFn

from zoo.errors import NonFiniteError, StoppedError
from zoo.runs.wandb_logger import finish
from zoo.training.finite import can_go_on
from zoo.training.loop_progress import batch_not_begun, is_last_batch
from zoo.training.signals import SIGUSR1, SignalListener, pass_over_signals, requeue, slurm_job


class LastCheckpoint(ModelCheckpoint):
    """Saves each epoch's end, where a signal stops the run, and before a step that is not finite.

    A validation within an epoch is saved too, unless gradients are being gathered. SIGTERM, SIGHUP
    and Ctrl-C stop after the step that is being done, and save; SIGUSR1 saves and goes on, or, in a
    job of SLURM, saves, requeues the job once and stops. Signals are acted on before the next batch
    or epoch begins, by all processes at the same one: what the step makes due comes first, its row
    of metrics, validation, averages, the end of the epoch; and a run that is done ends as ever.

    `ModelCheckpoint(save_last=True)` writes last.ckpt only where the best was written too, and
    loses the epochs after the last validation; Lightning's own handlers save within a step, or not
    at all, and end with 0.

    Args:
        folder: Where it goes.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__(
            dirpath=folder,
            filename="last",
            enable_version_counter=False,
            save_on_train_epoch_end=True,
        )
        self.path = folder / "last.ckpt"
        self._signals = SignalListener()
        self._steps = 0  # done when the last batch that was begun was begun
        self._saved = 0  # steps of last.ckpt
        self._ends = False  # the run, when the step is done

    def on_sanity_check_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        # Not before: Lightning would take the signals over, and give them back.
        self._signals.listen()

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        super().on_train_start(trainer, pl_module)
        self._signals.listen()
        self._steps = self._saved = trainer.global_step
        number = self._received(trainer, pl_module)
        if number and number != SIGUSR1:  # a job that is requeued takes a step in each life
            self._stop(trainer, number, " before its first step")

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.on_train_batch_start(trainer, pl_module, None, 0)

    def on_train_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int
    ) -> None:
        if self._gathers(trainer):
            return
        self._steps = trainer.global_step
        number = self._received(trainer, pl_module)
        if not number:
            return
        if self._saved < self._steps:
            with batch_not_begun(trainer):
                self._save(trainer)
        saved = f"step {self._steps} is saved: --ckpt_path {self.path} goes on from it"
        if number != SIGUSR1 or slurm_job():
            self._stop(trainer, number, f": {saved}")
        self._signals.received = None
        if trainer.is_global_zero:
            print(saved, flush=True)

    def on_train_batch_end(self, trainer: Trainer, *rest: Any) -> None:
        super().on_train_batch_end(trainer, *rest)
        if self._gathers(trainer):  # a checkpoint would lose the gradients
            self._ends |= trainer.should_stop
            trainer.should_stop = False
        elif self._ends:
            trainer.should_stop = True

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        super().on_validation_end(trainer, pl_module)
        training = trainer.state.fn == TrainerFn.FITTING and not trainer.sanity_checking
        if training and not is_last_batch(trainer) and not self._gathers(trainer):
            self._save(trainer)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        super().on_train_epoch_end(trainer, pl_module)
        self._saved = trainer.global_step

    def _gathers(self, trainer: Trainer) -> bool:
        """Whether there was no step yet since a batch was begun, but gradients are added up."""
        return trainer.global_step == self._steps

    def _received(self, trainer: Trainer, pl_module: LightningModule) -> int:
        """Returns the number of the signal that any process received; 0 for none."""
        number = self._signals.received or 0
        if trainer.world_size > 1:
            received = torch.tensor(number, device=pl_module.device)
            number = int(trainer.strategy.reduce(received, reduce_op="max"))
        return number

    def _save(self, trainer: Trainer) -> None:
        trainer.save_checkpoint(self.path)
        self._saved = trainer.global_step

    def _stop(self, trainer: Trainer, number: int, where: str) -> None:
        job = slurm_job() if number == SIGUSR1 else None
        raise StoppedError(number, f"stopped by {signal.Signals(number).name}{where}", job)

    def on_exception(
        self, trainer: Trainer, pl_module: LightningModule, exception: BaseException
    ) -> None:
        super().on_exception(trainer, pl_module, exception)
        self._signals.stop()
        if isinstance(exception, StoppedError) and exception.job:
            pass_over_signals()
            if trainer.is_global_zero:
                finish()  # before SLURM ends W&B's service with all other processes of the job
                exception.args = (f"{exception}; {requeue(exception.job)}",)
        if isinstance(exception, NonFiniteError) and can_go_on(pl_module):
            with batch_not_begun(trainer):
                self._save(trainer)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        super().on_train_end(trainer, pl_module)
        self._signals.stop()
