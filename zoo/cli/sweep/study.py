"""The trials of a sweep, by optuna: what comes next, what lags behind, what came out.

The study is a SQLite file, whose transactions survive kill -9; optuna's journal does not, as it
cannot go on after a line that was cut. Every draw has a random seed of its own, that follows from
the sweep's and the number of the trial: a sweep that is resumed draws what it would have drawn.

Grids are enqueued in W&B's order (names are sorted, the last one is the fastest): optuna's
GridSampler shuffles them. Hyperband stops trials but does not hide those of other brackets from the
sampler, as optuna's study would do.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from itertools import product
from math import isfinite
from pathlib import Path
from typing import Any

import numpy as np
import optuna
from optuna.trial import FrozenTrial, TrialState

from zoo.cli.report import counted
from zoo.cli.sweep.file import ANOTHER, Metric, Sweep
from zoo.errors import InputError

FILE = "study.db"
STATES = {
    TrialState.RUNNING: "running",
    TrialState.COMPLETE: "finished",
    TrialState.PRUNED: "pruned",
    TrialState.FAIL: "failed",
}


@dataclass
class Trial:
    """One run of a sweep.

    Attributes:
        number: From 1; the name of its folder.
        values: Of all parameters, by name.
        state: running, finished, pruned or failed.
        history: The metric, each time that it was logged.
        epochs: That it trained.
        seconds: That it took, all its tries together.
        reason: Why it failed.
    """

    number: int
    values: Mapping[str, Any]
    state: str = "running"
    history: list[float] = field(default_factory=list)
    epochs: int = 0
    seconds: float = 0.0
    reason: str = ""

    def result(self, metric: Metric) -> float | None:
        """The best that it reached, as W&B counts it; none where no value was finite."""
        finite = [value for value in self.history if isfinite(value)]
        return metric.best(finite) if finite else None


class Study:
    """The trials of a sweep in a folder, kept as they go.

    Args:
        folder: Of the sweep.
        plan: The sweep file.
        metric: What trials are compared by.
        epochs: That a trial trains, if that is known.
        seed: Of the draws.
        cap: The number of trials; None: the whole grid.

    Raises:
        InputError: The folder's study cannot be read, or early_terminate begins after the end.
    """

    def __init__(
        self,
        folder: Path,
        plan: Sweep,
        metric: Metric,
        *,
        epochs: int | None,
        seed: int,
        cap: int | None,
    ) -> None:
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self.plan, self.metric, self.seed, self.cap = plan, metric, seed, cap
        self._pruner = self._hyperband(epochs)
        try:
            self._storage = optuna.storages.RDBStorage(f"sqlite:///{(folder / FILE).resolve()}")
            self._study = optuna.create_study(
                storage=self._storage,
                study_name=plan.name,
                direction="maximize" if metric.maximize else "minimize",
                load_if_exists=True,
            )
        except Exception as error:  # of sqlite, sqlalchemy or optuna
            reason = str(error).partition("\n")[0]
            raise InputError(f"{folder / FILE}: cannot be read ({reason}); {ANOTHER}") from None
        self._study_id = self._storage.get_study_id_from_name(plan.name)
        self._backlog = [t.number for t in self._study.trials if t.state == TrialState.RUNNING]

    def _hyperband(self, epochs: int | None) -> optuna.pruners.BasePruner:
        given = self.plan.hyperband
        if given is None:
            return optuna.pruners.NopPruner()
        longest = given.max_iter or epochs
        if longest and given.min_iter > longest:
            raise InputError(
                f"{self.plan.path}: early_terminate: min_iter {given.min_iter} is beyond the "
                f"{counted(longest, 'epoch')} of a trial"
            )
        return optuna.pruners.HyperbandPruner(
            min_resource=given.min_iter,
            max_resource=longest or "auto",
            reduction_factor=given.eta,
        )

    @property
    def total(self) -> int:
        """How many trials there are to be."""
        points = len(self._points) if self.plan.method == "grid" else None
        return min(count for count in (points, self.cap) if count is not None)

    @property
    def trials(self) -> list[Trial]:
        """Those that have begun, in their order."""
        kept = [trial for trial in self._study.trials if "values" in trial.user_attrs]
        return [_thawed(trial) for trial in kept]

    def next(self, *, at_once: int = 1) -> Trial | None:
        """The trial to run: one that was cut short, else a new one, while there are any.

        Args:
            at_once: How many run at a time; the search then keeps away from those that run.
        """
        if self._backlog:
            drawn = self._drawn(self._backlog.pop(0))
        else:
            best = [trial.result(self.metric) for trial in self.trials if trial.state == "finished"]
            if any(value is not None and self.metric.reaches(value) for value in best):
                return None
            waiting = self._study.get_trials(states=(TrialState.WAITING,))
            number = len(self._study.trials) - len(waiting)
            if number >= self.total:
                return None
            if self.plan.method == "grid" and not waiting:
                self._enqueue_point()
            self._study.sampler = self._sampler(number, at_once)
            drawn = self._study.ask()
        as_grid = self.plan.method == "grid"
        values = {p.name: p.suggest(drawn, as_grid=as_grid) for p in self.plan.parameters}
        drawn.set_user_attr("values", values)
        return _thawed(self._frozen(drawn.number))

    def report(self, trial: Trial) -> bool:
        """Keeps the history of a trial; whether it lags behind and is to be stopped."""
        drawn = self._drawn(trial.number - 1)
        kept = self._frozen(drawn.number).intermediate_values
        late = False
        for step, value in enumerate(trial.history, start=1):
            if step not in kept:
                drawn.report(value, step)
                late = late or self._pruner.prune(self._study, self._frozen(drawn.number))
        self._keep(drawn, trial)
        return late

    def finish(self, trial: Trial) -> None:
        """Keeps the end of a trial, as its state says."""
        self._keep(self._drawn(trial.number - 1), trial)
        state = {name: state for state, name in STATES.items()}[trial.state]
        value = trial.result(self.metric) if state == TrialState.COMPLETE else None
        self._study.tell(trial.number - 1, value, state)

    def _keep(self, drawn: Any, trial: Trial) -> None:
        record = {name: getattr(trial, name) for name in ("history", "epochs", "seconds", "reason")}
        drawn.set_user_attr("record", record)

    def _frozen(self, number: int) -> FrozenTrial:
        return self._storage.get_trial(self._id(number))

    def _drawn(self, number: int) -> optuna.trial.Trial:
        return optuna.trial.Trial(self._study, self._id(number))

    def _id(self, number: int) -> int:
        return self._storage.get_trial_id_from_study_id_trial_number(self._study_id, number)

    def _sampler(self, number: int, at_once: int) -> optuna.samplers.BaseSampler:
        (seed,) = map(int, np.random.SeedSequence([self.seed, number]).generate_state(1))
        if self.plan.method == "bayes":
            return optuna.samplers.TPESampler(seed=seed, constant_liar=at_once > 1)
        return optuna.samplers.RandomSampler(seed=seed)

    @cached_property
    def _points(self) -> list[dict[str, Any]]:
        """Of the grid, as optuna keeps them: each value as a text."""
        varying = [parameter for parameter in self.plan.parameters if parameter.varies]
        values = [[json.dumps(value) for value in parameter.grid()] for parameter in varying]
        names = [parameter.name for parameter in varying]
        return [dict(zip(names, point, strict=True)) for point in product(*values)]

    def _enqueue_point(self) -> None:
        """Hands optuna the first point of the grid that no trial has."""
        had = [trial.system_attrs["fixed_params"] for trial in self._study.trials]
        self._study.enqueue_trial(next(point for point in self._points if point not in had))


def _thawed(frozen: FrozenTrial) -> Trial:
    return Trial(
        frozen.number + 1,
        frozen.user_attrs["values"],
        STATES[frozen.state],
        **frozen.user_attrs.get("record", {}),
    )
