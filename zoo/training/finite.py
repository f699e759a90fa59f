"""No step is taken on a loss, a gradient or a state of the optimizer that is not finite."""

import math
from collections.abc import Iterable

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.strategies import DDPStrategy
from torch import Tensor
from torch.linalg import vector_norm
from torch.nn.utils import get_total_norm
from torch.optim import Optimizer

from zoo.errors import NonFiniteError
from zoo.training.loop_progress import batch_index

STATE = "optimizer's state"
PATIENCE = 24  # steps that float16's loss scale, which each of them halves, may take to fit


class FiniteSteps:
    """Looks at the gradients and the optimizer's moments of each step before it is taken.

    Under float16 the scaler leaves out a step whose gradient is too large, and halves its scale:
    only steps that go on so are refused. Costs about 5 us a tensor on the CPU, and on a GPU a wait
    for the gradients.
    """

    def __init__(self) -> None:
        self._in_a_row = 0

    def check(self, module: LightningModule, optimizer: Optimizer) -> None:
        """Called before the optimizer's step, on all processes.

        Raises:
            NonFiniteError: A gradient, or a tensor of the optimizer's state, is infinite or not a
                number.
        """
        trainer = module.trainer
        parameters = [p for group in optimizer.param_groups for p in group["params"]]
        gradients = [p.grad for p in parameters if p.grad is not None]
        fine = sound = are_finite([*gradients, *moments_of(optimizer)])  # nearly always, at once
        if not fine:
            fine, sound = are_finite(gradients), state_is_finite(optimizer)
        if trainer.world_size > 1 and not isinstance(trainer.strategy, DDPStrategy):
            # Each has gradients and moments of its own.
            fine, sound = map(trainer.strategy.reduce_boolean_decision, (fine, sound))
        if not sound:
            raise NonFiniteError(described(trainer, STATE, optimizer))
        self._in_a_row = 0 if fine else self._in_a_row + 1
        if self._in_a_row > (PATIENCE if trainer.scaler else 0):
            raise NonFiniteError(described(trainer, "gradient", optimizer))


def check_loss(module: LightningModule, loss: Tensor, optimizer: Optimizer) -> None:
    """For steps without gradients.

    Raises:
        NonFiniteError: The loss is infinite or not a number.
    """
    if not loss.isfinite():
        raise NonFiniteError(described(module.trainer, "loss", optimizer))


def are_finite(tensors: Iterable[Tensor]) -> bool:
    """Whether all values are finite, and their Euclidean norms."""
    given = [t.coalesce().values() if t.is_sparse else t for t in tensors]
    if all(t.device.type == "cpu" for t in given):  # where nothing waits, half as long
        return math.isfinite(sum(vector_norm(t).item() for t in given))
    return bool(get_total_norm(given).isfinite())


def state_is_finite(optimizer: Optimizer) -> bool:
    """Whether all values that an optimizer keeps from step to step are finite."""
    moments = moments_of(optimizer)
    norms = (2.0, math.inf)  # the first is the quicker, but may overflow
    return not moments or any(bool(get_total_norm(moments, p).isfinite()) for p in norms)


def moments_of(optimizer: Optimizer) -> list[Tensor]:
    """Returns the tensors that an optimizer keeps from step to step, but for counts of steps."""
    values = [v for kept in optimizer.state.values() for n, v in kept.items() if n != "step"]
    return [v for v in values if isinstance(v, Tensor) and v.is_floating_point() and v.numel()]


def described(trainer: Trainer, what: str, optimizer: Optimizer) -> str:
    """Where training stands, and what to try."""
    rates = ", ".join(dict.fromkeys(f"{group['lr']:.3g}" for group in optimizer.param_groups))
    where = f"step {trainer.global_step + 1}, epoch {trainer.current_epoch + 1}"
    batch = f"batch {batch_index(trainer) + 1} of {trainer.num_training_batches}"
    instead = "lower the rate, or --trainer.gradient_clip_val 1"
    if what == STATE:
        instead = "resume from an earlier checkpoint, at a lower rate"
    return (
        f"the {what} is not finite in {where} ({batch}), at a learning rate of {rates}: the "
        f"weights are as before it; {instead}"
    )


def can_go_on(module: LightningModule) -> bool:
    """Whether every weight, buffer and moment is a finite number, however large."""
    weights = module.state_dict().values()
    return all(bool(weight.isfinite().all()) for weight in weights) and all(
        map(state_is_finite, module.trainer.optimizers)
    )
