"""A network that follows another at a distance: its weights are moving averages.

Source: Karras et al. 2018, https://arxiv.org/abs/1710.10196, Section 4; Yazici et al. 2019,
        https://arxiv.org/abs/1806.04498
"""

from copy import deepcopy
from typing import Any

import torch
from torch import Tensor, nn


class MovingAverage(nn.Module):
    """A copy of a network whose parameters are buffers: saved and moved, never trained.

        w <- d w + (1 - d) w',  d = min(decay, (1 + t) / (10 + t)) at the update t = 0, 1, ...

    so that the first weights, which are noise, are soon forgotten. What batch normalisation keeps
    is averaged, too.

    Args:
        network: Network that is averaged.
        decay: d, in (0, 1).
    """

    updates: Tensor

    def __init__(self, network: nn.Module, decay: float) -> None:
        super().__init__()
        self.decay = decay
        self.network = deepcopy(network)
        for module in self.network.modules():
            for name, parameter in [*module.named_parameters(recurse=False)]:
                delattr(module, name)
                module.register_buffer(name, parameter.detach().clone())
        self.register_buffer("updates", torch.zeros(()))

    def update(self, network: nn.Module) -> None:
        """Goes a step towards the network as it is now."""
        step = 1 - ((1 + self.updates) / (10 + self.updates)).clamp(max=self.decay)
        self.updates += 1
        now = network.state_dict()
        for name, average in self.network.state_dict().items():
            if average.is_floating_point():
                average.lerp_(now[name], step.to(average.dtype))
            else:
                average.copy_(now[name])

    def forward(self, *inputs: Any) -> Tensor:
        return self.network(*inputs)
