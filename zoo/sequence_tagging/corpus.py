"""What sequence tagging asks of a corpus."""

from collections.abc import Sequence
from typing import Protocol

from zoo.training.corpus import WithVocabulary


class TaggedText(WithVocabulary, Protocol):
    """A corpus of text whose tags can be shown in it.

    Attributes:
        before: Text that each tag puts before its token.
    """

    before: Sequence[str]
