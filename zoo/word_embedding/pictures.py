"""A map of the words that a model knows best: those that keep the same company lie together."""

from itertools import islice

import torch
from lightning.pytorch import LightningModule, Trainer
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.transforms import Bbox
from torch import Tensor
from torch.nn.functional import normalize

from zoo.training.corpus import WithVocabulary, corpus_of
from zoo.training.pictures import EvaluationPictures
from zoo.word_embedding.queries import is_special

SHOWN = 150  # words
SIDES = {  # of a point, where its label goes: offsets in points, and how the text lies there
    (0, 4): ("center", "bottom"),
    (0, -4): ("center", "top"),
    (4, 0): ("left", "center"),
    (-4, 0): ("right", "center"),
}


class WordMap(EvaluationPictures):
    """Writes `<stage>_words.png`: the most frequent words on a plane.

    Does nothing where the corpus has no vocabulary (`vocab`), whose entries are taken to begin with
    the most frequent, where it has fewer than three words, or where vectors have a single value.
    """

    def draw(self, trainer: Trainer, model: LightningModule) -> dict[str, Figure]:
        corpus = corpus_of(trainer, WithVocabulary)
        words_alone = (
            (row, entry)
            for row, entry in enumerate(corpus.vocab.entries if corpus else ())
            if any(map(str.isalpha, entry)) and not is_special(entry)
        )
        chosen = [*islice(words_alone, SHOWN)]
        if len(chosen) < 3 or not trainer.is_global_zero:
            return {}
        rows, words = zip(*chosen, strict=True)
        table: Tensor = model.table().detach()  # type: ignore[operator]
        if table.shape[1] < 2:
            return {}
        return {"words": draw_words(plane(table[list(rows)].float().cpu()), list(words))}


def plane(vectors: Tensor) -> Tensor:
    """The directions of vectors, on the plane in which they differ most.

    Args:
        vectors: (words, embed).

    Returns:
        Their two first principal components, (words, 2); the greatest along each is positive.
    """
    directions = normalize(vectors, dim=1)
    left, sizes, _ = torch.linalg.svd(directions - directions.mean(0), full_matrices=False)
    points = (left * sizes)[:, :2]
    greatest = points.gather(0, points.abs().argmax(0, keepdim=True))
    return points * greatest.sign()


def draw_words(points: Tensor, words: list[str]) -> Figure:
    """Words (words) at points (words, 2); labels that would cover others are left out."""
    figure = Figure(figsize=(9, 9))
    canvas = FigureCanvasAgg(figure)
    axis = figure.add_axes((0.02, 0.02, 0.96, 0.94))
    axis.scatter(points[:, 0], points[:, 1], s=6, color="C0", linewidths=0)
    axis.margins(0.05)
    axis.set(xticks=[], yticks=[])
    axis.autoscale_view()  # matplotlib puts it off until it draws
    dots = axis.transData.transform(points.numpy())
    occupied = [Bbox.from_bounds(x - 2, y - 2, 4, 4) for x, y in dots]
    frame, labelled = axis.get_window_extent(), 0
    for point, word in zip(points.tolist(), words, strict=True):
        for offset, (across, along) in SIDES.items():
            label = axis.annotate(
                word,
                point,
                offset,
                textcoords="offset points",
                ha=across,
                va=along,
                fontsize=8,
                parse_math=False,
            )
            box = label.get_window_extent(canvas.get_renderer())
            inside = frame.contains(*box.min) and frame.contains(*box.max)
            if inside and not box.count_overlaps(occupied):
                occupied.append(box)
                labelled += 1
                break
            label.remove()
    title = f"the {len(words)} most frequent words, {labelled} of them named"
    axis.set_title(title, fontsize=9, loc="left")
    return figure
