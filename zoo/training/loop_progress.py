"""How far training is, read from Lightning's loops: the one file of the zoo that knows them."""

from collections.abc import Iterator
from contextlib import contextmanager
from math import inf
from typing import Any

from lightning.pytorch import Trainer

COUNTS = ("ready", "started", "processed", "completed")  # of batches, and of epochs


def batches_begun(trainer: Trainer) -> int:
    """Returns the number of training batches of the whole run, the current one included."""
    return trainer.fit_loop.epoch_loop.batch_progress.total.ready


def batch_index(trainer: Trainer) -> int:
    """Returns the index of the current batch within its epoch."""
    return trainer.fit_loop.batch_idx


def is_last_batch(trainer: Trainer) -> bool:
    """Returns whether the current batch is the last of its epoch."""
    return trainer.fit_loop.epoch_loop.batch_progress.is_last_batch


@contextmanager
def batch_not_begun(trainer: Trainer) -> Iterator[None]:
    """Counts the current batch as not begun: a run resumed from what is saved begins with it."""
    progress = trainer.fit_loop.epoch_loop.batch_progress
    before = progress.state_dict()
    for count in (progress.total, progress.current):
        count.ready = count.started = count.processed = count.completed  # type: ignore[attr-defined]
    progress.is_last_batch = False
    try:
        yield
    finally:
        progress.load_state_dict(before)


def batches_of_epoch(trainer: Trainer) -> int:
    """Returns the number of batches of the epoch under way; 0 between two epochs."""
    epochs = trainer.fit_loop.epoch_progress.current
    within = epochs.ready > epochs.processed  # type: ignore[attr-defined]
    return trainer.fit_loop.epoch_loop.batch_progress.current.ready if within else 0


def restate(checkpoint: dict[str, Any], accumulated: int) -> None:
    """Rewrites the progress of a checkpoint into what Lightning resumes exactly.

    Lightning takes an epoch that `max_steps`, `max_time` or a callback ended early for a whole one,
    and loses or repeats a step of the loggers where a checkpoint was saved neither after a step nor
    in a validation. What remains is: between two epochs, after a step, or in the validation after
    the last step of an epoch.

    Args:
        checkpoint: Checkpoint of a task; changed in place.
        accumulated: Batches of an optimizer step.
    """
    loops, validating = checkpoint["loops"]["fit_loop"], checkpoint["zoo"].get("validating", True)
    epochs, batches = loops["epoch_progress"], loops["epoch_loop.batch_progress"]
    logged = loops["epoch_loop.state_dict"]
    epoch, done = epochs["current"]["processed"], batches["current"]["processed"]
    last, ended = batches["is_last_batch"], epochs["current"]["ready"] == epoch
    finished = done == batches["current"]["completed"]
    if last and not ended and finished:  # in the validation after the last step
        return
    if last and not ended:
        epoch += 1
        logged["_batches_that_stepped"] += 1
    elif ended and not last and done:
        epoch -= 1
    if last or not done:
        _place(epochs, [epoch] * 4)
        batches["current"] = dict.fromkeys(COUNTS, 0)
        batches["total"] = dict.fromkeys(COUNTS, batches["total"]["processed"])
    else:
        _place(epochs, [epoch + 1, epoch + 1, epoch, epoch])
        _place(batches, [done, done, done, done - 1])
        if finished and not validating and done % accumulated == 0:
            logged["_batches_that_stepped"] -= 1  # Lightning adds it again


def _place(progress: dict[str, Any], counts: list[int]) -> None:
    """Sets the counts of a progress, and its totals, which are ahead by as many as before."""
    ahead = progress["total"]["processed"] - progress["current"]["processed"]
    progress["current"] = dict(zip(COUNTS, counts, strict=True))
    progress["total"] = {name: count + ahead for name, count in progress["current"].items()}


def begin(trainer: Trainer) -> None:
    """Begins an epoch anew where Lightning would go on within one; when training starts.

    With `max_steps` it takes any checkpoint for one within an epoch; and one that was saved in the
    validation at the end of an epoch, where that has another end by now.
    """
    loop, epochs = trainer.fit_loop, trainer.fit_loop.epoch_progress
    batches = loop.epoch_loop.batch_progress
    if not loop.epoch_loop.restarting:
        return
    if epochs.current.ready == epochs.current.processed:  # type: ignore[attr-defined]
        loop.epoch_loop.restarting = False
    elif batches.is_last_batch and (trainer.val_check_batch is None or not is_due(trainer)):
        epochs.increment_processed()
        epochs.increment_completed()
        loop.reset_restart_stage()
        loop.epoch_loop.restarting = False
        logged = loop.epoch_loop.on_save_checkpoint()["_batches_that_stepped"]
        loop.epoch_loop.on_load_checkpoint({"_batches_that_stepped": logged + 1})


def is_due(trainer: Trainer) -> bool:
    """Returns whether a validation is due after the current batch; any is that is due by time.

    Lightning also validates where a run is stopped within an epoch.
    """
    every, epochs = trainer.val_check_batch, trainer.check_val_every_n_epoch
    if not trainer.enable_validation or every is None:
        return trainer.enable_validation
    progress = trainer.fit_loop.epoch_loop.batch_progress
    if epochs is None:
        return progress.total.ready % every == 0
    return (trainer.current_epoch + 1) % epochs == 0 and (
        every == inf or progress.current.ready % every == 0
    )
