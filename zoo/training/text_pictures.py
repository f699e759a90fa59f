"""A text as a model reads it, drawn: what surprised it, or what it took for something else."""

from math import log
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

    Does nothing where the corpus has no vocabulary (`vocab`).
    """

    rows: tuple[tuple[Tensor, Tensor, Tensor], ...] = ()

    def begin(self, trainer: Trainer, model: LightningModule) -> None:
        self.rows = ()

    def add(self, batch: tuple[Tensor, Tensor], predictions: Tensor) -> None:
        if sum(len(tokens) for tokens, *_ in self.rows) < COLUMNS * LINES:
            wanted = batch[1][0] >= 0
            tokens, targets = batch[0][0], batch[1][0]
            self.rows += ((tokens[wanted], targets[wanted], predictions[0][wanted]),)

    def draw(self, trainer: Trainer, model: LightningModule) -> dict[str, Figure]:
        corpus: Any = getattr(trainer, "datamodule", None)
        if not (self.rows and trainer.is_global_zero and hasattr(corpus, "vocab")):
            return {}
        return self.show(corpus, *(torch.cat(part).cpu() for part in zip(*self.rows, strict=True)))

    def show(
        self, corpus: Any, tokens: Tensor, targets: Tensor, predictions: Tensor
    ) -> dict[str, Figure]:
        """The figures of a text, (steps) each."""
        return {}


class TagPictures(FirstRows):
    """Writes `<stage>_tags.png`: a text with what its tags say that stands before each token.

    Of a corpus that says so (`before`).
    """

    def show(
        self, corpus: Any, tokens: Tensor, targets: Tensor, predictions: Tensor
    ) -> dict[str, Figure]:
        pairs = zip(predictions.tolist(), corpus.vocab.tokens(tokens.tolist()), strict=True)
        texts = [corpus.before[tag] + token for tag, token in pairs]
        wrong = (predictions != targets).float().tolist()
        return {"tags": draw_text(texts, wrong, "as tagged; shaded where the tag is wrong")}


class TextPictures(FirstRows):
    """Writes `<stage>_surprise.png`: a text with how much each token surprised the model."""

    def show(
        self, corpus: Any, tokens: Tensor, targets: Tensor, predictions: Tensor
    ) -> dict[str, Figure]:
        gap = 0 if corpus.tokenizer == "char" else 1
        texts = corpus.vocab.tokens(targets.tolist())
        surprises = (-predictions / log(len(corpus.vocab))).tolist()  # 1: as if all were alike
        return {"surprise": draw_text(texts, surprises, "the darker, the less expected", gap)}


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
