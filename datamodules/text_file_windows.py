"""Any text, a sentence a line: its words and those around them.

Source: the file that --data.path names
Batch: (centers, contexts)
"""

from pathlib import Path
from typing import Any

from datamodules.batches.held_out import HeldOutFraction
from datamodules.words.sentence_file import SentenceFile
from datamodules.words.windows import WordWindows


class TextFileWindows(SentenceFile, HeldOutFraction, WordWindows):
    """A text of which the last lines are held out.

    Args:
        path: Path of the file, from the current folder or else from the root. A checkpoint does not
            keep it.
        validation_fraction: Part of the lines held out, from the end.
        text: Arguments of every text by words, and of every corpus of windows.
    """

    splits = ("train", "val")

    def __init__(
        self, path: str | Path | None = None, validation_fraction: float = 0.1, **text: Any
    ) -> None:
        super().__init__(path=path, validation_fraction=validation_fraction, **text)
        self.save_hyperparameters(ignore=["root", "path"], logger=False)

    def sentences(self, split: str) -> list[list[str]]:
        lines = self.lines()
        start = len(lines) - round(len(lines) * self.validation_fraction)
        return lines[:start] if split == "train" else lines[start:]
