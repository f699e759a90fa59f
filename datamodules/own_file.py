"""What corpora of a file of one's own share: it is read where it lies, and never downloaded.

Batch: as of the base that says how it is read
"""

from pathlib import Path

from datamodules.corpus import Corpus
from datamodules.files.errors import CorpusError


class OwnFile(Corpus):
    """Reads the file that `--data.path` names; comes before the base that says how it is read.

    A corpus says how the file of its synthetic data is called (`synthetic_name`), and takes its
    `path` by `name_file`.
    """

    synthetic_name: str
    path: Path | None

    def name_file(self, path: str | Path | None) -> None:
        """Takes the file: from the current folder or else from the root."""
        self.path = Path(path).expanduser() if path is not None else None
        if self.path is not None and not self.synthetic:
            self.title = f"{self.title} {self.path.name}"

    @property
    def place(self) -> Path:
        """Where the file is."""
        if self.synthetic or self.path is None:
            return self.folder / self.synthetic_name
        return self.locate(self.path)

    @property
    def files_exist(self) -> bool:
        return self.path is not None and self.place.is_file()

    def download(self) -> None:
        if self.path is None:
            raise CorpusError(
                "there is no file to read: name it by --data.path FILE, or try the generated one: "
                "--data.synthetic true"
            )
        self.refuse_absent(self.path)

    def adopt(self, source: Path) -> list[Path]:
        raise CorpusError(f"a file of your own is read where it lies: --data.path {source}")
