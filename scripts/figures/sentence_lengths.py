"""Topic 13: how long the sentences are that a translator reads and writes."""

from collections import Counter
from typing import Any

from matplotlib.figure import Figure

from datamodules.fra_eng import FraEng
from scripts.corpora import ready
from scripts.figures.runs import Runs
from scripts.figures.style import BLUE, ORANGE, sheet

TOPIC = (13, "Machine translation")
LONGEST = 30


def corpus() -> FraEng:
    """The real pairs where they lie under $ZOO_DATA, else their stand-in; all to train on."""
    return ready(FraEng, num_val=0, num_test=0)


def sentence_lengths(runs: Runs) -> Figure:
    """Most sentences have five to nine tokens; the translations are a little longer.

    Rows of a batch are padded to the longest: batches of rows of like lengths, drawn by
    `datamodules.batches.length_buckets`, leave little to pad.

    Made from the pairs of fra-eng, or their stand-in where they are not there (the title says
    which), cut at blanks and before stops as in the course; <eos> is not counted.
    """
    figure, (panel,) = sheet(1, 1, 3.4)
    pairs = corpus()
    rows: Any = pairs.data["train"]
    target, source = (lengths.tolist() for lengths in rows.lengths)
    sides = ((source, 1, "English", BLUE, -0.2), (target, 2, "French", ORANGE, 0.2))
    for lengths, marks, language, color, shift in sides:
        counts = Counter(min(length - marks, LONGEST) for length in lengths)
        places = [length + shift for length in counts]
        mean = sum(length - marks for length in lengths) / len(lengths)
        label = f"{language}, {mean:.1f} on average"
        panel.bar(places, list(counts.values()), width=0.4, color=color, label=label)
    kind = "synthetic stand-in of " if pairs.synthetic else ""
    title = f"{kind}{pairs.title}, {len(source):,} pairs"
    panel.set(title=title, xlabel="tokens", ylabel="sentences")
    panel.set_xticks((1, 5, 10, 15, 20, 25, LONGEST), ("1", "5", "10", "15", "20", "25", "30+"))
    panel.legend()
    return figure
