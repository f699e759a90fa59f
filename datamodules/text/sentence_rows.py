"""Sentences with their translations, from which padded batches are gathered.

Batch: (source, source_lengths, target, target_lengths, references)
"""

from typing import NamedTuple

import torch
from torch import Tensor

from datamodules.batches.in_memory import Rows, WholeBatches
from datamodules.batches.ragged import Ragged
from datamodules.text.vocabulary import PAD, SPECIALS


class TranslationBatch(NamedTuple):
    """Sentences and their translations, padded to the longest of the batch.

    Attributes:
        source: Tokens and <eos>, then <pad>; int64 (batch, source_steps).
        source_lengths: Tokens that are not <pad>; int64 (batch).
        target: <bos>, tokens and <eos>, then <pad>; int64 (batch, target_steps).
        target_lengths: Tokens that are not <pad>; int64 (batch).
        references: The translations as text; none in training.
    """

    source: Tensor
    source_lengths: Tensor
    target: Tensor
    target_lengths: Tensor
    references: tuple[str, ...]


class SentenceRows(WholeBatches):
    """Pairs of which `Rows` give a `TranslationBatch`.

    Args:
        source: The sentences.
        target: Translations of the sentences.
        references: The translations as text, or nothing.
    """

    def __init__(self, source: Ragged, target: Ragged, references: tuple[str, ...] = ()) -> None:
        self.source, self.target, self.references = source, target, references

    def __len__(self) -> int:
        return len(self.source)

    def __getitem__(self, rows: Rows) -> TranslationBatch:  # type: ignore[override]
        references = self.references and tuple(self.references[i] for i in rows.indices.tolist())
        padding = SPECIALS.index(PAD)
        source, target = (side.padded(rows.indices, padding) for side in (self.source, self.target))
        return TranslationBatch(*source, *target, references)

    def to(self, device: torch.device | str) -> "SentenceRows":  # type: ignore[override]
        """The same pairs on `device`."""
        return SentenceRows(self.source.to(device), self.target.to(device), self.references)

    @property
    def lengths(self) -> tuple[Tensor, Tensor]:
        """By which rows are alike: the target's, then the source's."""
        return self.target.lengths, self.source.lengths
