"""best.ckpt: the state that measured best, also of the run that this one goes on from."""

import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import ModelCheckpoint

from zoo.checkpoints.checkpoint import read
from zoo.errors import InputError
from zoo.files import written_whole
from zoo.training.loop_progress import is_last_batch


class BestCheckpoint(ModelCheckpoint):
    """Saves the best, by a metric; a resumed run in a new folder takes the earlier best over.

    `ModelCheckpoint` forgets its score there, and takes whatever is measured next for the best.

    Args:
        folder: Where it goes.
        monitor: Metric to choose by; None for the newest.
        mode: Which end of it is better, min or max.
    """

    def __init__(self, folder: Path, monitor: str | None, mode: str) -> None:
        super().__init__(
            dirpath=folder,
            filename="best",
            monitor=monitor,
            mode=mode,
            enable_version_counter=False,
        )
        self.path = folder / "best.ckpt"
        self._earlier: dict[str, Any] | None = None  # of a run in another folder
        self._taken: int | None = None  # the step at which this process took its file over

    @property
    def state_key(self) -> str:
        return super().state_key.replace(type(self).__name__, ModelCheckpoint.__name__, 1)

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        # A run whose folder was moved may have had the name that this one has now.
        best = state_dict["best_model_path"]
        if state_dict["dirpath"] == self.dirpath and (not best or Path(best).is_file()):
            super().load_state_dict(state_dict)
        elif self.monitor is not None and state_dict["best_model_score"] is not None:
            self._earlier = state_dict

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        super().on_train_start(trainer, pl_module)
        if self._earlier is None:
            return
        score, found = self._earlier["best_model_score"], False
        if trainer.is_global_zero:
            found = any(self._takes(path, score) for path in self._places(trainer))
            if not found:
                print(
                    f"the best checkpoint so far ({self.monitor} {float(score):.4f}) is not there "
                    "any more: best.ckpt is the best from here on"
                )
        if trainer.strategy.broadcast(found):
            path = str(self.path.resolve())
            self.best_model_path = self.kth_best_model_path = path
            self.best_model_score = self.kth_value = score
            self.best_k_models = {path: score}
        self._earlier, self._taken = None, trainer.global_step if found else None

    def on_exception(
        self, trainer: Trainer, pl_module: LightningModule, exception: BaseException
    ) -> None:
        super().on_exception(trainer, pl_module, exception)
        if isinstance(exception, InputError) and self._taken == trainer.global_step:
            self.path.unlink(missing_ok=True)  # refused before its first step, the run is no run
            with suppress(OSError):
                self.path.parent.rmdir()

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        # An epoch that ended early may have measured nothing yet, of which Lightning would warn.
        if (
            self.monitor is None
            or self.monitor in trainer.callback_metrics
            or is_last_batch(trainer)
        ):
            super().on_train_epoch_end(trainer, pl_module)

    def _places(self, trainer: Trainer) -> Iterator[Path]:
        """Yields where the earlier best may be: the run, or its folder, may have been moved."""
        begun = Path(trainer.ckpt_path or "")
        yield Path((self._earlier or {})["best_model_path"])
        yield begun.with_name("best.ckpt")
        yield begun

    def _takes(self, path: Path, score: Any) -> bool:
        """Copies a checkpoint if it is the one that measured the score; returns whether it is."""
        try:
            state = read(path)["callbacks"][self.state_key]
            measured = state["current_score"]
            if measured is None or measured != score or state["best_model_score"] != score:
                return False
        except (InputError, KeyError):
            return False
        with written_whole(self.path) as partial:
            shutil.copyfile(path, partial)
        return True
