"""Penn Treebank: how often words are near one another.

Source: as of `datamodules.penn_treebank`
Batch: (words, contexts, counts)
"""

from typing import Any

from datamodules.text.penn_treebank_files import PennTreebankFiles
from datamodules.words.cooccurrences import Cooccurrences


class PennTreebankCooccurrences(PennTreebankFiles, Cooccurrences):
    """The pairs of 9,858 words in 42,068 sentences, of which a twentieth is held out.

    Args:
        batch_size: Pairs a batch and process.
        words: Arguments of every corpus of co-occurrences.
    """

    splits = ("train", "val")

    def __init__(self, batch_size: int = 4096, **words: Any) -> None:
        super().__init__(batch_size=batch_size, **words)
        self.save_hyperparameters(ignore=["root"], logger=False)
