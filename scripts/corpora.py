"""Corpora of benchmarks and figures."""

from typing import Any, TypeVar

from datamodules.corpus import Corpus

C = TypeVar("C", bound=Corpus)


def ready(corpus: type[C], **options: Any) -> C:
    """Returns a corpus, ready to train on: the real one where it is found, else its stand-in."""
    found = corpus(**options)
    if not found.files_exist:
        found = corpus(**options, synthetic=True)
    found.prepare_data()
    found.setup("fit")
    return found
