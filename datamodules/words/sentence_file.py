"""A text of one's own, a sentence a line, for the corpora that learn from its words.

Batch: as of the base that says what is learned from
"""

from pathlib import Path
from typing import Any

from datamodules.files.errors import CorpusError
from datamodules.files.text import read_text
from datamodules.own_file import OwnFile
from datamodules.synthetic import prose
from datamodules.text.subwords import is_learned
from datamodules.text.tokenizers import cleaned, refuse_unknown, tokenizer
from datamodules.words.corpus import WordCorpus


class SentenceFile(OwnFile, WordCorpus):
    """A text by words or other tokens; comes before the base that says what is learned from.

    Args:
        path: Path of the file, from the current folder or else from the root. A checkpoint does not
            keep it.
        tokenizer: Name of the tokenizer; see `datamodules.text.tokenizers`.
        clean: Whether to keep only letters from a to z, in lower case, and single blanks.
        words: Arguments of every corpus of words.
    """

    title = "Text file"
    synthetic_name = "prose.txt"

    def __init__(
        self,
        path: str | Path | None = None,
        tokenizer: str = "word",
        clean: bool = True,
        **words: Any,
    ) -> None:
        super().__init__(**words)
        refuse_unknown(tokenizer)
        if is_learned(tokenizer):
            raise CorpusError(f"vectors are learned of words, not of pieces of them: {tokenizer}")
        self.tokenizer, self.clean = tokenizer, clean
        self.name_file(path)

    def write_synthetic(self, folder: Path) -> None:
        prose.write_book(folder / self.synthetic_name)
        prose.write_similarities(folder)

    def lines(self) -> list[list[str]]:
        """The tokens of each line."""
        cut = tokenizer(self.tokenizer)
        lines = read_text(self.place).split("\n")
        return [cut(cleaned(line) if self.clean else line) for line in lines]
