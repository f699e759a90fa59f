"""What a generator of points makes as it learns: samples over the data, after each epoch."""

from typing import Any

import torch
from lightning.pytorch import LightningModule, Trainer
from matplotlib.figure import Figure
from torch import Tensor

from zoo.generation.sample_grids import SampleFilm, drawn

SHOWN = 1000  # points


class SampleScatters(SampleFilm):
    """Points over the first rows that were trained on; of more than two values the first two."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.data = torch.empty(0)

    def on_train_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int
    ) -> None:
        if len(self.data) < SHOWN:
            self.data = torch.cat([self.data.to(batch[0]), batch[0]])[:SHOWN]

    def draw(self, model: Any) -> Figure:
        noise = model.noise(SHOWN, torch.Generator().manual_seed(0))
        return draw_scatter(drawn(model, noise), self.data.float().cpu())


def draw_scatter(samples: Tensor, data: Tensor | None = None) -> Figure:
    """Samples (batch, values) over data (rows, values), where it is given; both fill the frame."""
    figure = Figure(figsize=(5, 4.5), layout="constrained")
    axis = figure.subplots()
    given = {"data": data, "samples": samples}
    for color, (name, points) in enumerate(given.items()):
        if points is not None and len(points):
            x, y = points[:, :2].T
            axis.scatter(x, y, s=8, alpha=0.6, color=f"C{color}", linewidths=0, label=name)
    if data is not None and len(data):
        low, high = data[:, :2].min(0).values, data[:, :2].max(0).values
        room = (high - low) * 0.2
        axis.set(xlim=(low[0] - room[0], high[0] + room[0]))
        axis.set(ylim=(low[1] - room[1], high[1] + room[1]))
    axis.set(xlabel="x₁", ylabel="x₂")
    axis.legend(loc="upper left")
    axis.spines[["top", "right"]].set_visible(False)
    return figure
