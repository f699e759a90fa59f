"""Means over many steps, summed on the device: no host synchronisation until they are read."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

COUNT = "count"  # the sum of what losses are means over, where that is not the rows


def at_least_one(count: int | Tensor) -> int | Tensor:
    """What a loss that is a mean over `count` was divided by: none of anything costs nothing."""
    return count.clamp(min=1) if isinstance(count, Tensor) else max(1, count)


def means(sums: dict[str, Tensor], size: Tensor) -> dict[str, Tensor]:
    """The means of sums over `size` rows, and of the loss over what it is counted in."""
    found = {name: value / size for name, value in sums.items() if name != COUNT}
    if COUNT in sums:
        found["loss"] = sums["loss"] / at_least_one(sums[COUNT])
    return found


class RunningMeans:
    """Sums of named quantities and the number of rows behind them.

    A step costs one in-place addition a quantity; `self.log` each step would cost ten times that.
    """

    def __init__(self) -> None:
        self.sums: dict[str, Tensor] = {}
        self.size: int | Tensor = 0

    def update(
        self,
        loss: Tensor,
        sums: dict[str, Tensor],
        size: int | Tensor,
        count: int | Tensor | None = None,
    ) -> None:
        """Adds one batch: its mean loss, its other quantities summed over the rows, its rows.

        Where the loss is a mean over a `count` of something else, that is added up, too.
        """
        if not self.sums:
            self.sums = {
                name: torch.zeros((), dtype=torch.float32, device=loss.device)
                for name in ("loss", *sums)
            }
            if count is not None:
                self.sums[COUNT] = torch.zeros((), dtype=torch.int64, device=loss.device)
        self.sums["loss"].add_(loss.detach() * (size if count is None else at_least_one(count)))
        if count is not None:
            self.sums[COUNT].add_(count)
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
        return means({name: total(value.clone()) for name, value in self.sums.items()}, size)

    def state_dict(self) -> dict[str, Any]:
        return {"sums": dict(self.sums), "size": self.size}

    def load_state_dict(self, state: dict[str, Any], device: torch.device) -> None:
        self.sums = {name: value.to(device) for name, value in state["sums"].items()}
        size = state["size"]
        self.size = size.to(device) if isinstance(size, Tensor) else size
