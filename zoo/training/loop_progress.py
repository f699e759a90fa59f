"""How far training is, read from Lightning's loops: the one file of the zoo that knows them."""

from collections.abc import Iterator
from contextlib import contextmanager

from lightning.pytorch import Trainer


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
