"""What word embedding asks of a corpus; for its pictures, `zoo.training.corpus.WithVocabulary`."""

from typing import Any, Protocol

from torch import Tensor

from zoo.training.corpus import WithVocabulary


class CountedWords(Protocol):
    """A corpus that counts its words.

    Attributes:
        word_counts: Number of occurrences of each word of the vocabulary, int64 (vocab).
    """

    @property
    def word_counts(self) -> Tensor: ...


class WithQueries(WithVocabulary, Protocol):
    """A corpus with what trained vectors are evaluated on.

    Attributes:
        word_queries: Analogies and word similarities, as `zoo.word_embedding.queries.evaluate`
            takes them; None where their files are absent.
    """

    @property
    def word_queries(self) -> Any | None: ...
