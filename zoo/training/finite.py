"""No step is taken on a loss or a gradient that is not finite."""

from collections.abc import Iterable

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.strategies import DDPStrategy
from torch import Tensor
from torch.nn.utils import get_total_norm
from torch.optim import Optimizer

from zoo.errors import NonFiniteError
from zoo.training.loop_progress import batch_index

PATIENCE = 24  # steps that float16's loss scale, which each of them halves, may take to fit


class FiniteSteps:
    """Looks at the gradients of each step before it is taken.

    Under float16 the scaler leaves out a step whose gradient is too large, and halves its scale:
    only steps that go on so are refused. Costs 20 to 40 us on the CPU, and on a GPU a wait for the
    gradients.
    """

    def __init__(self) -> None:
        self._in_a_row = 0

    def check(self, module: LightningModule, optimizer: Optimizer) -> None:
        """Called before the optimizer's step, on all processes.

        Raises:
            NonFiniteError: A gradient is infinite or not a number.
        """
        gradients = [p.grad for group in optimizer.param_groups for p in group["params"]]
        fine = are_finite(gradient for gradient in gradients if gradient is not None)
        trainer = module.trainer
        if trainer.world_size > 1 and not isinstance(trainer.strategy, DDPStrategy):
            fine = trainer.strategy.reduce_boolean_decision(fine)  # each has gradients of its own
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
    """Whether all values are finite, and their Euclidean norm."""
    given = [t.coalesce().values() if t.is_sparse else t for t in tensors]
    return not given or bool(get_total_norm(given).isfinite())


def described(trainer: Trainer, what: str, optimizer: Optimizer) -> str:
    """Where training stands, and what to try."""
    rates = ", ".join(dict.fromkeys(f"{group['lr']:.3g}" for group in optimizer.param_groups))
    where = f"step {trainer.global_step + 1}, epoch {trainer.current_epoch + 1}"
    batch = f"batch {batch_index(trainer) + 1} of {trainer.num_training_batches}"
    return (
        f"the {what} is not finite in {where} ({batch}), at a learning rate of {rates}: the "
        "weights are as before it; lower the rate, or --trainer.gradient_clip_val 1"
    )


def weights_are_finite(module: LightningModule) -> bool:
    """Whether every weight and buffer is a finite number, however large."""
    return all(bool(weight.isfinite().all()) for weight in module.state_dict().values())
