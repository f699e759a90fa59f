"""run.json: how long a run took, how fast it was, and how much memory it wanted."""

import json
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import lightning
import psutil
import torch
from lightning.pytorch import Callback, LightningModule, Trainer

from zoo.errors import InputError, StoppedError
from zoo.files import write_json
from zoo.runs.wandb_logger import KEY, RedactedWandbLogger
from zoo.training.corpus import corpus_of
from zoo.training.loop_progress import batches_begun, batches_of_epoch, is_last_batch
from zoo.version import zoo_version

FILE = "run.json"


class Described(Protocol):
    """A corpus that says what was read of it.

    Attributes:
        described: Title and share, in a few words.
    """

    @property
    def described(self) -> str: ...


@runtime_checkable
class CountsRows(Protocol):
    """A model that counts its training examples.

    Attributes:
        epoch_rows: Number of those of this epoch so far, on this rank.
    """

    @property
    def epoch_rows(self) -> int: ...


class RunRecord(Callback):
    """Writes what a run cost into its folder, whole or not at all, after each epoch and at the end.

    `seconds` are those since training began, with validation and checkpoints. `train_rows` are
    those behind the means of `Task` (pictures; of texts tokens; of word vectors words told), of all
    processes, `train_seconds` those spent on them, without validation, and `rows_per_second` is
    their ratio. All are summed over the tries of a job that goes on in its folder; of an epoch that
    did not end only a single process knows the rows. `peak_memory_bytes` is the most that the first
    process had: on its GPU in training, else in all since it was started. `corpus` is what was read
    of which. `state` is running,
    finished, stopped (by a signal) or failed; a process that was killed leaves "running".

    Args:
        folder: Of the run.
    """

    # Lightning spends some 30 us a step on the hooks of each callback, used or not; what cannot be
    # called it passes by.
    on_train_batch_start = on_train_batch_end = None  # type: ignore[assignment]
    on_before_zero_grad = on_before_optimizer_step = None  # type: ignore[assignment]
    on_before_backward = on_after_backward = None  # type: ignore[assignment]
    on_validation_batch_start = on_validation_batch_end = None  # type: ignore[assignment]

    def __init__(self, folder: Path) -> None:
        self.path = folder / FILE
        self.record: dict[str, Any] = {}
        self._earlier = self._began = 0.0  # seconds of earlier tries; when this one began
        self._trained = 0.0  # seconds of this epoch without validation, until _since
        self._since: float | None = None  # None while nothing is trained
        self._rows_before = 0  # of this epoch in an earlier try
        self._batches = 0  # ever done when validation began
        self._done = 0  # batches when the epoch, or what is left of it, began
        self.failure = ""  # why the record could not be written

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        device = trainer.strategy.root_device
        on_gpu = device.type == "cuda"
        if on_gpu:
            torch.cuda.reset_peak_memory_stats(device)
        earlier = self._read()
        self._earlier, self._began = float(earlier.get("seconds", 0)), time.perf_counter()
        self.record = {
            "state": "running",
            "started": earlier.get("started") or _now(),
            "updated": _now(),
            "tries": int(earlier.get("tries", 0)) + 1,
            "epochs": trainer.current_epoch,
            "seconds": self._earlier,
            "train_rows": int(earlier.get("train_rows", 0)),
            "train_seconds": float(earlier.get("train_seconds", 0)),
            "rows_per_second": earlier.get("rows_per_second"),
            "peak_memory_bytes": None,
            "peak_memory_of": "gpu" if on_gpu else "process",
            "device": torch.cuda.get_device_name(device) if on_gpu else device.type,
            "threads": torch.get_num_threads(),
            "world_size": trainer.world_size,
            "corpus": corpus.described if (corpus := corpus_of(trainer, Described)) else None,
            "versions": {
                "zoo": zoo_version(),
                "torch": str(torch.__version__),
                "lightning": str(lightning.__version__),
            },
        }
        self._write(trainer)
        # Lightning does not say that an epoch starts where a run goes on within one.
        self.on_train_epoch_start(trainer, pl_module)
        if batches_of_epoch(trainer):
            self._rows_before = _rows(pl_module)  # known from the checkpoint

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._rows_before = 0
        self._trained, self._batches, self._done = 0.0, -1, batches_begun(trainer)
        self._since = _clock(trainer)

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._batches = batches_begun(trainer)
        self._pause(trainer)

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._since = time.perf_counter()

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if batches_begun(trainer) == self._batches:
            self._since = None  # since the validation checkpoints were saved, nothing was trained
        self._pause(trainer)
        rows = torch.tensor(_rows(pl_module) - self._rows_before, device=pl_module.device)
        self._count(int(trainer.strategy.reduce(rows, reduce_op="sum")))
        self.record["epochs"] = trainer.current_epoch + is_last_batch(trainer)
        self._write(trainer)

    def on_save_checkpoint(
        self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Has the run that resumes from it continue the run of W&B."""
        for logger in trainer.loggers:
            if isinstance(logger, RedactedWandbLogger) and logger.version:
                checkpoint[KEY] = logger.version

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._end(trainer, "finished")

    def on_exception(
        self, trainer: Trainer, pl_module: LightningModule, exception: BaseException
    ) -> None:
        if not self.record:
            return
        begun = batches_begun(trainer) > self._done
        if begun and self._since is not None and trainer.world_size == 1:
            # What others did of the epoch is not asked: they may be gone.
            self._trained += time.perf_counter() - self._since
            self._count(_rows(pl_module) - self._rows_before)
        stopped = isinstance(exception, StoppedError | KeyboardInterrupt | SystemExit)
        self._end(trainer, "stopped" if stopped else "failed")

    def _pause(self, trainer: Trainer) -> None:
        if self._since is not None:
            self._trained += _clock(trainer) - self._since
        self._since = None

    def _count(self, rows: int) -> None:
        """Adds an epoch, or what was done of it."""
        record = self.record
        record["train_rows"] += rows
        record["train_seconds"] += self._trained
        if record["train_rows"] and record["train_seconds"]:
            record["rows_per_second"] = record["train_rows"] / record["train_seconds"]

    def _end(self, trainer: Trainer, state: str) -> None:
        self.record["state"] = state
        self._write(trainer)
        for logger in trainer.loggers if trainer.is_global_zero else ():
            if isinstance(logger, RedactedWandbLogger):
                logger.summarize({"run": self.record})

    def _read(self) -> dict[str, Any]:
        """What an earlier try left, if it is whole."""
        try:
            record = json.loads(self.path.read_text(encoding="utf-8"))
            summed = [
                record[name] + 0 for name in ("tries", "seconds", "train_rows", "train_seconds")
            ]
        except (OSError, ValueError, LookupError, TypeError):
            return {}
        return record if min(summed) >= 0 else {}

    def _write(self, trainer: Trainer) -> None:
        """Writes the record; a full disk ends no run."""
        if not trainer.is_global_zero:
            return
        self.record["updated"] = _now()
        self.record["seconds"] = self._earlier + time.perf_counter() - self._began
        self.record["peak_memory_bytes"] = _peak_memory(trainer.strategy.root_device)
        try:
            write_json(self.path, self.record)
        except InputError as error:
            self.failure = self.failure or str(error)


def _rows(module: LightningModule) -> int:
    """Returns the training examples of this epoch so far, on this rank; 0 if it counts none."""
    return module.epoch_rows if isinstance(module, CountsRows) else 0


def _clock(trainer: Trainer) -> float:
    """Seconds, read when the device has done what it was given."""
    device = trainer.strategy.root_device
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter()


def _peak_memory(device: torch.device) -> int:
    """Bytes."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    info = psutil.Process().memory_info()
    if hasattr(info, "peak_wset"):  # on Windows, which has no `resource`; psutil knows no other
        return info.peak_wset
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024  # Linux counts kibibytes


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
