"""GAN: a linear generator learns a Gaussian that it sees only through a discriminator.

As in the course, at the smallest scale: noise of two values, of which x = z W^T + c is a sample of
N(c, W W^T).

Paper:  Goodfellow et al. 2014, https://arxiv.org/abs/1406.2661, Figure 1
Shapes: (batch, 2) -> (batch, 2)
Size:   43 parameters
Config: gan-gaussian2d
Result: gan-gaussian2d: loss of the discriminator 0.6932, of the generator 0.6934, error of the mean
        0.0186, of the covariance 0.0750 after 150 epochs (generated corpus, seed 0, 2026-11-28:
        `zoo fit gan-gaussian2d`, `zoo test`); seed 1: 0.6931, 0.6942, 0.0273, 0.0775; seed 2:
        0.6932, 0.6876, 0.0045, 0.0752
"""

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Callback
from torch import Generator, Tensor, nn

from zoo.errors import InputError, in_bounds
from zoo.generation.sample_scatters import SampleScatters
from zoo.generation.task import AdversarialGenerator

MEASURED = 10_000  # samples


class GAN(AdversarialGenerator):
    """A linear generator, and a discriminator of dense layers with tanh between them.

    Validation compares samples with the distribution of the corpus, where it is known: the length
    of what their mean is off, by the length of that mean (`mean_error`), and likewise of the
    covariance (`covariance_error`), as vectors.

    Args:
        in_features: Values of a row of data.
        latent_dim: Values of the noise of a sample; as many as of a row by default.
        hidden_sizes: Sizes of the discriminator's hidden layers.
        mean: Mean of the corpus.
        covariance: Covariance of the corpus.
        adversarial: Arguments of every adversarial network.

    Raises:
        InputError: An argument is out of range.
    """

    example_sizes = {"in_features": 2, "latent_dim": 2}

    def __init__(
        self,
        in_features: int,
        latent_dim: int | None = None,
        hidden_sizes: Sequence[int] = (5, 3),
        mean: Sequence[float] | None = None,
        covariance: Sequence[Sequence[float]] | None = None,
        **adversarial: Any,
    ) -> None:
        super().__init__(latent_dim or in_features, **adversarial)
        self.save_hyperparameters()
        in_bounds(1, hidden_sizes=hidden_sizes)
        if self.conditional:
            raise InputError("the points have no labels: --model.conditional false")
        self.truth = {"mean": mean, "covariance": covariance}
        sizes = [in_features, *hidden_sizes]
        layers: list[nn.Module] = []
        for size, following in pairwise(sizes):
            layers += [nn.Linear(size, following), nn.Tanh()]
        networks = (
            nn.Linear(self.latent_dim, in_features),
            nn.Sequential(*layers, nn.Linear(sizes[-1], 1)),
        )
        for network in networks:
            for layer in network.modules():
                if isinstance(layer, nn.Linear):
                    nn.init.normal_(layer.weight, std=0.02)
                    nn.init.zeros_(layer.bias)
        self.assemble(*networks)

    @classmethod
    def example(cls, rows: int = 1) -> tuple[Tensor]:
        return (torch.randn(rows, cls.example_sizes["in_features"]),)

    def quality(self) -> dict[str, Tensor]:
        """How far mean and covariance of many samples are off."""
        with torch.no_grad():
            samples = self(self.noise(MEASURED, Generator().manual_seed(0)))
        found = {"mean": samples.mean(0), "covariance": samples.T.cov()}
        errors = {}
        for name, true in self.truth.items():
            if true is not None:
                wanted = found[name].new_tensor(true)
                errors[f"{name}_error"] = (found[name] - wanted).norm() / wanted.norm()
        return errors

    def pictures(self, folder: Path) -> list[Callback]:
        return [SampleScatters(folder)]
