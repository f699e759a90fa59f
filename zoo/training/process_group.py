"""The end of a group of processes."""

from torch import distributed


def leave() -> None:
    """Ends this process's part in the group of a run that is over, if there is one.

    Left to the end of the program, gloo's threads may outlive what they use: the process aborts
    after all work is done. Another run of this process may form a group of its own.
    """
    if distributed.is_available() and distributed.is_initialized():
        distributed.destroy_process_group()
