"""Topic 15: what a Transformer is told of positions, and over what it normalises."""

import torch
from matplotlib.figure import Figure
from torch import nn

import zoo
from datamodules import FraEng
from scripts.figures.attention import draw_looks
from scripts.figures.runs import Runs
from scripts.figures.style import BLUE, GREEN, NOTE, ORANGE, PURPLE, sheet
from zoo.layers.attention import sinusoids

TOPIC = (15, "Transformer")
POSITIONS, DIMENSIONS = 60, 32
PAIRS = 5000
SENTENCES = "does the teacher forget my blue picture ?", "the teacher didn't watch my old cat ."


def positions(runs: Runs) -> Figure:
    """Positions as sines and cosines: each pair of dimensions turns more slowly than the last.

    Left, a row a position: like the digits of a number that counts up, the first dimensions change
    with each step and the last hardly at all. Right, four of them as curves. A step further turns
    each pair by the same angle wherever it is made, so that distances can be learnt.

    Made from `zoo.layers.attention.sinusoids` for 60 positions and 32 dimensions.
    """
    figure, (image, curves) = sheet(1, 2, 3.6)
    table = sinusoids(POSITIONS, DIMENSIONS)
    image.grid(visible=False)
    shown = image.imshow(table, cmap="RdBu", vmin=-1, vmax=1, aspect="auto")
    figure.colorbar(shown, ax=image, ticks=(-1, 0, 1), label="value")
    image.set(title="the encoding", xlabel="dimension", ylabel="position")
    for dimension, color in zip((6, 7, 8, 9), (BLUE, ORANGE, GREEN, PURPLE), strict=True):
        curves.plot(table[:, dimension], color=color, label=f"dimension {dimension}")
    curves.set(title="four dimensions", xlabel="position")
    curves.legend(ncols=2, loc="lower center", bbox_to_anchor=(0.5, -0.38))
    return figure


def normalisation(runs: Runs) -> Figure:
    """Layer normalisation is over the values of a row, batch normalisation over the rows.

    Of three rows of which the last is ten times as large, layer normalisation makes the same as of
    small ones: a word means what it means, whatever stands beside it in the batch, and a sentence
    may have any length. Batch normalisation keeps the rows apart and makes the columns alike.

    Made from `torch.nn.LayerNorm` and `torch.nn.BatchNorm1d` in training, with their first weights.
    """
    figure, panels = sheet(1, 3, 3.0)
    rows = torch.tensor([[1.0, 2.0, 4.0], [2.0, 3.0, 1.0], [10.0, 20.0, 40.0]])
    made = {
        "three rows": rows,
        "layer normalisation": nn.LayerNorm(3)(rows),
        "batch normalisation": nn.BatchNorm1d(3)(rows),
    }
    for panel, (title, values) in zip(panels, made.items(), strict=True):
        values = values.detach()
        panel.grid(visible=False)
        most = values.abs().max().item()
        panel.imshow(values, cmap="RdBu", vmin=-1.4 * most, vmax=1.4 * most, aspect="auto")
        for row, column in ((row, column) for row in range(3) for column in range(3)):
            text = f"{values[row, column].item():.2f}"
            panel.text(column, row, text, ha="center", va="center", **NOTE)
        panel.set(xticks=range(3), yticks=range(3), title=title, xlabel="value", ylabel="row")
    return figure


def alignment(runs: Runs) -> Figure:
    """Nobody says which word is the translation of which, and yet the Transformer finds out.

    A row is a word that is written, a column one that was read, the darker the more it weighed, as
    a mean of all heads. Where French puts the adjective behind the noun the diagonal is crossed.

    Made from a run of the recipe `transformer-fra_eng` on 5,000 pairs of the synthetic stand-in,
    with 30 epochs in batches of 64.
    """
    run = runs.fit(
        "transformer-fra_eng",
        *("--data.synthetic=true", f"--data.num_pairs={PAIRS}", "--data.num_val=200"),
        *("--data.batch_size=64", "--trainer.max_epochs=30"),
    )
    model = zoo.load(run / "checkpoints" / "last.ckpt")
    corpus = FraEng(synthetic=True, num_pairs=PAIRS, num_val=200, num_test=0)
    figure, panels = sheet(1, 2, 4.4)
    draw_looks(panels, model, corpus, SENTENCES)
    return figure
