"""Rows of tokens of different lengths, kept as one flat tensor."""

from collections.abc import Iterable, Iterator

import torch
from torch import Tensor

from datamodules.batches.ragged import Ragged, row_positions
from datamodules.text.tokenizers import Tokenizer
from datamodules.text.vocabulary import BOS, EOS, Vocab


class TokenRows(Ragged):
    """Sentences as rows of tokens, which are numbered as they first appear.

    Args:
        sentences: Texts.
        cut: Function that cuts a text into tokens.
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
        row, within = row_positions(self.lengths[rows])
        return (self.kinds[token] for token in self.flat[self._starts[rows][row] + within].tolist())

    def indices(self, rows: Tensor, vocab: Vocab, *, bos: bool, most: int | None = None) -> Ragged:
        """The indices of these rows' tokens, and <eos> after each row.

        Args:
            rows: Indices of the rows.
            vocab: Vocabulary of the tokens and of <eos>.
            bos: Whether <bos> comes before each.
            most: Tokens that are kept of a row, <eos> among them and <bos> not.
        """
        kept = self.lengths[rows]
        if most is not None:
            kept = kept.clamp(max=most - 1)
        row, within = row_positions(kept)
        lengths = kept + bos + 1
        starts = lengths.cumsum(0) - lengths
        flat = torch.full((int(lengths.sum()),), vocab[EOS])
        if bos:
            flat[starts] = vocab[BOS]
        index = torch.tensor(vocab[self.kinds], dtype=torch.long)
        flat[starts[row] + bos + within] = index[self.flat[self._starts[rows][row] + within]]
        return Ragged(flat, lengths)
