"""Batch normalisation from its equations; torch's kernel is what networks use.

Source: Ioffe and Szegedy 2015, Batch Normalization, https://arxiv.org/abs/1502.03167
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from zoo.errors import InputError

Values = Float[Tensor, "*shape"]


class BatchNorm(nn.Module):
    """Gives each channel mean beta and deviation gamma, over a batch and its m values a channel.

        mu = 1/m sum x,   sigma^2 = 1/m sum (x - mu)^2
        y = gamma (x - mu) / sqrt(sigma^2 + eps) + beta

    In evaluation mu and sigma^2 are running means of those of the training batches, sigma^2 made
    unbiased: times m / (m - 1). Parameters and buffers have torch's names: gamma is `weight`, beta
    `bias`. In mixed precision the sums are in the parameters' precision, as torch's are.

    Shapes: (batch, features) or (batch, channels, height, width), which the output has too.

    Args:
        num_features: Features, or channels.
        eps: Keeps the divisor from 0.
        momentum: Share of the newest batch in the running means.

    Raises:
        InputError: The input has another rank or number of channels, or a training batch has no
            two values a channel, of which there is no variance.

    Source: algorithm 1; section 3.2 for channels; algorithm 2, step 10, for evaluation
    """

    running_mean: Tensor
    running_var: Tensor
    num_batches_tracked: Tensor

    def __init__(self, num_features: int, eps: float = 1e-5, momentum: float = 0.1) -> None:
        super().__init__()
        self.num_features, self.eps, self.momentum = num_features, eps, momentum
        self.weight = nn.Parameter(torch.ones(num_features))
        self.bias = nn.Parameter(torch.zeros(num_features))
        self.register_buffer("running_mean", torch.zeros(num_features))
        self.register_buffer("running_var", torch.ones(num_features))
        self.register_buffer("num_batches_tracked", torch.tensor(0))

    def forward(self, inputs: Values) -> Values:
        if inputs.dim() not in (2, 4) or inputs.shape[1] != self.num_features:
            raise InputError(
                f"a tensor of shape {tuple(inputs.shape)} has to be (batch, {self.num_features}) "
                f"or (batch, {self.num_features}, height, width)"
            )
        rows = inputs.movedim(1, -1).to(self.weight.dtype)  # channels last
        if self.training:
            mean, var = self.measure(rows)
        else:
            mean, var = self.running_mean, self.running_var
        outputs = self.weight * (rows - mean) / (var + self.eps).sqrt() + self.bias
        return outputs.movedim(-1, 1).to(inputs.dtype)

    def measure(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and biased variance of each channel, which go into the running ones."""
        count = rows.numel() // self.num_features
        if count < 2:
            raise InputError(f"{count} values a channel have no variance: train on larger batches")
        dims = tuple(range(rows.dim() - 1))
        mean = rows.mean(dims)
        var = (rows - mean).square().mean(dims)
        with torch.no_grad():
            self.running_mean += self.momentum * (mean - self.running_mean)
            self.running_var += self.momentum * (var * count / (count - 1) - self.running_var)
            self.num_batches_tracked += 1
        return mean, var
