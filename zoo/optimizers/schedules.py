"""Learning-rate schedules of the course that torch lacks; multi-step is torch's MultiStepLR.

Each is a formula in the base rate and the number of steps t. Nothing accumulates, so that a resumed
run has the same rates. The last is torch's, which knows here what to watch.

Source: Zhang et al. 2023, https://d2l.ai/chapter_optimization/lr-scheduler.html, 12.11.2 to 12.11.4
"""

from math import cos, pi
from typing import Literal

from torch import Tensor
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler
from torch.optim.lr_scheduler import ReduceLROnPlateau as TorchReduceLROnPlateau

from zoo.errors import InputError


class SquareRootLR(LRScheduler):
    """Falls with the root of time: lr = base / sqrt(1 + rate t).

    Args:
        optimizer: Its learning rates are the bases.
        rate: 1 is the book's square-root schedule, 0.1 the course's polynomial decay.

    Raises:
        InputError: If rate is below 0.
    """

    def __init__(self, optimizer: Optimizer, rate: float = 1.0) -> None:
        if not rate >= 0:
            raise InputError(f"rate is {rate}; it has to be at least 0")
        self.rate = rate
        super().__init__(optimizer)

    def get_lr(self) -> list[float | Tensor]:
        return [base / (1 + self.rate * self.last_epoch) ** 0.5 for base in self.base_lrs]


class FactorLR(LRScheduler):
    """Falls by a factor each time, down to a floor: lr = max(floor, base factor^t).

    Args:
        optimizer: Its learning rates are the bases.
        factor: Between 0 and 1.
        floor: Smallest learning rate.

    Raises:
        InputError: If factor is not in (0, 1] or floor is below 0.
    """

    def __init__(self, optimizer: Optimizer, factor: float = 1.0, floor: float = 1e-7) -> None:
        if not 0 < factor <= 1:
            raise InputError(f"factor is {factor}; it has to be in (0, 1]")
        if not floor >= 0:
            raise InputError(f"floor is {floor}; it has to be at least 0")
        self.factor, self.floor = factor, floor
        super().__init__(optimizer)

    def get_lr(self) -> list[float | Tensor]:
        return [max(self.floor, base * self.factor**self.last_epoch) for base in self.base_lrs]


class LinearDecayLR(LRScheduler):
    """Falls along a line to a share of the base: lr = base max(floor, 1 - t / total_steps).

    Source: Mikolov et al. 2013, https://arxiv.org/abs/1301.3781, section 4.2

    Args:
        optimizer: Its learning rates are the bases.
        total_steps: Steps to the end of the line; by default those of the run.
        floor: Smallest share of the base.

    Raises:
        InputError: If total_steps is below 1, or floor not in [0, 1].
    """

    def __init__(
        self, optimizer: Optimizer, total_steps: int | None = None, floor: float = 1e-4
    ) -> None:
        if total_steps is None or total_steps < 1 or not 0 <= floor <= 1:
            raise InputError(
                f"total_steps is {total_steps} and floor {floor}; they have to be at least 1, and "
                "in [0, 1]"
            )
        self.total_steps, self.floor = total_steps, floor
        super().__init__(optimizer)

    def get_lr(self) -> list[float | Tensor]:
        share = max(self.floor, 1 - self.last_epoch / self.total_steps)
        return [base * share for base in self.base_lrs]


class WarmupCosineLR(LRScheduler):
    """Rises along a line, then falls along half a cosine, then stays.

        t < warmup:  lr = start + (base - start) t / warmup
        t < total:   lr = final + (base - final) (1 + cos(pi (t - warmup) / (total - warmup))) / 2
        from there:  lr = final

    A run that is shorter than its warm-up ends within it.

    Args:
        optimizer: Its learning rates are the bases.
        warmup_steps: Steps until the learning rate is the base.
        total_steps: Steps until it is final_lr; a `Task` fills in the run's.
        final_lr: Learning rate at the end.
        warmup_start_lr: Learning rate of the first step of a warm-up.

    Raises:
        InputError: If total_steps is missing, or a number is below 0.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        warmup_steps: int = 0,
        total_steps: int | None = None,
        final_lr: float = 0.0,
        warmup_start_lr: float = 0.0,
    ) -> None:
        if total_steps is None:
            raise InputError("total_steps is None; it has to be the number of steps until final_lr")
        numbers = {
            "warmup_steps": warmup_steps,
            "total_steps": total_steps,
            "final_lr": final_lr,
            "warmup_start_lr": warmup_start_lr,
        }
        for name, value in numbers.items():
            if not value >= 0:
                raise InputError(f"{name} is {value}; it has to be at least 0")
        self.warmup_steps, self.total_steps = warmup_steps, total_steps
        self.final_lr, self.warmup_start_lr = final_lr, warmup_start_lr
        super().__init__(optimizer)

    def get_lr(self) -> list[float | Tensor]:
        step, warmup, total = self.last_epoch, self.warmup_steps, self.total_steps
        if step < warmup:
            lower, height = self.warmup_start_lr, step / warmup
        elif step < total:
            lower, height = self.final_lr, (1 + cos(pi * (step - warmup) / (total - warmup))) / 2
        else:
            lower, height = self.final_lr, 0.0
        return [lower + (base - lower) * height for base in self.base_lrs]


class ReduceLROnPlateau(TorchReduceLROnPlateau):
    """Falls by a factor where a metric has not become better for a while; stepped when measured.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.optim.lr_scheduler.ReduceLROnPlateau.html

    Args:
        optimizer: Its learning rates fall.
        monitor: Metric to watch; by default the one that the best checkpoint is chosen by.
        mode: Whether lower (min) or higher (max) values are better; by default as of that metric.
        factor: Factor of the learning rate, below 1.
        patience: Measurements without an improvement that are let pass.
        threshold: Least change that counts as an improvement.
        threshold_mode: Whether the threshold is a share of the best value (rel) or a difference
            (abs).
        cooldown: Measurements after a fall that do not count.
        min_lr: Smallest learning rate.
        eps: Least change of the learning rate; a smaller one is left out.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        monitor: str | None = None,
        mode: Literal["min", "max"] | None = None,
        factor: float = 0.1,
        patience: int = 10,
        threshold: float = 1e-4,
        threshold_mode: Literal["rel", "abs"] = "rel",
        cooldown: int = 0,
        min_lr: float = 0.0,
        eps: float = 1e-8,
    ) -> None:
        super().__init__(
            *(optimizer, mode or "min", factor, patience, threshold, threshold_mode, cooldown),
            *(min_lr, eps),
        )
        self.monitor = monitor
