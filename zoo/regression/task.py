"""Regressor: half the squared error, and the root of its mean in the units of the target.

Batch: (features, targets)
"""

from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Callback
from torch import Tensor
from torch.nn.functional import mse_loss

from zoo.regression.pictures import RegressionPictures
from zoo.shapes import Features, Targets
from zoo.task import Step, Task


class Regressor(Task):
    """Base of the regressors: `forward` maps features to one number a row.

    That number is in standard deviations of the target from its mean, so that the loss, half the
    squared error as in Bishop 2006, Equation 3.12, has the same scale for every corpus. The
    metrics `mse` and `rmse` and the predictions are in the units of the target.

    Args:
        target_mean: Mean of the targets, filled by corpora whose targets have a scale of their own.
        target_std: Standard deviation of the targets.
        task: Arguments of every task.
    """

    monitor = "val/rmse"
    metric_names = ("mse",)
    judges = "numbers"

    def __init__(self, target_mean: float = 0.0, target_std: float = 1.0, **task: Any) -> None:
        super().__init__(**task)
        self.target_mean, self.target_std = target_mean, target_std

    @classmethod
    def example(cls, rows: int = 1) -> tuple[Features, Targets]:
        return torch.randn(rows, cls.example_sizes["in_features"]), torch.randn(rows)

    def step(self, batch: tuple[Features, Targets]) -> Step:
        features, targets = batch
        outputs = self(features).to(targets.dtype)
        wanted = (targets - self.target_mean) / self.target_std
        error = mse_loss(outputs, wanted)
        predictions = outputs.detach() * self.target_std + self.target_mean
        return Step(
            loss=error / 2,
            size=len(targets),
            sums={"mse": error * self.target_std**2 * len(targets)},
            predictions=predictions,
            judged=(predictions, targets),
        )

    def derived(self, means: dict[str, Tensor]) -> dict[str, Tensor]:
        return {**means, "rmse": means["mse"].sqrt()}

    def pictures(self, folder: Path) -> list[Callback]:
        return [RegressionPictures(folder)]

    def predict_step(self, batch: tuple[Features, Any], batch_idx: int) -> Targets:
        """Predictions in the units of the target, one a row."""
        return self(batch[0]).float() * self.target_std + self.target_mean
