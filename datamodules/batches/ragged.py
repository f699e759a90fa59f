"""Rows of different lengths without padding, from which padded batches are gathered."""

import torch
from torch import Tensor


class Ragged:
    """Rows of numbers, one after another; any of them, padded, come in one gather.

    Args:
        flat: The numbers of all rows, int64 (total).
        lengths: Lengths of the rows, int64 (rows).
    """

    def __init__(self, flat: Tensor, lengths: Tensor) -> None:
        self.flat = flat
        self.lengths = lengths.cpu()  # the longest row of a batch is told without the device
        self._lengths = lengths.to(flat.device)
        self._starts = self._lengths.cumsum(0) - self._lengths

    def __len__(self) -> int:
        return len(self.lengths)

    def padded(self, rows: Tensor, padding: int) -> tuple[Tensor, Tensor]:
        """These rows, (batch, steps) of the longest one, and their lengths, (batch)."""
        steps = int(self.lengths[rows].max()) if len(rows) else 0
        rows = rows.to(self.flat.device)
        lengths = self._lengths[rows]
        step = torch.arange(steps, device=self.flat.device)
        positions = (self._starts[rows, None] + step).clamp(max=len(self.flat) - 1)
        return self.flat[positions].masked_fill(step >= lengths[:, None], padding), lengths

    def to(self, device: torch.device | str) -> "Ragged":
        """The same rows on `device`."""
        return Ragged(self.flat.to(device), self.lengths)


def row_positions(lengths: Tensor) -> tuple[Tensor, Tensor]:
    """Returns the row that each number is in, and its position there."""
    row = torch.arange(len(lengths)).repeat_interleave(lengths)
    return row, torch.arange(len(row)) - (lengths.cumsum(0) - lengths)[row]
