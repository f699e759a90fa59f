"""Runs the trials of a sweep in processes, some at a time, and watches what they log."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from zoo.cli.names import listed, suggestion
from zoo.cli.sweep.file import Sweep
from zoo.cli.sweep.study import Study, Trial
from zoo.errors import InputError, StoppedError
from zoo.runs.history import Run, read
from zoo.training.signals import GRACE, SignalListener

PAUSE = 0.2  # seconds between two looks at the trials
COMMAND = (sys.executable, "-m", "zoo.cli.trial")
Say = Callable[[Trial, str], None]
Look = Callable[[Sequence[Trial]], None]


@dataclass
class Slot:
    """A place for one trial at a time.

    Attributes:
        environment: Variables of its trials: the GPU that is theirs.
        child: What runs in it.
    """

    environment: dict[str, str]
    child: "Child | None" = None


@dataclass
class Child:
    """A trial that runs.

    Attributes:
        trial: Which one.
        folder: Of its run.
        process: Leader of a group of processes.
        log: What it prints.
        begun: When this try began, and with how many seconds of earlier ones behind it.
        last: The checkpoint that it goes on from.
        seen: When the metrics were written that were read last.
        stopped: When it was told to end, as it lags behind.
    """

    trial: Trial
    folder: Path
    process: subprocess.Popen[bytes]
    log: Path
    begun: float
    last: Path | None = None
    seen: int = 0
    stopped: float | None = None


class Runner:
    """Runs trials until the study has no more.

    Args:
        study: Says which, and hears how they go.
        plan: The sweep file.
        folder: Of the sweep.
        options: Of every trial, after those of the plan.
        slots: Environments of the trials that run at a time.
        say: Is told of each trial and what happened to it.
        look: Is shown the trials that run, again and again.
    """

    def __init__(
        self,
        study: Study,
        plan: Sweep,
        folder: Path,
        options: Sequence[str],
        slots: Sequence[dict[str, str]],
        say: Say,
        look: Look = lambda running: None,
    ) -> None:
        self.study, self.plan, self.folder = study, plan, folder
        self.options, self.say, self.look = options, say, look
        self.slots = [Slot(environment) for environment in slots]

    def run(self) -> None:
        """Returns when all trials have ended.

        Raises:
            StoppedError: By a signal; the trials that ran are ended, and go on when the sweep does.
            InputError: A trial finished without the metric.
        """
        with self._ended_in_any_case() as listener:
            while True:
                for slot in self.slots:
                    if slot.child is None and (trial := self.study.next(at_once=len(self.slots))):
                        slot.child = self._start(trial, slot, self._resumable(trial))
                if not any(slot.child for slot in self.slots):
                    return
                time.sleep(PAUSE)
                if listener.received in (signal.SIGINT, signal.SIGTERM):
                    raise StoppedError(
                        listener.received, "stopped; the same command goes on with the sweep"
                    )
                for slot in self.slots:
                    if slot.child:
                        self._watch(slot, slot.child)
                self.look([slot.child.trial for slot in self.slots if slot.child])

    @contextmanager
    def _ended_in_any_case(self) -> Iterator[SignalListener]:
        """Listens to signals, and leaves no trial behind."""
        listener = SignalListener()
        listener.listen()
        try:
            yield listener
        finally:
            children = [slot.child for slot in self.slots if slot.child]
            for child in children:
                _signal(child, signal.SIGTERM)
            end = time.monotonic() + GRACE
            for child in children:
                with suppress(subprocess.TimeoutExpired):
                    child.process.wait(max(0.0, end - time.monotonic()))
                _clear(child)
            listener.stop()

    def _resumable(self, trial: Trial) -> Path | None:
        """The last checkpoint, where the trial ends from there as it would have.

        That is where it logged the metric of all epochs that it finished.
        """
        folder = self.folder / str(trial.number)
        path = folder / "checkpoints" / "last.ckpt"
        if not path.is_file():
            return None
        from zoo.checkpoints.checkpoint import read as read_checkpoint

        try:
            loops = read_checkpoint(path)["loops"]["fit_loop"]
            finished = loops["epoch_progress"]["current"]["processed"]
            lines = read(folder, folder.name).logged(self.study.metric.name) if finished else []
        except (InputError, KeyError):
            return None
        if finished and not lines:
            return None
        return path if not finished or lines[-1].get("epoch", -1) >= finished - 1 else None

    def _start(self, trial: Trial, slot: Slot, last: Path | None) -> Child:
        folder = self.folder / str(trial.number)
        arguments = [*self.plan.arguments(dict(trial.values)), *self.options]
        if last:
            self.say(trial, f"goes on from {last}")
            arguments += ["--ckpt_path", str(last)]
        log = self.folder / "logs" / f"{folder.name}.txt"
        environment = {**os.environ, **self.plan.environment, **slot.environment}
        environment.setdefault("WANDB_RUN_GROUP", self.plan.name)
        for key in {"project", "entity"} & self.plan.config.keys():
            environment[f"WANDB_{key.upper()}"] = self.plan.config[key]
        for name in ("ZOO_RUN", "PL_GLOBAL_SEED"):
            environment.pop(name, None)
        with log.open("ab") as output:
            process = subprocess.Popen(
                [*COMMAND, str(folder), *arguments],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=environment,
                start_new_session=True,  # a Ctrl-C is the sweep's, which ends its trials itself
            )
        return Child(trial, folder, process, log, time.monotonic() - trial.seconds, last)

    def _watch(self, slot: Slot, child: Child) -> None:
        """Reads what a trial has logged; stops it, or says that it has ended."""
        code = child.process.poll()
        trial = child.trial
        trial.seconds = time.monotonic() - child.begun
        run = self._logged(child)
        if run and self.study.report(trial) and code is None and child.stopped is None:
            _signal(child, signal.SIGTERM)
            child.stopped = time.monotonic()
        if child.stopped and time.monotonic() - child.stopped > GRACE:
            _signal(child, signal.SIGKILL)
        if code is None:
            return
        _clear(child)
        slot.child = None
        if code == 2 and child.last:  # it was at its end, or is another model's: from the start
            slot.child = self._start(trial, slot, None)
            return
        trial.state = "finished" if code == 0 else "pruned" if child.stopped else "failed"
        missing = code == 0 and not trial.history
        if missing:
            trial.state, trial.reason = "failed", f"logged no {self.study.metric.name}"
        elif code == 0 and trial.result(self.study.metric) is None:
            trial.state, trial.reason = "failed", f"{self.study.metric.name} was never finite"
        elif trial.state == "failed":
            trial.reason = f"exit {code}: {_last_line(child.log)}"
        self.study.finish(trial)
        self.say(trial, trial.state)
        if missing:
            raise InputError(self._unlogged(trial, child))

    def _logged(self, child: Child) -> Run | None:
        """What a trial has logged, if there is more than there was."""
        try:
            written = max(path.stat().st_mtime_ns for path in child.folder.glob("metrics*.csv"))
            if written == child.seen:
                return None
            run = read(child.folder, child.folder.name)
        except (OSError, ValueError):  # nothing yet, or half a line
            return None
        child.seen = written
        name = self.study.metric.name
        child.trial.history = [line[name] for line in run.logged(name)]
        child.trial.epochs = run.epochs
        return run

    def _unlogged(self, trial: Trial, child: Child) -> str:
        with suppress(InputError):
            lines = read(child.folder, child.folder.name).lines
            known = {name for line in lines for name in line} - {"epoch", "step"}
            near = suggestion(self.study.metric.name, known)
            return (
                f"{self.plan.path}: metric.name: trial {trial.number} logged no "
                f"{self.study.metric.name}{near}; it logged: {listed(known)}"
            )
        return f"{self.plan.path}: trial {trial.number} logged nothing: see {child.log}"


def _signal(child: Child, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        child.process.send_signal(number)


def _clear(child: Child) -> None:
    """Ends what a trial may have left of the processes that it started, and itself."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(child.process.pid, signal.SIGKILL)
    child.process.wait()


def _last_line(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    said = [line.strip() for line in lines if line.strip()]
    return said[-1].removeprefix("zoo: ")[:200] if said else "it said nothing"
