"""The corpus of a trainer, as far as it has what is asked of it.

A family names what it asks, by a Protocol for each thing that it does with it: in its `corpus.py`,
or here if several families ask it. A LightningDataModule of another origin may lack some of the
names: what needs them is then left out.
"""

from collections.abc import Iterator, Mapping, Sequence
from inspect import get_annotations
from typing import Any, Protocol, TypeVar, cast

from lightning.pytorch import LightningDataModule, Trainer
from torch import Tensor

T = TypeVar("T")


class Vocabulary(Protocol):
    """The tokens of a corpus.

    Attributes:
        entries: Texts of the tokens, in order; those of words by falling frequency.
        index: Index of each text in `entries`.
    """

    @property
    def entries(self) -> Sequence[str]: ...

    @property
    def index(self) -> Mapping[str, int]: ...

    def __len__(self) -> int: ...

    def tokens(self, indices: Sequence[int]) -> list[str]:
        """Returns the texts of tokens."""


class WithVocabulary(Protocol):
    """A corpus of tokens.

    Attributes:
        vocab: Their vocabulary.
    """

    @property
    def vocab(self) -> Vocabulary: ...


class WithLabels(Protocol):
    """A corpus of classes.

    Attributes:
        labels: Names of the classes, in order.
    """

    @property
    def labels(self) -> Sequence[str]: ...


class LabelledPictures(WithLabels, Protocol):
    """A corpus of pictures of classes."""

    def denormalise(self, images: Tensor) -> Tensor:
        """Returns normalised pictures (batch, channels, height, width) with pixels in [0, 1]."""


def datamodule_of(trainer: Trainer) -> LightningDataModule | None:
    """Returns the datamodule of a trainer, None where it was given loaders."""
    return trainer.datamodule  # type: ignore[attr-defined]


def corpus_of(trainer: Trainer, asked: type[T]) -> T | None:
    """Returns the corpus of a trainer, None where it lacks a name that is asked.

    Names are looked up on the class and the instance, not read: a corpus's properties are lazy and
    may read files.

    Args:
        trainer: Trainer of the corpus.
        asked: Protocol of the names.
    """
    corpus: Any = datamodule_of(trainer)
    if corpus is None or not all(_has(corpus, name) for name in names_of(asked)):
        return None
    return cast(T, corpus)


def names_of(protocol: type) -> Iterator[str]:
    """Yields the public names that a Protocol and its bases ask for."""
    for base in protocol.__mro__:
        for name in (*vars(base), *get_annotations(base)):
            if not name.startswith("_"):
                yield name


def _has(corpus: Any, name: str) -> bool:
    return name in vars(corpus) or hasattr(type(corpus), name)
