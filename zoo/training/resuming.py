"""What a run that goes on from a checkpoint takes over of it, and which changes are refused."""

import os
from typing import Any

from lightning.pytorch import Trainer

from zoo.errors import InputError
from zoo.training.corpus import datamodule_of
from zoo.training.loop_progress import batches_of_epoch, is_last_batch

ANY_TIME = ("num_workers", "on_device")  # arguments of a corpus that change no batch


def circumstances(trainer: Trainer) -> dict[str, Any]:
    """Returns what a checkpoint keeps of its run, for the one that goes on from it."""
    return {
        "seed": int(os.environ.get("PL_GLOBAL_SEED", "0")),
        "batches": trainer.num_training_batches,
        "processes": trainer.world_size,
        "accumulated": trainer.accumulate_grad_batches,
        "optimizers": [getattr(optimizer, "settings", None) for optimizer in trainer.optimizers],
    }


def take_options(checkpoint: dict[str, Any], trainer: Trainer) -> None:
    """Puts the options of this run's optimizers into a checkpoint, before its states are loaded.

    Lightning would go on with those of the checkpoint. Rates that the run itself has changed stay,
    unless its schedule is dropped.

    Raises:
        InputError: The states are of another optimizer, or the schedule is not the one it was.
    """
    before = checkpoint["zoo"].get("run", {}).get("optimizers", [])
    after: list[Any] = [getattr(optimizer, "settings", None) for optimizer in trainer.optimizers]
    if not before or None in (*before, *after):
        return
    was, now = (", ".join(each["name"] for each in settings) for settings in (before, after))
    if was != now:
        raise InputError(
            f"the checkpoint has the state of {was}, with which {now} cannot go on: resume with "
            f"--model.optimizer {was}, or begin anew without --ckpt_path"
        )
    schedules, kept = iter(checkpoint["lr_schedulers"]), []
    states = zip(checkpoint["optimizer_states"], trainer.optimizers, strict=True)
    for old, new, (state, optimizer) in zip(before, after, states, strict=True):
        _refuse_other_schedule(old["lr_scheduler"], new["lr_scheduler"])
        if old["lr_scheduler"]:
            schedule = next(schedules)
            kept += [schedule] if new["lr_scheduler"] else []
        _take_groups(state["param_groups"], optimizer.param_groups, old, new)
    checkpoint["lr_schedulers"] = kept


def _take_groups(
    saved: list[dict[str, Any]],
    fresh: list[dict[str, Any]],
    old: dict[str, Any],
    new: dict[str, Any],
) -> None:
    """Puts options into the saved groups of an optimizer.

    Args:
        saved: Groups of the checkpoint, changed in place.
        fresh: Groups of this run's optimizer, before its first step.
        old: Settings of the optimizer that wrote the checkpoint.
        new: Settings of this run's.
    """
    if len(saved) != len(fresh):
        raise InputError(
            f"groups of parameters: {len(saved)} in the checkpoint, {len(fresh)} now: resume with "
            "the --model.weight_decay that the run was begun with"
        )
    dropped = old["lr_scheduler"] and not new["lr_scheduler"]
    for group, own, was, now in zip(saved, fresh, old["groups"], new["groups"], strict=True):
        changed = {name for name, value in now.items() if was.get(name, value) != value}
        if "lr" in changed and new["lr_scheduler"]:
            raise InputError(
                f"lr was {was['lr']} and is {now['lr']}, but goes on as "
                f"{new['lr_scheduler']['name']} has it: leave it, or drop the schedule, too "
                "(--model.lr_scheduler null)"
            )
        names = set(own) if dropped else changed | ({"scheduled_lr"} if "lr" in changed else set())
        group.update({name: own[name] for name in names.intersection(own) - {"params"}})


def _refuse_other_schedule(before: dict[str, Any] | None, after: dict[str, Any] | None) -> None:
    """Raises InputError if a run is to go on with another schedule than it was begun with."""
    if after is None:
        return
    if before is None:
        raise InputError(
            "the run was begun without a schedule, and none can begin in its midst: leave out "
            f"{after['name']} (--model.lr_scheduler null)"
        )
    old, new = before["options"], after["options"]
    names = [name for name in old if name in new and old[name] != new[name]]
    if before["name"] == after["name"] and not names:
        return
    was, now = (
        ", ".join((each["name"], *(f"{name} {each['options'][name]}" for name in names)))
        for each in (before, after)
    )
    raise InputError(
        f"the run was begun with the schedule {was} and cannot go on with {now}: leave it as it "
        "was, or drop it (--model.lr_scheduler null)"
    )


def refuse_other_batches(checkpoint: dict[str, Any], trainer: Trainer) -> None:
    """Refuses to go on within an epoch whose batches are not those that it was begun with.

    Raises:
        InputError: They are not; at an epoch's end they may change.
    """
    done, run = batches_of_epoch(trainer), checkpoint["zoo"].get("run")
    if not run or not done or is_last_batch(trainer):
        return
    corpus = datamodule_of(trainer)
    saved = checkpoint.get(type(corpus).__qualname__, {}).get("arguments", {})
    now = corpus.hparams if corpus else {}
    pairs = {
        f"--data.{name}": (value, now[name])
        for name, value in saved.items()
        if name in now and name not in ANY_TIME
    }
    pairs["number of processes"] = (run["processes"], trainer.world_size)
    pairs["number of batches"] = (run["batches"], trainer.num_training_batches)
    for name, (before, after) in pairs.items():
        if before != after:
            raise InputError(
                f"the checkpoint lies {done} batches within an epoch, and {name} was {before} and "
                f"is {after}: resume with {before}, or from the end of an epoch"
            )
    if done % trainer.accumulate_grad_batches:
        raise InputError(
            f"the checkpoint lies {done} batches within an epoch: resume with "
            f"--trainer.accumulate_grad_batches {run['accumulated']}"
        )
