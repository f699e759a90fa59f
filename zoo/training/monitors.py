"""Metrics that callbacks and schedules follow, by name: a misspelt one is said before training."""

import re
from collections.abc import Iterator
from difflib import get_close_matches
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer

from zoo.errors import InputError


class MonitorCheck(Callback):
    """Compares the names with those that the first batches of the validation gave.

    Lightning itself says that a metric is not there at the end of the first epoch.

    Args:
        strict: Whether a name that is like one of the validation is taken for that, misspelt; a
            model of the user's own may log `loss` in training and `val_loss` in validation.
    """

    def __init__(self, *, strict: bool) -> None:
        self.strict = strict

    def on_sanity_check_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Refuses a name that is not there.

        Raises:
            InputError: There is one.
        """
        known = list(trainer.callback_metrics)
        for who, name in monitored(trainer):
            if not known or name in known:
                continue
            # What a task logs in training is known in part: what it logs in validation as well.
            means = [re.sub(r"^val/(.*)", r"train/\1_epoch", each) for each in known]
            of_training = name.lower().startswith("train")
            choices = {each.removesuffix("_epoch"): each for each in means if of_training}
            choices = choices or dict(zip(known, known, strict=True))
            plain = name.lower().removesuffix("_epoch") if of_training else name.lower()
            near = [choices[each] for each in get_close_matches(plain, choices, n=1)]
            certain = self.strict and bool(near) and name not in choices.values()
            if certain or name.lower().startswith("val"):
                hint = f" (did you mean {near[0]}?)" if near else ""
                there = ", ".join(sorted(choices.values()))
                raise InputError(f"{who} follows {name}, which is not measured{hint}: {there}")


def monitored(trainer: Any) -> Iterator[tuple[str, str]]:
    """Yields who follows a metric, a callback or a schedule, and the metric's name."""
    for callback in trainer.callbacks:
        if isinstance(name := getattr(callback, "monitor", None), str):
            yield type(callback).__name__, name
    for config in trainer.lr_scheduler_configs:
        name = getattr(config.scheduler, "monitor", None) or config.monitor
        if name and (config.reduce_on_plateau or hasattr(config.scheduler, "monitor")):
            yield type(config.scheduler).__name__, name
