"""A text as a language model reads it: how much each token surprised it, drawn."""

from math import log
from typing import Any

import torch
from lightning.pytorch import LightningModule, Trainer
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from torch import Tensor

from zoo.training.pictures import EvaluationPictures

COLUMNS, LINES = 64, 12  # characters


class TextPictures(EvaluationPictures):
    """Writes `<stage>_surprise.png`: the first row of the batches, from batch to batch.

    Does nothing where the corpus has no vocabulary (`vocab`).
    """

    rows: tuple[tuple[Tensor, Tensor], ...] = ()

    def begin(self, trainer: Trainer, model: LightningModule) -> None:
        self.rows = ()

    def add(self, batch: tuple[Tensor, Tensor], predictions: Tensor) -> None:
        if sum(len(targets) for targets, _ in self.rows) < COLUMNS * LINES:
            wanted = batch[1][0] >= 0
            self.rows += ((batch[1][0][wanted], predictions[0][wanted]),)

    def draw(self, trainer: Trainer, model: LightningModule) -> dict[str, Figure]:
        corpus: Any = getattr(trainer, "datamodule", None)
        if not (self.rows and trainer.is_global_zero and hasattr(corpus, "vocab")):
            return {}
        targets, chances = (torch.cat(part).cpu() for part in zip(*self.rows, strict=True))
        gap = 0 if corpus.tokenizer == "char" else 1
        tokens = corpus.vocab.tokens(targets.tolist())
        most = log(len(corpus.vocab))
        return {"surprise": draw_surprise(tokens, (-chances / most).tolist(), gap)}


def draw_surprise(tokens: list[str], surprises: list[float], gap: int = 0) -> Figure:
    """Tokens in lines, the darker the less they were expected.

    Args:
        tokens: Of a text.
        surprises: Of each: 0 where it was certain, 1 as if all were equally likely.
        gap: Columns between two tokens.
    """
    figure = Figure(layout="constrained")
    axis = figure.subplots()
    column, line = 0, 0
    for token, surprise in zip(tokens, surprises, strict=True):
        width = min(len(token), COLUMNS)
        if column + width > COLUMNS:
            column, line = 0, line + 1
        if line == LINES:
            break
        shade = min(surprise, 1.0)
        axis.add_patch(Rectangle((column, line), width, 1, color="C1", alpha=shade, linewidth=0))
        style: dict[str, Any] = {
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
    axis.set_title("the darker, the less expected", fontsize=9, loc="left")
    return figure
