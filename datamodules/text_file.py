"""Any text: a file of yours in UTF-8.

Source: the file that --data.path names
Batch: (tokens, targets)
"""

from pathlib import Path
from typing import Any

from datamodules.own_file import OwnFile
from datamodules.synthetic import prose
from datamodules.text.plain_text import PlainText


class TextFile(OwnFile, PlainText):
    """A text by characters, words or other tokens, of which the end is held out.

    Args:
        path: Path of the file, from the current folder or else from the root. A checkpoint does not
            keep it.
        tokenizer: Name of the tokenizer: char, word, spacy, spacy:PIPELINE, treebank, tweet,
            wordpunct, bpe or unigram; see `datamodules.text.tokenizers`.
        clean: Whether to keep only letters from a to z, in lower case, and single blanks.
        text: Arguments of every corpus of running text.
    """

    title = "Text file"
    synthetic_name = "prose.txt"

    def __init__(
        self,
        path: str | Path | None = None,
        tokenizer: str = "char",
        clean: bool = False,
        **text: Any,
    ) -> None:
        super().__init__(tokenizer=tokenizer, clean=clean, **text)
        self.save_hyperparameters(ignore=["root", "path"], logger=False)
        self.name_file(path)

    def write_synthetic(self, folder: Path) -> None:
        prose.write_book(folder / self.synthetic_name)
