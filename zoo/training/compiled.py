"""torch.compile for the networks of a model, as a callback of any Trainer."""

from collections.abc import Iterator

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from torch import nn
from torchmetrics import Metric

from zoo.errors import InputError


class Compile(Callback):
    """Compiles what a model is put together from, in place, before the first step.

    Checkpoints are those of the model as it is: in place, no parameter changes its name. What is
    compiled are the submodules that have submodules of their own (stem, stages, a block of a
    transformer); a single kernel (a linear layer, an embedding, an LSTM) is compiled already.

    Args:
        backend: Of torch.compile.

    Raises:
        InputError: The model has no such submodule, or the backend does not work here.
    """

    def __init__(self, backend: str = "inductor") -> None:
        self.backend = backend

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        if stage != "fit":
            return
        found = networks(pl_module)
        if not found:
            raise InputError(nothing_to_compile(type(pl_module).__name__))
        self._try(trainer.strategy.root_device)
        for network in found:
            network.compile(backend=self.backend)

    def _try(self, device: torch.device) -> None:
        """Compiles a sum, which needs all that a network needs: a compiler, headers, Triton."""
        double = torch.compile(lambda x: x + x, backend=self.backend)
        try:
            double(torch.ones(2, device=device))
        except Exception as error:
            reason = next(
                line.strip() for line in [*str(error).splitlines(), "unknown"] if line.strip()
            )
            raise InputError(
                f"torch.compile does not work on {device.type} here: {reason} (on a CPU it needs a "
                "C++ compiler, g++ or CXX=...; on a GPU Triton): mend that, or leave +compile out"
            ) from None


def networks(model: nn.Module) -> list[nn.Module]:
    """The submodules of a model that are worth compiling."""
    return [child for child in _parts(model) if any(True for _ in child.children())]


def nothing_to_compile(name: str) -> str:
    """What to say of a model without such submodules."""
    return f"{name} is made of single kernels: +compile has nothing to make faster"


def _parts(module: nn.Module) -> Iterator[nn.Module]:
    """Submodules; of those that only list others, the others."""
    for child in module.children():
        if isinstance(child, nn.ModuleList | nn.ModuleDict):
            yield from _parts(child)
        elif not isinstance(child, Metric):
            yield child
