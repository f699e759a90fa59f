"""Plain progress where there is no terminal: one line an epoch."""

import time
from collections.abc import Sequence

from lightning.pytorch import Callback, LightningModule, Trainer


class EpochLines(Callback):
    """Prints a line for each epoch, once all its metrics are known."""

    def __init__(self) -> None:
        self.start = self.seconds = 0.0

    def line(self, parts: Sequence[str]) -> str:
        """Returns what is said of an epoch as a line."""
        return "  ".join(parts)

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.start = time.perf_counter()  # of an epoch that was begun before, too

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._print(trainer)
        self.start = time.perf_counter()

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.seconds = time.perf_counter() - self.start

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._print(trainer)

    def _print(self, trainer: Trainer) -> None:
        if not self.seconds or not trainer.is_global_zero:
            return
        metrics = trainer.callback_metrics
        names = sorted(metrics)
        own = [name for name in names if name == "train/loss_epoch" or name.startswith("val/")]
        shown = own or names  # of a model of others: all that it logs
        measured = [f"{name} {float(metrics[name]):.4f}" for name in shown]
        done = f"epoch {trainer.current_epoch}/{trainer.max_epochs}"
        print(self.line([done, *measured, f"{self.seconds:.1f} s"]), flush=True)
        self.seconds = 0.0
