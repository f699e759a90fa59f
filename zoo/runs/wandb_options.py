"""How a run is logged to Weights & Biases, as options say it. No torch."""

import argparse
from collections.abc import Iterator
from dataclasses import dataclass, fields

WATCHED = ("gradients", "parameters", "all")
PREFIX = "wandb."


@dataclass(frozen=True)
class WandbOptions:
    """What is told to W&B; what is not given follows from its variables, then from the run.

    Attributes:
        mode: online, offline or disabled; by default $WANDB_MODE, else offline. A login found on
            the machine uploads nothing unasked.
        project: Name of the project; by default $WANDB_PROJECT, else zoo.
        entity: User or team; by default $WANDB_ENTITY, else that of the login.
        name: Name of the run; by default $WANDB_NAME, else that of its folder.
        group: Name that runs share; by default $WANDB_RUN_GROUP, else that of their sweep, array
            of jobs or cross-validation.
        tags: Words that runs are found by; by default $WANDB_TAGS.
        notes: Text about the run; by default $WANDB_NOTES.
        job_type: Kind of the run within its group; by default $WANDB_JOB_TYPE.
        log_model: Whether the best checkpoint is put up as an artifact at the end.
        watch: What histograms are logged of: gradients, parameters or all.
    """

    mode: str | None = None
    project: str | None = None
    entity: str | None = None
    name: str | None = None
    group: str | None = None
    tags: tuple[str, ...] | None = None
    notes: str | None = None
    job_type: str | None = None
    log_model: bool = False
    watch: str | None = None

    @classmethod
    def of(cls, options: argparse.Namespace) -> "WandbOptions":
        """Returns what the options of a verb say."""
        given = {
            name.removeprefix(PREFIX): value
            for name, value in vars(options).items()
            if name.startswith(PREFIX) and value is not None
        }
        return cls(mode=options.wandb, **given)

    def arguments(self, *without: str) -> Iterator[str]:
        """Yields the options of a command that logs in the same way, but for some."""
        if self.mode and "mode" not in without:
            yield f"--wandb={self.mode}"
        for field in fields(self):
            value = getattr(self, field.name)
            if value and field.name not in ("mode", *without):
                text = ",".join(value) if field.name == "tags" else value
                yield f"--{PREFIX}{field.name}={'true' if value is True else text}"


def add_arguments(verb: argparse.ArgumentParser) -> None:
    """Adds the options to a verb."""
    verb.add_argument("--wandb", choices=("online", "offline", "disabled"), help="mode of W&B")
    group = verb.add_argument_group("W&B")
    for name, title, text in (
        ("project", "P", "project; $WANDB_PROJECT, else zoo"),
        ("entity", "E", "user or team; $WANDB_ENTITY, else the login's"),
        ("name", "NAME", "name of the run; $WANDB_NAME, else its folder's"),
        ("group", "G", "name that runs share; $WANDB_RUN_GROUP, else their sweep's"),
        ("notes", "TEXT", "text about the run; $WANDB_NOTES"),
        ("job_type", "TYPE", "kind of the run in its group; $WANDB_JOB_TYPE"),
    ):
        group.add_argument(f"--{PREFIX}{name}", metavar=title, help=text)
    group.add_argument(
        f"--{PREFIX}tags",
        type=_words,
        metavar="A,B",
        help="words that runs are found by; $WANDB_TAGS",
    )
    group.add_argument(
        f"--{PREFIX}log_model",
        type=_switch,
        nargs="?",
        const=True,
        metavar="true",
        help="put best.ckpt and its card up as an artifact",
    )
    group.add_argument(f"--{PREFIX}watch", choices=WATCHED, help="log histograms of these")


def _words(text: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in text.split(",") if word.strip())


def _switch(text: str) -> bool:
    if text.lower() not in ("true", "false"):
        raise argparse.ArgumentTypeError(f"wanted true or false, not {text}")
    return text.lower() == "true"
