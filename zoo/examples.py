"""Each architecture at the sizes of its header, to look at without a corpus."""

import inspect
from typing import Any

import torch

from zoo.task import Task


def build(architecture: type[Task], **options: Any) -> Any:
    """Returns an architecture of its example's sizes, and other arguments as given."""
    names = {name for cls in architecture.__mro__ for name in inspect.signature(cls).parameters}
    sizes = {n: value for n, value in architecture.example_sizes.items() if n in names}
    return architecture(**{**sizes, **options})


def device(architecture: type[Task]) -> torch.device:
    """Returns where an architecture can be looked at: the meta device, if values do not matter."""
    return torch.device("cpu" if architecture.reads_values else "meta")
