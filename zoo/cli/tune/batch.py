"""The sizes of a batch that fit into memory, and how fast each of them is."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from time import perf_counter
from typing import Any

import psutil
import torch
from lightning.pytorch import Trainer
from lightning.pytorch.tuner import Tuner

from datamodules.files.errors import CorpusError

FIRST = 2  # rows of the first trial
STEPS = 5  # of each size; the first is not timed
NEAR = 0.95  # of the best speed: the smallest size that reaches it is suggested


def speeds(trainer: Trainer, model: Any, corpus: Any, *, mode: str, most: int) -> dict[int, float]:
    """Rows a second of each size that fits, by Lightning's finder; the smallest size first.

    The model and the corpus are as before in the end. On a CPU under Linux memory is what is free
    now: without a limit the system would kill a process that asks for more, or begin to swap.

    Args:
        trainer: Without a fixed number of epochs.
        model: A task without a schedule.
        corpus: Its `batch_size` is tried.
        mode: power doubles; binsearch then searches between the last two.
        most: The largest size that may be tried.
    """
    before = corpus.batch_size
    _set_batch_size(corpus, FIRST)
    try:
        with _timed(model, corpus) as marks, _limited_memory(trainer):
            largest = Tuner(trainer).scale_batch_size(
                model,
                datamodule=corpus,
                mode=mode,
                steps_per_trial=STEPS,
                init_val=FIRST,
                max_val=most + 1,  # which Lightning would not try
                margin=0.0,
            )
    except (MemoryError, CorpusError):  # or there are too few rows for such a batch
        largest = corpus.batch_size - 1
    finally:
        _set_batch_size(corpus, before)
    return {
        size: sum(rows for _, rows in times[1:]) / (times[-1][0] - times[0][0])
        for size, times in sorted(marks.items())
        if size <= (largest or 0) and len(times) > 1
    }


def suggested(found: dict[int, float]) -> int:
    """The smallest size that is about as fast as the fastest: small batches learn more a row."""
    return min(size for size, speed in found.items() if speed >= NEAR * max(found.values()))


def _set_batch_size(corpus: Any, size: int) -> None:
    """Where Lightning's finder looks, and writes."""
    corpus.batch_size = size
    if "batch_size" in corpus.hparams:
        corpus.hparams["batch_size"] = size


@contextmanager
def _timed(model: Any, corpus: Any) -> Iterator[dict[int, list[tuple[float, int]]]]:
    """When each step of each size ended, and how many rows it had."""
    marks: dict[int, list[tuple[float, int]]] = {}
    end = model.on_train_batch_end

    def timed_end(outputs: Any, batch: Any, batch_idx: int) -> None:
        end(outputs, batch, batch_idx)
        if model.device.type == "cuda":
            torch.cuda.synchronize(model.device)
        marks.setdefault(corpus.batch_size, []).append((perf_counter(), len(batch[0])))

    model.on_train_batch_end = timed_end
    try:
        yield marks
    finally:
        del model.on_train_batch_end


@contextmanager
def _limited_memory(trainer: Trainer) -> Iterator[None]:
    """Lets this process have the memory that is free now, and no more."""
    if sys.platform != "linux" or trainer.strategy.root_device.type != "cpu":
        yield
        return
    process = psutil.Process()
    soft, hard = process.rlimit(psutil.RLIMIT_DATA)
    limit = process.memory_info().data + psutil.virtual_memory().available
    lowest = limit if hard == psutil.RLIM_INFINITY else min(limit, hard)
    process.rlimit(psutil.RLIMIT_DATA, (lowest, hard))
    try:
        yield
    finally:
        process.rlimit(psutil.RLIMIT_DATA, (soft, hard))
