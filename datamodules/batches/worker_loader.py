"""Workers that leave signals to the process that they load for."""

import os
import signal
import threading
from multiprocessing import parent_process
from typing import Any

from torch.utils.data import DataLoader

NAMES = ("SIGHUP", "SIGINT", "SIGUSR1")
HELD = {getattr(signal, name) for name in NAMES if hasattr(signal, name)}  # Windows lacks two
if hasattr(signal, "sigwaitinfo"):  # which says who sent it; macOS has none
    HELD.add(signal.SIGTERM)


class WorkerLoader(DataLoader):
    """A DataLoader whose workers survive a signal that is sent to the whole group of processes.

    A closed terminal, `timeout`, systemd and SLURM send it to all of them. The first process stops
    where it can be resumed; the loss of a worker would end it at once. A worker is still ended by
    the process that it loads for.

    Args:
        options: Arguments of DataLoader.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"worker_init_fn": _end_with_parent_alone, **options})

    def __iter__(self) -> Any:
        """Holds signals back while workers are started, which then never receive them."""
        if not hasattr(signal, "pthread_sigmask"):  # Windows
            return super().__iter__()
        before = signal.pthread_sigmask(signal.SIG_BLOCK, HELD)
        try:
            return super().__iter__()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _end_with_parent_alone(worker: int) -> None:
    """Has this worker end at a SIGTERM of its parent, and of nobody else."""
    parent = parent_process()
    if parent is None or signal.SIGTERM not in HELD:
        return

    def wait() -> None:
        while signal.sigwaitinfo({signal.SIGTERM}).si_pid != parent.pid:
            pass
        os._exit(0)

    threading.Thread(target=wait, name="end of a worker", daemon=True).start()
