"""Corpora of one plain text, of which the end is held out.

Batch: (tokens, targets)
"""

from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch

from datamodules.batches.held_out import HeldOutFraction
from datamodules.batches.token_streams import TokenStream
from datamodules.files.errors import CorpusError
from datamodules.files.text import read_text
from datamodules.text.running_text import TextCorpus
from datamodules.text.subwords import is_learned, learned
from datamodules.text.token_files import NumberedTokens, numbered_tokens
from datamodules.text.tokenizers import cleaned, refuse_unknown, tokenizer
from datamodules.text.vocabulary import Vocab


class PlainText(HeldOutFraction, TextCorpus):
    """A text in one file; a corpus says which (`place`).

    Args:
        tokenizer: Name of the tokenizer: char, word, spacy, spacy:PIPELINE, treebank, tweet,
            wordpunct, bpe or unigram; see `datamodules.text.tokenizers`.
        clean: Whether to keep only letters from a to z, in lower case, and single blanks.
        validation_fraction: Part of the text held out, from its end.
        text: Arguments of every corpus of running text.

    Raises:
        CorpusError: No tokenizer is called that, or the fraction is out of range.
    """

    def __init__(
        self,
        tokenizer: str = "char",
        clean: bool = True,
        validation_fraction: float = 0.1,
        **text: Any,
    ) -> None:
        super().__init__(validation_fraction=validation_fraction, **text)
        refuse_unknown(tokenizer)
        self.tokenizer, self.clean = tokenizer, clean

    @property
    def place(self) -> Path:
        """Where the text is, once it is there."""
        raise TypeError(f"{type(self).__name__} does not say where its text is")

    @cached_property
    def _numbered(self) -> NumberedTokens:
        """The tokens that are read.

        Raises:
            CorpusError: There is no text, or none is left of it.
        """
        cut = tokenizer(self.tokenizer, self.subwords)
        found = numbered_tokens(self.place, self.tokenizer, cut, self.clean, self.subwords)
        if self.clean and not "".join(found.kinds).strip():
            raise CorpusError(
                f"{self.place}: there are no letters from a to z: set --data.clean false"
            )
        used = self.note_used(len(found.numbers))
        return NumberedTokens(found.numbers[:used], found.kinds)

    @cached_property
    def subwords(self) -> str:
        """What the tokenizer has learned of the text that is trained on, if it learns."""
        if not is_learned(self.tokenizer):
            return ""
        text = read_text(self.place)
        text = text[: round(len(text) * (1 - self.validation_fraction))]
        return learned(self.tokenizer, (cleaned(text) if self.clean else text).split("\n"))

    @property
    def _start(self) -> int:
        """Where what is held out begins."""
        count = len(self._numbered.numbers)
        return count - round(count * self.validation_fraction)

    @cached_property
    def _vocab(self) -> Vocab:
        self.prepare_data()  # facts are asked for before the Trainer does this
        counts = self._numbered.counts(self._start)
        return Vocab.of(counts, specials=self.specials, min_freq=self.min_freq, order=self.order)

    def _part(self, split: str) -> np.ndarray:
        numbers = self._numbered.numbers
        return numbers[: self._start] if split == "train" else numbers[max(0, self._start - 1) :]

    def tokens(self, split: str) -> list[str]:
        kinds = self._numbered.kinds
        return [kinds[number] for number in self._part(split).tolist()]

    def read(self, split: str) -> TokenStream:
        index = torch.tensor(self.vocab[self._numbered.kinds])
        return TokenStream(torch.from_numpy(self._part(split)), index=index)

    def state_dict(self) -> dict[str, Any]:
        """Adds what the tokenizer has learned, if it learns."""
        return {**super().state_dict(), **({"subwords": self.subwords} if self.subwords else {})}

    def complete(self, state: dict[str, Any]) -> None:
        """Takes what the tokenizer of a checkpoint has learned, rather than to learn it again."""
        if is_learned(self.tokenizer) and "subwords" in state:
            self.subwords = state["subwords"]
