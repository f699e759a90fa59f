"""last.ckpt: the newest state from which a run can go on exactly."""

import signal
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.trainer.states import TrainerFn

from zoo.errors import NonFiniteError, StoppedError
from zoo.training.finite import weights_are_finite
from zoo.training.loop_progress import is_last_batch, undo_batch
from zoo.training.signals import SignalListener, requeue, slurm_job


class LastCheckpoint(ModelCheckpoint):
    """Saves each epoch's end, where a signal stops the run, and before a step that is not finite.

    A validation within an epoch is saved too, unless gradients are being gathered. SIGTERM and
    Ctrl-C stop after the step that is being done, and save; SIGUSR1 saves and goes on, or, in a job
    of SLURM, saves, requeues the job once and stops. Signals are acted on after a step, by all
    processes after the same one; a validation that has begun is finished, and a run whose last step
    is done ends as ever.

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
        self._steps = 0
        self._gathers = False  # gradients, which no checkpoint holds

    def on_sanity_check_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        # Not before: Lightning would take the signals over, and give them back.
        self._signals.listen()

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        super().on_train_start(trainer, pl_module)
        self._signals.listen()
        self._steps = trainer.global_step

    def on_train_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
    ) -> None:
        super().on_train_batch_end(trainer, pl_module, outputs, batch, batch_idx)
        self._gathers = trainer.global_step == self._steps
        if self._gathers or self._is_done(trainer):
            return
        self._steps = trainer.global_step
        number = self._signals.received or 0
        if trainer.world_size > 1:
            received = torch.tensor(number, device=pl_module.device)
            number = int(trainer.strategy.reduce(received, reduce_op="max"))
        if number:
            self._act(trainer, number)

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        super().on_validation_end(trainer, pl_module)
        training = trainer.state.fn == TrainerFn.FITTING and not trainer.sanity_checking
        if training and not is_last_batch(trainer) and not self._gathers:
            trainer.save_checkpoint(self.path)

    def _is_done(self, trainer: Trainer) -> bool:
        """Whether that was the run's last step: it may as well validate and end."""
        epochs = trainer.max_epochs or -1
        last = is_last_batch(trainer) and trainer.current_epoch + 1 == epochs
        return last or 0 < trainer.max_steps <= trainer.global_step

    def _act(self, trainer: Trainer, number: int) -> None:
        trainer.save_checkpoint(self.path)
        saved = f"step {trainer.global_step} is saved: --ckpt_path {self.path} goes on from it"
        job = slurm_job()
        if number == signal.SIGUSR1 and not job:
            self._signals.received = None
            if trainer.is_global_zero:
                print(saved, flush=True)
            return
        requeued = ""
        if number == signal.SIGUSR1 and job and trainer.is_global_zero:
            requeued = f"; {requeue(job)}"
        raise StoppedError(number, f"stopped by {signal.Signals(number).name}: {saved}{requeued}")

    def on_exception(
        self, trainer: Trainer, pl_module: LightningModule, exception: BaseException
    ) -> None:
        super().on_exception(trainer, pl_module, exception)
        self._signals.stop()
        if isinstance(exception, NonFiniteError) and weights_are_finite(pl_module):
            undo_batch(trainer)
            trainer.save_checkpoint(self.path)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        super().on_train_end(trainer, pl_module)
        self._signals.stop()
