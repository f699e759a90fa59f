"""Reviews with their labels, from which padded batches are gathered; how a review is cleaned.

Batch: (tokens, lengths, labels)
"""

import re
from typing import NamedTuple

import torch
from torch import Tensor

from datamodules.batches.in_memory import Rows, WholeBatches
from datamodules.batches.ragged import Ragged
from datamodules.files.text import composed
from datamodules.text.vocabulary import PAD, SPECIALS

STEPS = 4  # of lengths that count as alike, in an octave

BREAK = re.compile(r"<br\s*/?>")
CURLY = str.maketrans("\u2018\u2019\u201c\u201d", "''\"\"")
ENDING = re.compile(r"(?<=\w)(n't|'(?:s|m|d|ll|re|ve))\b")
MARK = re.compile(r"(?<!\w)'(?!(?:s|m|d|ll|re|ve)\b)|'(?!\w)|[^\w\s']")


def cleaned_review(text: str) -> str:
    """A review in lower case without line breaks, with blanks around stops and before n't and 's.

    So are the words that GloVe has vectors of: "it's not, isn't it?" -> "it 's not , is n't it ?".
    """
    text = BREAK.sub(" ", composed(text).lower().translate(CURLY))
    return MARK.sub(r" \g<0> ", ENDING.sub(r" \1", text))


class ReviewBatch(NamedTuple):
    """Reviews and their classes, padded to the longest of the batch.

    Attributes:
        tokens: Tokens of a review, then <pad>; int64 (batch, steps).
        lengths: Tokens that are not <pad>; int64 (batch).
        labels: Indices of the classes; int64 (batch).
    """

    tokens: Tensor
    lengths: Tensor
    labels: Tensor


class ReviewRows(WholeBatches):
    """Reviews of which `Rows` give a `ReviewBatch`.

    Args:
        texts: The tokens of reviews.
        labels: Classes of the reviews, int64 (reviews).
        chosen: Indices of the reviews that are rows, int64 (rows).
    """

    def __init__(self, texts: Ragged, labels: Tensor, chosen: Tensor) -> None:
        self.texts, self.labels, self.chosen = texts, labels, chosen

    def __len__(self) -> int:
        return len(self.chosen)

    def __getitem__(self, rows: Rows) -> ReviewBatch:
        chosen = self.chosen[rows.indices]
        tokens, lengths = self.texts.padded(chosen, SPECIALS.index(PAD))
        return ReviewBatch(tokens, lengths, self.labels[chosen.to(self.labels.device)])

    def to(self, device: torch.device | str) -> "ReviewRows":  # type: ignore[override]
        """The same reviews on `device`."""
        return ReviewRows(self.texts.to(device), self.labels.to(device), self.chosen)

    @property
    def lengths(self) -> tuple[Tensor]:
        """By which rows are alike: steps of a fifth, within which an epoch mixes them anew."""
        tokens = self.texts.lengths[self.chosen]
        return ((tokens.clamp(min=1).log2() * STEPS).long(),)
