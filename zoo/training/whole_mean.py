"""The gradient of a step: a mean over all that its micro-batches and its processes counted."""

import torch
from torch import Tensor
from torch.optim import Optimizer

from zoo.training.running_means import at_least_one


class WholeMean:
    """Weights the losses of a step's micro-batches, on all processes, by what they counted.

    DDP takes the mean over processes, Lightning that over micro-batches, as if all had counted as
    many. So a loss is weighted by its count against the first micro-batch's, which one all_reduce
    tells, and at the end of the step the gradients by that against all counts, known only then:
    losses keep their size, which float16 needs. Where counts are equal nothing is done.
    """

    def __init__(self) -> None:
        self.alone = True  # one process, one micro-batch: the loss as it is
        self._processes, self._part, self._parts = 1, 0, 1
        self._differ = False  # whether processes may have counted differently
        self._first: int | float | Tensor = 1  # of the first micro-batch, as a mean over processes
        self._before: int | Tensor = 0  # counted by this process in the micro-batches before
        self._counted: int | Tensor = 0  # with this one

    def begin(self, part: int, parts: int, processes: int) -> None:
        """A batch begins, the `part`-th from 0 of a step of `parts`."""
        self._part, self._parts, self._processes = part, parts, processes
        self.alone = parts * processes == 1
        self._before = self._counted if part else 0

    def weighted(self, loss: Tensor, count: int | Tensor, differ: bool) -> Tensor:
        """The loss that each process is to descend. May be called again in the same batch.

        Args:
            loss: Mean over `count`, or the sum where that is 0.
            count: What the loss is a mean over.
            differ: Whether it may be another on each process.
        """
        self._differ = differ and self._processes > 1
        self._counted = self._before + count
        if not self._part:
            self._first = self._mean_count(count, loss)
            if not self._differ:
                return loss
        own = at_least_one(count)
        if own is self._first or (isinstance(own, int) and own == self._first):
            return loss
        return loss * (own / self._first)

    def correct(self, optimizer: Optimizer) -> None:
        """Divides the gradients by what all micro-batches counted; before they are clipped."""
        if self._parts == 1:
            return
        gradients = [
            parameter.grad
            for group in optimizer.param_groups
            for parameter in group["params"]
            if parameter.grad is not None
        ]
        if gradients:
            mean = self._mean_count(self._counted, gradients[0])
            ratio = float(self._parts * self._first / mean)
            if ratio != 1:
                for gradient in gradients:
                    gradient.mul_(ratio)

    def _mean_count(self, count: int | Tensor, like: Tensor) -> int | float | Tensor:
        """The mean of the counts of all processes, of which at least one thing was counted."""
        if self._differ:
            count = torch.as_tensor(count, device=like.device).clone()
            torch.distributed.all_reduce(count)
        whole = at_least_one(count)
        if isinstance(whole, Tensor):
            exact = torch.promote_types(like.dtype, torch.float32)
            return whole.to(exact) / self._processes
        return whole
