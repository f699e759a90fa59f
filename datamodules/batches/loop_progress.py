"""How far a run is; the only place here that reads Lightning's loop progress."""

from lightning.pytorch import Trainer


def position(trainer: Trainer) -> tuple[int, int]:
    """Returns the epoch of the next training batch, and how many batches of it have begun."""
    epochs = trainer.fit_loop.epoch_progress.current
    batches = trainer.fit_loop.epoch_loop.batch_progress
    epoch = epochs.processed  # type: ignore[attr-defined]
    if epochs.ready == epoch:  # between two epochs
        return epoch, 0
    return (epoch + 1, 0) if batches.is_last_batch else (epoch, batches.current.ready)
