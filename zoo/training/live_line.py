"""Progress on a terminal: one line that lives, above it a line for each epoch that ended."""

import time
from collections import deque
from collections.abc import Iterator, Sequence
from math import inf, isfinite
from typing import Any

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import ProgressBar, Timer
from lightning.pytorch.trainer.states import TrainerFn
from rich.console import Console
from rich.live import Live
from rich.text import Text

from zoo.runs.rounding import rounded
from zoo.training.loop_progress import batches_begun, batches_of_epoch
from zoo.training.progress import EpochLines

PERIOD = 0.2  # seconds between two looks
WINDOW = 5.0  # seconds over which the rate is measured


class LiveLine(EpochLines, ProgressBar):
    """Shows the epoch, the step, the loss, the validation metric, the rate and the time left.

    The time left is that of the whole run, validations included, by the speed so far; of a run
    that may end early it is the most that it takes. It is drawn at most five times a second, by
    no thread: a line that stands still is a run that stands still.

    Args:
        console: Console of the terminal.
    """

    def __init__(self, console: Console) -> None:
        ProgressBar.__init__(self)
        EpochLines.__init__(self)
        self._console = console
        self._live: Live | None = None
        self._enabled = True
        self._due = 0.0  # when it is drawn next
        self._first: tuple[float, int] | None = None  # when a batch had ended, and the batches then
        self._rate = ""
        self._rows: deque[tuple[float, float]] = deque()  # times, and the rows of the epoch then

    def disable(self) -> None:
        self._enabled = False
        self.close()

    def enable(self) -> None:
        self._enabled = True

    def line(self, parts: Sequence[str]) -> str:
        return "  ".join(shortened(parts, self._console.width))

    def say(self, text: str) -> None:
        """Shows what is waited for."""
        self._show(f"{text} ...")

    def close(self) -> None:
        """Takes the line away."""
        if self._live:
            self._live.stop()
        self._live = None

    def on_sanity_check_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.say("trying the validation on a few batches")

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        super().on_train_start(trainer, pl_module)
        self._first = None
        self._rows.clear()
        self.say("waiting for the first batch")

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        super().on_train_epoch_start(trainer, pl_module)
        self._rows.clear()
        if self._first:  # the first batch takes longer than those that follow
            self._rows.append((time.monotonic(), 0))

    def on_train_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
    ) -> None:
        now = time.monotonic()
        if self._first is None:
            self._first = now, batches_begun(trainer)
        if now >= self._due:
            loss = outputs.get("loss") if isinstance(outputs, dict) else outputs
            self._show(*_training(trainer, pl_module, loss), *self._pace(trainer, pl_module, now))

    def on_validation_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        self._rows.clear()
        if trainer.sanity_checking:
            return
        epoch = [_epoch(trainer)] if trainer.state.fn == TrainerFn.FITTING else []
        self._evaluated(trainer, epoch, "validation", batch_idx, trainer.num_val_batches)

    def on_test_batch_end(self, trainer: Trainer, *rest: Any) -> None:
        self._evaluated(trainer, [], "test", rest[3], trainer.num_test_batches)

    def on_predict_batch_end(self, trainer: Trainer, *rest: Any) -> None:
        self._evaluated(trainer, [], "prediction", rest[3], trainer.num_predict_batches)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        super().on_train_end(trainer, pl_module)
        self.say("finishing")

    def on_exception(
        self, trainer: Trainer, pl_module: LightningModule, exception: BaseException
    ) -> None:
        self.close()

    def teardown(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        self.close()

    def _evaluated(
        self, trainer: Trainer, before: list[str], name: str, index: int, batches: Any
    ) -> None:
        if time.monotonic() >= self._due:
            total = sum(batches) if isinstance(batches, list) else batches
            left = self._left(trainer, time.monotonic()) if before else []
            self._show(*before, f"{name} {_of(index + 1, total)}", *left)

    def _pace(self, trainer: Trainer, model: LightningModule, now: float) -> Iterator[str]:
        """Yields the rate, of all processes, and the time left."""
        rows = getattr(model, "epoch_rows", None)
        done = batches_of_epoch(trainer) if rows is None else rows * trainer.world_size
        unit = "batches/s" if rows is None else "rows/s"
        self._rows.append((now, done))
        while now - self._rows[0][0] > WINDOW and len(self._rows) > 2:
            self._rows.popleft()
        (then, before), (latest, after) = self._rows[0], self._rows[-1]
        if latest > then:
            rate = (after - before) / (latest - then)
            self._rate = f"{rate:,.{0 if rate >= 100 else 1}f} {unit}"
        if self._rate:
            yield self._rate
        yield from self._left(trainer, now)

    def _left(self, trainer: Trainer, now: float) -> list[str]:
        if self._first is None:
            return []
        begun, first = self._first
        done = batches_begun(trainer) - first
        seconds = (now - begun) / done * batches_left(trainer) if done > 0 else inf
        timers = (c.time_remaining() for c in trainer.callbacks if isinstance(c, Timer))  # type: ignore[attr-defined]
        seconds = min([seconds, *(each for each in timers if each is not None)])
        return [f"{clock(seconds)} left"] if isfinite(seconds) else []

    def _show(self, *parts: str) -> None:
        if not self._enabled:
            return
        if self._live is None:
            self._live = Live(
                console=self._console, auto_refresh=False, transient=True, redirect_stderr=False
            )
            self._live.start()
            self._console.show_cursor(True)
        self._live.update(Text(fitting(parts, self._console.width - 1), no_wrap=True), refresh=True)
        self._due = time.monotonic() + PERIOD


def _training(trainer: Trainer, model: LightningModule, loss: Any) -> Iterator[str]:
    """Yields the epoch, the step within it, the loss and the last validation metric."""
    yield _epoch(trainer)
    yield f"step {_of(batches_of_epoch(trainer), trainer.num_training_batches)}"
    metrics = trainer.callback_metrics
    mean = trainer.progress_bar_metrics.get("train/loss", loss)
    if isinstance(mean, int | float) or getattr(mean, "numel", lambda: 0)() == 1:
        yield f"train/loss {rounded(float(mean))}"
    wanted = getattr(model, "monitor", None)
    known = [name for name in metrics if name.startswith("val")]
    if name := wanted if wanted in known else next(iter(known), None):
        yield f"{name} {rounded(float(metrics[name]))}"


def _epoch(trainer: Trainer) -> str:
    most = trainer.max_epochs
    return f"epoch {_of(trainer.current_epoch + 1, most if most and most > 0 else inf)}"


def _of(number: int, total: float) -> str:
    return f"{number:,}/{int(total):,}" if isfinite(total) else f"{number:,}"


def batches_left(trainer: Trainer) -> float:
    """Returns the number of batches until the end of the run, as far as its options tell it."""
    left, per_epoch = inf, trainer.num_training_batches
    if trainer.max_epochs is not None and trainer.max_epochs > 0:
        whole = (trainer.max_epochs - trainer.current_epoch) * per_epoch
        left = max(0.0, whole - batches_of_epoch(trainer))
    if trainer.max_steps > 0 and trainer.global_step:
        steps = trainer.global_step / batches_begun(trainer)  # of a batch
        left = min(left, max(0.0, trainer.max_steps - trainer.global_step) / steps)
    return left


def clock(seconds: float) -> str:
    """Such as 0:07, 12:30 or 3:04:05."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def shortened(parts: Sequence[str], width: int) -> list[str]:
    """Returns the parts of a line, in fewer words where it would be too wide."""
    words = list(parts)
    for name, short in (
        ("_epoch", ""),
        ("train/loss", "loss"),
        ("validation", "val"),
        ("step ", ""),
    ):
        if len("  ".join(words)) <= width:
            break
        words = [word.replace(name, short) for word in words]
    return words


def fitting(parts: Sequence[str], width: int) -> str:
    """Returns the parts in one line, shortened; where it is too narrow the last one stays."""
    words = shortened(parts, width)
    while len("  ".join(words)) > width and len(words) > 2:
        del words[-2]
    return "  ".join(words)[:width]
