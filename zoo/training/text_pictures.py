"""A text as a model reads it, drawn: what surprised it, or what it took for something else."""

from typing import Any

import torch
from lightning.pytorch import LightningModule, Trainer
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from torch import Tensor

from zoo.training.pictures import EvaluationPictures

COLUMNS, LINES = 64, 12  # characters


class FirstRows(EvaluationPictures):
    """Keeps the first row of the batches, from batch to batch: tokens, targets, predictions.

    A kind of text says what it draws of them (`show`).
    """

    rows: tuple[tuple[Tensor, Tensor, Tensor], ...] = ()

    def reset(self, trainer: Trainer, model: LightningModule) -> None:
        self.rows = ()

    def update(self, batch: tuple[Tensor, Tensor], predictions: Tensor) -> None:
        if sum(len(tokens) for tokens, *_ in self.rows) < COLUMNS * LINES:
            wanted = batch[1][0] >= 0
            tokens, targets = batch[0][0], batch[1][0]
            self.rows += ((tokens[wanted], targets[wanted], predictions[0][wanted]),)

    def draw(self, trainer: Trainer, model: LightningModule) -> dict[str, Figure]:
        if not (self.rows and trainer.is_global_zero):
            return {}
        columns = (torch.cat(part).cpu() for part in zip(*self.rows, strict=True))
        return self.show(trainer, *columns)

    def show(
        self, trainer: Trainer, tokens: Tensor, targets: Tensor, predictions: Tensor
    ) -> dict[str, Figure]:
        """Returns the figures of a text, (steps) each."""
        return {}


def draw_text(tokens: list[str], shades: list[float], title: str, gap: int = 0) -> Figure:
    """Tokens in lines, shaded.

    Args:
        tokens: Of a text.
        shades: Of each: from 0, none, to 1.
        title: What the shade says.
        gap: Columns between two tokens.
    """
    figure = Figure(layout="constrained")
    axis = figure.subplots()
    column, line = 0, 0
    for token, shade in zip(tokens, shades, strict=True):
        width = min(len(token), COLUMNS)
        if column + width > COLUMNS:
            column, line = 0, line + 1
        if line == LINES:
            break
        style: dict[str, Any] = {"color": "C1", "alpha": min(shade, 1.0), "linewidth": 0}
        axis.add_patch(Rectangle((column, line), width, 1, **style))
        style = {
            "family": "monospace",
            "fontsize": 9,
            "ha": "center",
            "va": "center",
        }
        shown = token if token.isprintable() else repr(token)[1:-1]
        axis.text(column + width / 2, line + 0.5, shown[:COLUMNS], parse_math=False, **style)
        column += width + gap
    lines = min(line + 1, LINES)
    figure.set_size_inches(10, 0.4 + 0.27 * lines)
    axis.set(xlim=(0, COLUMNS), ylim=(lines, 0))
    axis.set_axis_off()
    axis.set_title(title, fontsize=9, loc="left")
    return figure
