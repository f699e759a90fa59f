"""Topic 4: how often words, pairs and triples of words are used."""

import torch
from matplotlib.figure import Figure

from datamodules.text.vocabulary import count_ngrams
from datamodules.time_machine import TimeMachine
from scripts.corpora import ready
from scripts.figures.runs import Runs
from scripts.figures.style import BLUE, GREEN, GREY, NOTE, ORANGE, sheet

TOPIC = (4, "Text preprocessing")
KINDS = ((1, "words", BLUE), (2, "pairs", ORANGE), (3, "triples", GREEN))


def zipf(runs: Runs) -> Figure:
    """Zipf's law: the second word comes half as often as the first, the tenth a tenth as often.

    On two logarithmic axes the frequency of words over their rank is nearly straight, with a slope
    of -1 (dashed). Pairs and triples fall more slowly, for there are more of them. In a novel most
    of these are there once, too few to tell how probable they are: so an n-gram model has to
    smooth its counts. The stand-in has too few words: its curve bends down.

    Made from the words of The Time Machine, or its stand-in where it is not there (the title says
    which): letters alone, in lower case, counted by `datamodules.text.vocabulary.count_ngrams`.
    """
    figure, (panel,) = sheet(1, 1, 4.6)
    corpus = ready(TimeMachine, tokenizer="word", validation_fraction=0.0)
    tokens = corpus.tokens("train")
    text = "synthetic stand-in of " * corpus.synthetic + corpus.title
    for order, kind, color in KINDS:
        counts = count_ngrams(tokens, order)
        frequencies = sorted(counts.values(), reverse=True)
        ranks = torch.arange(1, len(frequencies) + 1)
        once = frequencies.count(1) / len(frequencies)
        label = f"{len(frequencies):,} {kind}, {once:.0%} of them there once"
        panel.plot(ranks, frequencies, color=color, linewidth=2, label=label)
        first, _ = counts.most_common(1)[0]
        panel.annotate(
            " ".join(first),
            (1, frequencies[0]),
            xytext=(8, 3),
            textcoords="offset points",
            **NOTE,
        )
        if order == 1:
            law = frequencies[0] / ranks
            panel.plot(ranks, law, color=GREY, linewidth=1, linestyle="--")
    panel.set(xscale="log", yscale="log")
    panel.set(title=f"{text}, {len(tokens):,} words", xlabel="rank", ylabel="how often it is there")
    panel.legend()
    return figure
