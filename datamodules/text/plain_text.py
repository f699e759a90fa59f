"""Corpora of one plain text, of which the end is held out.

Batch: (tokens, targets)
"""

from functools import cached_property
from pathlib import Path
from typing import Any

from datamodules.batches.held_out import HeldOutFraction
from datamodules.files.errors import CorpusError
from datamodules.files.text import read_text
from datamodules.text.running_text import TextCorpus
from datamodules.text.tokenizers import cleaned, refuse_unknown, tokenizer


class PlainText(HeldOutFraction, TextCorpus):
    """A text in one file; a corpus says which (`place`).

    Args:
        tokenizer: Name of the tokenizer: char, word, spacy, spacy:PIPELINE, treebank, tweet or
            wordpunct; see `datamodules.text.tokenizers`.
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
    def _tokens(self) -> list[str]:
        text = read_text(self.place)
        if self.clean:
            text = cleaned(text)
            if not text.strip():
                raise CorpusError(
                    f"{self.place}: there are no letters from a to z: set --data.clean false"
                )
        return self.first_tokens(tokenizer(self.tokenizer)(text))

    def tokens(self, split: str) -> list[str]:
        held_out = round(len(self._tokens) * self.validation_fraction)
        start = len(self._tokens) - held_out
        return self._tokens[:start] if split == "train" else self._tokens[max(0, start - 1) :]
