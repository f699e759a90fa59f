"""Any pairs: a file of yours in UTF-8, a line each, with a tab between the two sentences.

Source: the file that --data.path names
Batch: (source, source_lengths, target, target_lengths, references)
"""

from pathlib import Path
from typing import Any

from datamodules.own_file import OwnFile
from datamodules.synthetic import phrases
from datamodules.text.sentence_pairs import SentencePairs


class PairFile(OwnFile, SentencePairs):
    """Sentences and their translations, from whichever language into whichever.

    Args:
        path: Path of the file, from the current folder or else from the root. A checkpoint does not
            keep it.
        pairs: Arguments of every corpus of sentence pairs.
    """

    title = "Pair file"
    synthetic_name = "pairs.txt"

    def __init__(self, path: str | Path | None = None, **pairs: Any) -> None:
        super().__init__(**pairs)
        self.save_hyperparameters(ignore=["root", "path"], logger=False)
        self.name_file(path)

    def write_synthetic(self, folder: Path) -> None:
        phrases.write_pairs(folder / self.synthetic_name)
