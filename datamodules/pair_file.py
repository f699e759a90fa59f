"""Any pairs: a file of yours in UTF-8, a line each, with a tab between the two sentences.

Source: the file that --data.path names
Batch: (source, source_lengths, target, target_lengths, references)
"""

from pathlib import Path
from typing import Any

from datamodules.errors import CorpusError
from datamodules.sentence_pairs import SentencePairs
from datamodules.synthetic import phrases


class PairFile(SentencePairs):
    """Sentences and their translations, from whichever language into whichever.

    Args:
        path: Of the file, from the current folder or else from the root. A checkpoint does not
            keep it.
        pairs: Arguments of every corpus of sentence pairs.
    """

    title = "Pair file"

    def __init__(self, path: str | Path | None = None, **pairs: Any) -> None:
        super().__init__(**pairs)
        self.save_hyperparameters(ignore=["root", "path"], logger=False)
        self.path = Path(path).expanduser() if path is not None else None
        if self.path is not None and not self.synthetic:
            self.title = f"Pair file {self.path.name}"

    def write_stand_in(self, folder: Path) -> None:
        phrases.write_pairs(folder / "pairs.txt")

    @property
    def place(self) -> Path:
        if self.synthetic or self.path is None:
            return self.folder / "pairs.txt"
        return self.path if self.path.is_file() else self.root / self.path

    @property
    def found(self) -> bool:
        return self.path is not None and self.place.is_file()

    def download(self) -> None:
        if self.path is None:
            raise CorpusError(
                "there are no pairs to read: name their file by --data.path FILE, or try the "
                "generated ones: --data.synthetic true"
            )
        raise CorpusError(f"{self.path}: there is no such file, here or under {self.root}")

    def adopt(self, source: Path) -> list[Path]:
        raise CorpusError(f"a file of pairs is read where it lies: --data.path {source}")
