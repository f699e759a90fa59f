"""Workers leave signals to the process that they load for, and end with it."""

import multiprocessing
import signal
import subprocess
import sys

import pytest

from datamodules import FashionMNIST
from datamodules.batches.worker_loader import HELD


@pytest.fixture
def loader():
    corpus = FashionMNIST(synthetic=True, num_workers=2, batch_size=32)
    corpus.prepare_data()
    corpus.setup("fit")
    return corpus.train_dataloader()


def test_signals_of_others_end_no_worker(loader):
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    batches = iter(loader)
    next(batches)
    workers = multiprocessing.active_children()
    assert len(workers) == 2
    for worker in workers:
        for number in HELD:
            subprocess.run(["kill", f"-{int(number)}", str(worker.pid)], check=True)
    assert len(list(batches)) == len(loader) - 1
    assert multiprocessing.active_children() == workers
    assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == blocked
    for worker in workers:
        worker.terminate()
        worker.join(20)
        assert worker.exitcode == 0


def test_a_program_with_workers_ends_where_an_error_ends_it():
    code = (
        "from datamodules import FashionMNIST\n"
        "corpus = FashionMNIST(synthetic=True, num_workers=1)\n"
        "corpus.prepare_data(); corpus.setup('fit')\n"
        "batches = iter(corpus.train_dataloader())\n"
        "next(batches), 1 / 0"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, timeout=50, check=False)
    assert done.returncode == 1
    assert done.stderr.count("Traceback") == 1
