"""Rows of different lengths without padding, from which padded batches are gathered."""

from collections.abc import Iterable, Iterator

import torch
from torch import Tensor

from datamodules.tokenizers import Tokenizer
from datamodules.vocabulary import BOS, EOS, Vocab


class Ragged:
    """Rows of numbers, one after another; any of them, padded, come in one gather.

    Args:
        flat: The numbers of all rows, int64 (total).
        lengths: Of the rows, int64 (rows).
    """

    def __init__(self, flat: Tensor, lengths: Tensor) -> None:
        self.flat = flat
        self.lengths = lengths.cpu()  # the longest row of a batch is told without the device
        self._lengths = lengths.to(flat.device)
        self._starts = self._lengths.cumsum(0) - self._lengths

    def __len__(self) -> int:
        return len(self.lengths)

    def padded(self, rows: Tensor, padding: int) -> tuple[Tensor, Tensor]:
        """These rows, (batch, steps) of the longest one, and their lengths, (batch)."""
        steps = int(self.lengths[rows].max()) if len(rows) else 0
        rows = rows.to(self.flat.device)
        lengths = self._lengths[rows]
        step = torch.arange(steps, device=self.flat.device)
        places = (self._starts[rows, None] + step).clamp(max=len(self.flat) - 1)
        return self.flat[places].masked_fill(step >= lengths[:, None], padding), lengths

    def to(self, device: torch.device | str) -> "Ragged":
        """The same rows on `device`."""
        return Ragged(self.flat.to(device), self.lengths)


class TokenRows(Ragged):
    """Sentences as rows of tokens, which are numbered as they first appear.

    Args:
        sentences: Texts.
        cut: What cuts a text into tokens.
    """

    def __init__(self, sentences: Iterable[str], cut: Tokenizer) -> None:
        index: dict[str, int] = {}
        flat: list[int] = []
        lengths: list[int] = []
        for sentence in sentences:
            row = [index.setdefault(token, len(index)) for token in cut(sentence)]
            flat += row
            lengths.append(len(row))
        super().__init__(torch.tensor(flat, dtype=torch.long), torch.tensor(lengths))
        self.kinds = tuple(index)

    def tokens(self, rows: Tensor) -> Iterator[str]:
        """The tokens of these rows, row after row."""
        row, within = _places(self.lengths[rows])
        return (self.kinds[token] for token in self.flat[self._starts[rows][row] + within].tolist())

    def indices(self, rows: Tensor, vocab: Vocab, *, bos: bool, most: int | None = None) -> Ragged:
        """The indices of these rows' tokens, and <eos> after each row.

        Args:
            rows: Which.
            vocab: Of the tokens and of <eos>.
            bos: Whether <bos> comes before each.
            most: Tokens that are kept of a row, <eos> among them and <bos> not.
        """
        kept = self.lengths[rows]
        if most is not None:
            kept = kept.clamp(max=most - 1)
        row, within = _places(kept)
        lengths = kept + bos + 1
        starts = lengths.cumsum(0) - lengths
        flat = torch.full((int(lengths.sum()),), vocab[EOS])
        if bos:
            flat[starts] = vocab[BOS]
        index = torch.tensor(vocab[self.kinds], dtype=torch.long)
        flat[starts[row] + bos + within] = index[self.flat[self._starts[rows][row] + within]]
        return Ragged(flat, lengths)


def _places(lengths: Tensor) -> tuple[Tensor, Tensor]:
    """Of each number the row that it is in, and its place there."""
    row = torch.arange(len(lengths)).repeat_interleave(lengths)
    return row, torch.arange(len(row)) - (lengths.cumsum(0) - lengths)[row]
