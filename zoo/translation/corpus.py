"""What translation asks of a corpus."""

from collections.abc import Iterable, Sequence
from typing import Protocol

from zoo.training.corpus import Vocabulary


class TargetTexts(Protocol):
    """A corpus that decodes what was written, for BLEU."""

    def target_text(self, tokens: Iterable[int]) -> str:
        """Returns the text of target tokens, without special ones."""


class Examples(TargetTexts, Protocol):
    """A corpus with sentences to show.

    Attributes:
        examples: Source sentences.
        source_vocab: Vocabulary of the source language.
        target_vocab: Vocabulary of the target language.
    """

    @property
    def examples(self) -> Sequence[str]: ...

    @property
    def source_vocab(self) -> Vocabulary: ...

    @property
    def target_vocab(self) -> Vocabulary: ...

    def source_tokens(self, sentence: str) -> list[int]:
        """Returns the tokens of a source sentence, <eos> included."""

    def translations(self, sentence: str) -> Sequence[str]:
        """Returns the reference translations of a source sentence."""
