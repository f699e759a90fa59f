"""Any text: a file of yours in UTF-8.

Source: the file that --data.path names
Batch: (tokens, targets)
"""

from pathlib import Path
from typing import Any

from datamodules.errors import CorpusError
from datamodules.plain_text import PlainText
from datamodules.synthetic import prose


class TextFile(PlainText):
    """A text by characters, words or other tokens, of which the end is held out.

    Args:
        path: Of the file, from the current folder or else from the root. A checkpoint does not
            keep it.
        tokenizer: What a token is: char, word, spacy, spacy:PIPELINE, treebank, tweet or
            wordpunct; see `datamodules.tokenizers`.
        clean: Keep nothing but letters from a to z, in lower case, and single blanks.
        text: Arguments of every corpus of running text.
    """

    title = "Text file"

    def __init__(
        self,
        path: str | Path | None = None,
        tokenizer: str = "char",
        clean: bool = False,
        **text: Any,
    ) -> None:
        super().__init__(tokenizer=tokenizer, clean=clean, **text)
        self.save_hyperparameters(ignore=["root", "path"], logger=False)
        self.path = Path(path).expanduser() if path is not None else None
        if self.path is not None and not self.synthetic:
            self.title = f"Text file {self.path.name}"

    def write_stand_in(self, folder: Path) -> None:
        prose.write_book(folder / "prose.txt")

    @property
    def place(self) -> Path:
        if self.synthetic or self.path is None:
            return self.folder / "prose.txt"
        return self.path if self.path.is_file() else self.root / self.path

    @property
    def found(self) -> bool:
        return self.path is not None and self.place.is_file()

    def download(self) -> None:
        if self.path is None:
            raise CorpusError(
                "there is no text to read: name it by --data.path FILE, or try the generated one: "
                "--data.synthetic true"
            )
        raise CorpusError(f"{self.path}: there is no such file, here or under {self.root}")

    def adopt(self, source: Path) -> list[Path]:
        raise CorpusError(f"a text file is read where it lies: --data.path {source}")
