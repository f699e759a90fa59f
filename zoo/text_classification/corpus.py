"""What text classification asks of a corpus; for its pictures, `zoo.training.corpus.WithLabels`."""

from typing import Protocol

from torch import Tensor


class WithVectors(Protocol):
    """A corpus with pretrained word vectors.

    Attributes:
        embedding_weights: Vectors of the vocabulary, (vocab, embed); None if none are wanted.
    """

    @property
    def embedding_weights(self) -> Tensor | None: ...
