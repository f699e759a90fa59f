"""The Time Machine: the novel by H. G. Wells, 178,979 characters in 3,221 lines.

Source: Wells 1895, https://www.gutenberg.org/ebooks/35; in the public domain in the US
Batch: (tokens, targets)
"""

from pathlib import Path
from typing import Any

from datamodules.files.download import RemoteFile
from datamodules.synthetic import prose
from datamodules.text.plain_text import PlainText

FILE = "timemachine/timemachine.txt"


class TimeMachine(PlainText):
    """A novel by characters (28, <unk> among them) or words (4,580), of which the end is held out.

    Args:
        tokenizer: Name of the tokenizer: char, word, spacy, spacy:PIPELINE, treebank, tweet,
            wordpunct, bpe or unigram; see `datamodules.text.tokenizers`.
        clean: Whether to keep only letters from a to z, in lower case, and single blanks.
        text: Arguments of every corpus of running text.
    """

    title = "The Time Machine"
    files = (
        RemoteFile(
            name=FILE,
            urls=("https://d2l-data.s3-accelerate.amazonaws.com/timemachine.txt",),
            sha256="8424dbd9532ac81f7e5f0b6add90e6952baea29158309d7d1bf3884f4e12c516",
            size=178_979,
        ),
    )

    def __init__(self, tokenizer: str = "char", clean: bool = True, **text: Any) -> None:
        super().__init__(tokenizer=tokenizer, clean=clean, **text)
        self.save_hyperparameters(ignore=["root"], logger=False)

    def write_synthetic(self, folder: Path) -> None:
        prose.write_book(folder / FILE)

    @property
    def place(self) -> Path:
        return self.folder / FILE
