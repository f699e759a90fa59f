"""How near samples are to pictures: by their features, in distribution and one by one.

Source: Heusel et al. 2017, https://arxiv.org/abs/1706.08500, equation 6, by torchmetrics;
        Kynkäänniemi et al. 2019, https://arxiv.org/abs/1904.06991, equations 1 and 2
"""

import torch
from torch import Tensor, nn
from torchmetrics import Metric
from torchmetrics.image.fid import FrechetInceptionDistance
from torchmetrics.utilities import dim_zero_cat

NEAREST = 3  # neighbours, as in the paper
ROWS = 1000  # of which distances to all others are in memory at a time


class Rows(Metric):
    """Features (batch, features), one batch after another, of all processes."""

    rows: list[Tensor]

    def __init__(self) -> None:
        super().__init__()
        self.add_state("rows", [], dist_reduce_fx="cat")

    def update(self, rows: Tensor) -> None:
        self.rows.append(rows)

    def compute(self) -> Tensor:
        return dim_zero_cat(self.rows)


class SampleQuality:
    """Collects features of pictures and of samples, on every process its own.

    Not a module, so that it is no part of a checkpoint.

    Args:
        network: Maps pictures (batch, channels, height, width) to features (batch,
            `num_features`).
    """

    def __init__(self, network: nn.Module) -> None:
        self.network = network
        self.num_features = int(network.num_features)  # type: ignore[arg-type]
        as_they_are = nn.Identity()
        as_they_are.num_features = self.num_features  # type: ignore[assignment]
        self.distance = FrechetInceptionDistance(feature=as_they_are)
        self.features = {real: Rows() for real in (True, False)}

    def reset(self, device: torch.device) -> None:
        """Forgets everything, and goes on on a device."""
        self.network.to(device)
        for metric in (self.distance, *self.features.values()):
            metric.to(device)
            metric.reset()

    def update(self, images: Tensor, *, real: bool) -> None:
        """Adds pictures with pixels in [0, 1], of the corpus or samples; perhaps none."""
        empty = images.new_zeros(0, self.num_features)
        found = self.network(images) if len(images) else empty
        self.distance.update(found, real=real)
        self.features[real].update(found)

    def compute(self) -> dict[str, Tensor]:
        """The measures over all processes; none where there are too few rows for them."""
        real, fake = (self.features[key].compute() for key in (True, False))
        if min(len(real), len(fake)) <= NEAREST:
            return {}
        precision, recall = precision_and_recall(real, fake)
        distance = self.distance.compute()
        return {"frechet_distance": distance, "precision": precision, "recall": recall}


def precision_and_recall(
    real: Tensor, fake: Tensor, nearest: int = NEAREST
) -> tuple[Tensor, Tensor]:
    """Shares of samples that lie among the pictures, and of pictures that lie among the samples.

    A point lies among others where it is no further from one of them than that one's `nearest`-th
    neighbour of its own kind.

    Args:
        real: Features of pictures, (rows, features).
        fake: Features of samples, (other rows, features).
        nearest: k.
    """
    real, fake = real.double(), fake.double()
    return _among(fake, real, nearest), _among(real, fake, nearest)


def _among(points: Tensor, others: Tensor, nearest: int) -> Tensor:
    """The share of points (n, features) among others (m, features)."""
    radii = torch.cat(
        [
            torch.cdist(part, others).topk(nearest + 1, largest=False).values[:, -1]
            for part in others.split(ROWS)
        ]
    )
    within = [(torch.cdist(part, others) <= radii).any(1) for part in points.split(ROWS)]
    return torch.cat(within).double().mean()
