"""Topic 14: where a translator looks."""

from typing import Any

from matplotlib.figure import Figure

import zoo
from scripts.figures.runs import Runs
from scripts.figures.sentence_lengths import corpus
from scripts.figures.style import sheet
from zoo.translation.pictures import attention_maps, draw_map

TOPIC = (14, "Attention")
RECIPE = "attention_seq2seq-fra_eng"
SHOWN = 6


def attention(runs: Runs) -> Figure:
    """Each word that is written comes from a look at the words that were read.

    A row is a word that is written, a column one that was read, the darker the more it weighed. In
    so short sentences the state that was handed on knows much already: a look may rest on the end.

    Made from the run of the recipe `attention_seq2seq-fra_eng`: the first 1,000 pairs of fra-eng,
    or of their stand-in where they are not there.
    """
    pairs = corpus()
    run = runs.fit(RECIPE, *(["--data.synthetic", "true"] if pairs.synthetic else []))
    model = zoo.load(run / "checkpoints" / "last.ckpt")
    trained = type(pairs)(synthetic=pairs.synthetic, num_pairs=1000, num_val=0, num_test=0)
    examples = trained.examples[-SHOWN:]
    figure, panels = sheet(2, 3, 5.2)
    draw_looks(panels, model, trained, examples)
    return figure


def draw_looks(panels: Any, model: Any, pairs: Any, sentences: tuple[str, ...]) -> None:
    """Draws where a translator looks, a panel for each sentence."""
    maps = attention_maps(model, pairs, sentences)
    for panel, sentence, one in zip(panels, sentences, maps, strict=True):
        panel.grid(visible=False)
        draw_map(panel, one)
        panel.set(title=sentence)
