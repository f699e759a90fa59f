"""Penn Treebank: words and those around them.

Source: as of `datamodules.penn_treebank`
Batch: (centers, contexts)
"""

from typing import Any

from datamodules.text.penn_treebank_files import PennTreebankFiles
from datamodules.words.windows import WordWindows


class PennTreebankWindows(PennTreebankFiles, WordWindows):
    """887,100 words in 42,068 sentences, 9,858 different ones that are there five times.

    Args:
        batch_size: Centers a batch and process.
        words: Arguments of every corpus of windows.
    """

    def __init__(self, batch_size: int = 512, **words: Any) -> None:
        super().__init__(batch_size=batch_size, **words)
        self.save_hyperparameters(ignore=["root"], logger=False)
