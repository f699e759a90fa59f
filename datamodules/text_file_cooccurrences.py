"""Any text, a sentence a line: how often its words are near one another.

Source: the file that --data.path names
Batch: (words, contexts, counts)
"""

from pathlib import Path
from typing import Any

from datamodules.words.cooccurrences import Cooccurrences
from datamodules.words.sentence_file import SentenceFile


class TextFileCooccurrences(SentenceFile, Cooccurrences):
    """The pairs of words of a text, of which a twentieth is held out.

    Args:
        path: Path of the file, from the current folder or else from the root. A checkpoint does not
            keep it.
        text: Arguments of every text by words, and of every corpus of co-occurrences.
    """

    splits = ("train", "val")

    def __init__(self, path: str | Path | None = None, **text: Any) -> None:
        super().__init__(path=path, **text)
        self.save_hyperparameters(ignore=["root", "path"], logger=False)

    def sentences(self, split: str) -> list[list[str]]:
        return self.lines()
