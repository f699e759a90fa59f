"""Topic 4: how often words, pairs and triples of words are used."""

import torch
from matplotlib.figure import Figure

from datamodules.text.vocabulary import count_ngrams
from datamodules.time_machine import TimeMachine
from scripts.figures.runs import Runs
from scripts.figures.style import BLUE, GREEN, GREY, NOTE, ORANGE, sheet

TOPIC = (4, "Text preprocessing")
KINDS = ((1, "words", BLUE), (2, "pairs", ORANGE), (3, "triples", GREEN))


def words() -> tuple[list[str], str]:
    """The words of The Time Machine in order, and the name of the text.

    The real corpus where it lies under $ZOO_DATA, else its stand-in.
    """
    corpus = TimeMachine(tokenizer="word", validation_fraction=0.0)
    if corpus.found:
        return corpus.tokens("train"), corpus.title
    corpus = TimeMachine(tokenizer="word", validation_fraction=0.0, synthetic=True)
    corpus.prepare_data()
    return corpus.tokens("train"), f"synthetic stand-in of {corpus.title}"


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
    tokens, text = words()
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
