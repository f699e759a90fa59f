"""Histograms of gradients and parameters for W&B, as its `watch` names them.

W&B's own `watch` hooks into the backward pass, where a service that hangs would hang the run.
"""

from collections import Counter
from collections.abc import Iterator

import numpy as np
from lightning.pytorch import Callback, LightningModule, Trainer
from torch import Tensor
from torch.optim import Optimizer

from zoo.runs.wandb_logger import RedactedWandbLogger
from zoo.training.loop_progress import batches_begun

BINS = 64


class WatchedHistograms(Callback):
    """Logs `gradients/<name>` and `parameters/<name>` every `log_every_n_steps` steps.

    Gradients are those of an optimizer's step, unscaled.

    Args:
        logger: Logger of the run.
        watch: gradients, parameters or all.
    """

    def __init__(self, logger: RedactedWandbLogger, watch: str) -> None:
        self.logger = logger
        self.kinds = ("gradients", "parameters") if watch == "all" else (watch,)
        self._steps: Counter[int] = Counter()  # by optimizer

    def on_before_optimizer_step(
        self, trainer: Trainer, pl_module: LightningModule, optimizer: Optimizer
    ) -> None:
        step = self._steps[id(optimizer)]
        self._steps[id(optimizer)] += 1
        every = trainer.log_every_n_steps  # type: ignore[attr-defined]
        if not every or step % every or not trainer.is_global_zero:
            return
        own = {id(p) for group in optimizer.param_groups for p in group["params"]}
        if found := dict(self._histograms(pl_module, own)):
            one = pl_module.automatic_optimization  # else each of several optimizers is counted
            now = trainer.global_step if one else batches_begun(trainer) - 1
            self.logger.log_metrics(found, now)

    def _histograms(self, module: LightningModule, own: set[int]) -> Iterator[tuple[str, object]]:
        import wandb

        for name, parameter in module.named_parameters():
            if id(parameter) in own:
                values = {"gradients": parameter.grad, "parameters": parameter.detach()}
                for kind in self.kinds:
                    if (counted := _counted(values[kind])) is not None:
                        yield f"{kind}/{name}", wandb.Histogram(np_histogram=counted)


def _counted(values: Tensor | None) -> tuple[np.ndarray, np.ndarray] | None:
    """Counts and edges of the finite values of a tensor, None where there are none."""
    if values is None:
        return None
    dense = values.coalesce().values() if values.is_sparse else values
    numbers = dense.detach().float().cpu().numpy().ravel()
    finite = numbers[np.isfinite(numbers)]
    return np.histogram(finite, bins=BINS) if finite.size else None
