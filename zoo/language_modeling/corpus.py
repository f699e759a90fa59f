"""What language modeling asks of a corpus."""

from typing import Protocol

from zoo.training.corpus import WithVocabulary


class Text(WithVocabulary, Protocol):
    """A corpus of running text.

    Attributes:
        tokenizer: What a token is; those of `char` are written without blanks between them.
    """

    tokenizer: str
