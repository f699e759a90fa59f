"""Means over many steps, summed on the device: no host synchronisation until they are read."""

from typing import Any

import torch
from torch import Tensor


class RunningMeans:
    """Sums of named quantities and the number of rows behind them.

    A step costs one in-place addition a quantity; `self.log` each step would cost ten times that.
    """

    def __init__(self) -> None:
        self.sums: dict[str, Tensor] = {}
        self.size = 0

    def update(self, loss: Tensor, sums: dict[str, Tensor], size: int) -> None:
        """Adds one batch: its mean loss, its other quantities summed over the rows, its rows."""
        if not self.sums:
            self.sums = {
                name: torch.zeros((), dtype=torch.float32, device=loss.device)
                for name in ("loss", *sums)
            }
        self.sums["loss"].add_(loss.detach(), alpha=size)
        for name, value in sums.items():
            self.sums[name].add_(value.detach())
        self.size += size

    def merge(self, other: "RunningMeans") -> None:
        """Adds the sums of `other`."""
        for name, value in other.sums.items():
            self.sums[name] = self.sums[name] + value if name in self.sums else value.clone()
        self.size += other.size

    def reset(self) -> None:
        self.sums, self.size = {}, 0

    def compute(self) -> dict[str, Tensor]:
        return {name: value / self.size for name, value in self.sums.items()}

    def state_dict(self) -> dict[str, Any]:
        return {"sums": dict(self.sums), "size": self.size}

    def load_state_dict(self, state: dict[str, Any], device: torch.device) -> None:
        self.sums = {name: value.to(device) for name, value in state["sums"].items()}
        self.size = state["size"]
