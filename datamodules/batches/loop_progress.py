"""How far a run is; the only place here that reads Lightning's loop progress."""

from lightning.pytorch import Trainer


def batches_done(trainer: Trainer) -> int:
    """Returns the number of training batches that the run has begun, over all its epochs."""
    return trainer.fit_loop.epoch_loop.batch_progress.total.ready
