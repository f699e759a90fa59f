"""Where a training step spends its time: a trace for a browser, and a report of a page."""

import os
import warnings
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.profilers import PyTorchProfiler
from torch.autograd import DeviceType
from torch.profiler import ProfilerAction, schedule

warnings.filterwarnings("ignore", ".*Profiler clears events at the end of each cycle.*")

HOOK = "[pl][profile]"  # before the names of what Lightning calls
MODULE = "[pl][module]"
STEP = "ProfilerStep"
PARTS = {
    "train_dataloader_next": "data",
    "batch_to_device": "transfer, augmentation",
    "transfer_batch_to_device": "transfer, augmentation",
    "on_before_batch_transfer": "transfer, augmentation",
    "on_after_batch_transfer": "transfer, augmentation",
    "training_step": "forward: training_step",
    "backward": "backward",
    "optimizer_step": "optimizer",
    "optimizer_zero_grad": "optimizer",
    "configure_gradient_clipping": "optimizer",
    "lr_scheduler_step": "optimizer",
}
STARTS = {
    "[Callback]": "callbacks",
    "[LightningModule]": "hooks of the task",
    "[LightningDataModule]": "hooks of the corpus",
    "[Strategy]": "hooks of the strategy",
}
REST = "Lightning's loops, the rest"


class Window(Callback):
    """Which steps are looked at: 10 after 10 that are not, or the later half of a shorter run."""

    def __init__(self) -> None:
        self.waits, self.warms_up, self.records = 5, 5, 10

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Takes fewer steps where there are fewer."""
        ends = [trainer.num_training_batches * (trainer.max_epochs or 1), trainer.max_steps]
        steps = min((end for end in ends if end > 0), default=20)
        self.records = int(min(10, steps // 2))
        self.warms_up = int(min(5, (steps - self.records) // 2))
        self.waits = int(min(5, steps - self.records - self.warms_up))

    def __call__(self, step: int) -> ProfilerAction:
        if not self.records:
            return ProfilerAction.NONE
        once = schedule(wait=self.waits, warmup=self.warms_up, active=self.records, repeat=1)
        return once(step)


class TrainingProfiler(PyTorchProfiler):
    """Torch's profiler for a few steps of a training, by Lightning's; validation is not counted.

    Args:
        folder: Where `trace.json.gz` goes, for chrome://tracing and Perfetto.

    Attributes:
        window: The steps; a callback of the Trainer that is profiled.
        kept: Whether there is a trace.
    """

    STEP_FUNCTIONS = {"training_step"}

    def __init__(self, folder: Path) -> None:
        self.window = Window()
        self.folder = folder
        self.kept = False
        super().__init__(schedule=self.window, on_trace_ready=self._keep)

    def stop(self, action_name: str) -> None:
        with _without_stderr() if action_name.endswith("training_step") else nullcontext():
            super().stop(action_name)

    def describe(self) -> None:
        """Ends; torch would not do so where nothing was recorded."""
        torchs: Any = self.profiler
        with _without_stderr():
            if torchs and not self.kept and torchs.current_action == ProfilerAction.NONE:
                torchs.prepare_trace()
                torchs.start_trace()
                torchs.stop_trace()
            super().describe()

    def _keep(self, profiler: torch.profiler.profile) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        profiler.export_chrome_trace(str(self.folder / "trace.json.gz"))
        self.kept = True

    def report(self) -> str:
        """The shares of a step, and the operators that took longest; "" where nothing was seen."""
        events: Any = (self.kept and self.function_events) or []
        steps = [event for event in events if event.name.startswith(STEP) and _on_cpu(event)]
        if not steps:
            return ""
        first = self.window.waits + self.window.warms_up + 1
        begin = min(step.time_range.start for step in steps)
        end = max(step.time_range.end for step in steps)
        whole = end - begin  # what lies between two steps included, so that shares add up to 1
        lines = [
            f"{len(steps)} steps from step {first} on, of {whole / len(steps) / 1000:.2f} ms, with "
            "what the profiler costs",
            "",
            *_table("part of a step, on the CPU", _shares(events, begin, end), len(steps), whole),
            "",
            *_operators(events, len(steps)),
        ]
        return "\n".join(lines)


@contextmanager
def _without_stderr() -> Iterator[None]:
    """Takes away the lines that kineto, a library in C++, writes where it begins and ends."""
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


def _on_cpu(event: Any) -> bool:
    return event.device_type == DeviceType.CPU


def _shares(events: Any, begin: float, end: float) -> list[tuple[str, float, int]]:
    """Returns the parts of the time from `begin` to `end`, in microseconds, without those within.

    At each moment what began last is what is done: torch's own tree has no place for steps, whose
    ends lie within what Lightning calls a batch.
    """
    hooks = [event for event in events if event.name.startswith(HOOK) and _on_cpu(event)]
    spans = [(max(h.time_range.start, begin), min(h.time_range.end, end), h.name) for h in hooks]
    times = Counter({REST: end - begin})
    moments = sorted({moment for span in spans for moment in span[:2]})
    for start, stop in pairwise(moments):
        running = [span for span in spans if span[0] <= start and stop <= span[1]]
        if running:
            part = _part(max(running, key=lambda span: (span[0], -span[1]))[2])
            times[part] += stop - start
            times[REST] -= stop - start
    order = [*dict.fromkeys([*PARTS.values(), *STARTS.values()]), "validation", REST]
    return [(part, times[part], 0) for part in order if times[part]]


def _part(name: str) -> str:
    """What a hook of Lightning does."""
    name = name.removeprefix(HOOK)
    hook = name.rpartition(".")[2]
    if "validation" in hook or "val_" in hook:
        return "validation"
    if hook in PARTS and not name.startswith("[Callback]"):
        return PARTS[hook]
    return next((part for start, part in STARTS.items() if name.startswith(start)), REST)


def _operators(events: Any, steps: int) -> list[str]:
    """The 15 operators with the most time of their own, on the GPU where there is one."""
    averages = [
        row
        for row in events.key_averages()
        if not row.key.startswith((HOOK, MODULE, STEP, "Optimizer."))
    ]
    on_device = sum(row.self_device_time_total for row in averages) > 0
    name = "self_device_time_total" if on_device else "self_cpu_time_total"
    rows = [(row.key, getattr(row, name), row.count) for row in averages]
    whole = sum(time for _, time, _ in rows)
    top = sorted(rows, key=lambda row: -row[1])[:15]
    return _table(f"operator, on the {'GPU' if on_device else 'CPU'}", top, steps, whole)


def _table(title: str, rows: list[tuple[str, float, int]], steps: int, whole: float) -> list[str]:
    """Lines: what, milliseconds and calls a step, and the share of the whole."""
    lines = [f"{title:<48} {'ms a step':>10} {'share':>7} {'calls':>7}"]
    for name, time, calls in rows:
        called = f"{calls / steps:.4g}" if calls else ""
        line = f"{name[:48]:<48} {time / steps / 1000:>10.3f} {time / whole:>7.1%} {called:>7}"
        lines.append(line.rstrip())
    return lines
