"""Means over many steps, summed on the device: no host synchronisation until they are read."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor


class RunningMeans:
    """Sums of named quantities and the number of rows behind them.

    A step costs one in-place addition a quantity; `self.log` each step would cost ten times that.
    """

    def __init__(self) -> None:
        self.sums: dict[str, Tensor] = {}
        self.size: int | Tensor = 0

    def update(self, loss: Tensor, sums: dict[str, Tensor], size: int | Tensor) -> None:
        """Adds one batch: its mean loss, its other quantities summed over the rows, its rows."""
        if not self.sums:
            self.sums = {
                name: torch.zeros((), dtype=torch.float32, device=loss.device)
                for name in ("loss", *sums)
            }
        self.sums["loss"].add_(loss.detach() * size)
        for name, value in sums.items():
            self.sums[name].add_(value.detach())
        self.size = self.size + size

    def merge(self, other: "RunningMeans") -> None:
        """Adds the sums of `other`."""
        for name, value in other.sums.items():
            self.sums[name] = self.sums[name] + value if name in self.sums else value.clone()
        self.size = self.size + other.size

    def reset(self) -> None:
        self.sums, self.size = {}, 0

    def compute(self, total: Callable[[Tensor], Tensor] = Tensor.clone) -> dict[str, Tensor]:
        """The means over the rows; `total` adds up a tensor of all ranks, in place or not."""
        if not self.sums:
            return {}
        size = total(torch.as_tensor(self.size, device=self.sums["loss"].device).clone())
        return {name: total(value.clone()) / size for name, value in self.sums.items()}

    def state_dict(self) -> dict[str, Any]:
        return {"sums": dict(self.sums), "size": self.size}

    def load_state_dict(self, state: dict[str, Any], device: torch.device) -> None:
        self.sums = {name: value.to(device) for name, value in state["sums"].items()}
        size = state["size"]
        self.size = size.to(device) if isinstance(size, Tensor) else size
