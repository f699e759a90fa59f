"""The trials of a sweep on a terminal, as they run."""

import time
from collections.abc import Mapping, Sequence

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from zoo.cli.sweep.file import Metric
from zoo.cli.sweep.parameters import shown
from zoo.cli.sweep.report import ranked
from zoo.cli.sweep.study import Study, Trial
from zoo.runs.comparison.table import duration
from zoo.runs.rounding import rounded

PERIOD = 0.5  # seconds between two looks


class LiveTrials:
    """A table of the trials that run, and a line of how far the sweep is; drawn by no thread.

    Args:
        console: Console of the terminal; elsewhere nothing is shown.
        study: Study of the trials.
        metric: What they are compared by.
        names: Short names of the parameters that vary.
        epochs: Epochs of a trial, if that is known.
        at_once: Number of trials that run at a time.
    """

    def __init__(
        self,
        console: Console,
        study: Study,
        metric: Metric,
        names: Mapping[str, str],
        epochs: int | None,
        at_once: int,
    ) -> None:
        self.study, self.metric, self.names = study, metric, names
        self.epochs, self.at_once = epochs, at_once
        self._live = Live(console=console, auto_refresh=False, transient=True)
        self._shows, self._due = console.is_terminal, 0.0

    def __enter__(self) -> "LiveTrials":
        if self._shows:
            self._live.start()
            self._live.console.show_cursor(True)
        return self

    def __exit__(self, *error: object) -> None:
        self._live.stop()

    def look(self, running: Sequence[Trial]) -> None:
        """Draws the trials that run, if it is time."""
        if self._shows and time.monotonic() >= self._due:
            self._live.update(Group(self._table(running), self._summary(running)), refresh=True)
            self._due = time.monotonic() + PERIOD

    def _table(self, running: Sequence[Trial]) -> Table:
        table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
        for title in ("trial", *self.names.values(), "epoch", self.metric.name, "best", "time"):
            table.add_column(title, no_wrap=True, overflow="ellipsis")
        for trial in sorted(running, key=lambda trial: trial.number):
            best = trial.result(self.metric)
            table.add_row(
                f"{trial.number}/{self.study.total}",
                *(shown(trial.values[name]) for name in self.names),
                f"{trial.epochs}/{self.epochs}" if self.epochs else str(trial.epochs),
                rounded(trial.history[-1]) if trial.history else "-",
                "-" if best is None else rounded(best),
                duration(trial.seconds),
            )
        return table

    def _summary(self, running: Sequence[Trial]) -> Text:
        """How many have ended, the best of them, and the time that the others take at most."""
        ended = [trial for trial in self.study.trials if trial.state != "running"]
        parts = [f"{len(ended)} of {self.study.total} ended"]
        known = [trial for trial in ended if trial.result(self.metric) is not None]
        if known:
            best = ranked(known, self.metric)[0]
            value = rounded(best.result(self.metric) or 0.0)
            parts.append(f"best {self.metric.name} {value} (trial {best.number})")
            each = sum(trial.seconds for trial in known) / len(known)
            begun = sum(min(trial.seconds, each) for trial in running)
            left = ((self.study.total - len(ended)) * each - begun) / self.at_once
            parts.append(f"{duration(max(0.0, left))} left")
        return Text("  ".join(parts), no_wrap=True, overflow="ellipsis")
