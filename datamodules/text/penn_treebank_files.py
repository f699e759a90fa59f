"""Where the Penn Treebank's texts are, for the corpora that read them.

Batch: as of the base that says what is learned from
"""

from pathlib import Path

from datamodules.corpus import Corpus
from datamodules.files.download import RemoteFile
from datamodules.files.text import read_lines
from datamodules.synthetic import prose

FOLDER, ARCHIVE = "ptb", "ptb/ptb.zip"
NAMES = {"train": "ptb.train.txt", "val": "ptb.valid.txt", "test": "ptb.test.txt"}


class PennTreebankFiles(Corpus):
    """Three texts in the folder or the archive `ptb`; comes before the base that reads them."""

    title = "Penn Treebank"
    splits: tuple[str, ...] = ("train", "val", "test")
    files = (
        RemoteFile(
            name=ARCHIVE,
            urls=("https://d2l-data.s3-accelerate.amazonaws.com/ptb.zip",),
            sha256="310d8f602882a5716613815ed75596e5764ea84ed04c5630eebaaf2b943ec5aa",
            size=1_981_551,
        ),
    )

    def write_synthetic(self, folder: Path) -> None:
        prose.write_sentences(folder / FOLDER, tuple(NAMES.values()))
        prose.write_similarities(folder)

    @property
    def files_exist(self) -> bool:
        return self._unpacked or (self.folder / ARCHIVE).is_file()

    @property
    def _unpacked(self) -> bool:
        wanted = [NAMES["test"]] if self.is_testing else NAMES.values()
        return all((self.folder / FOLDER / name).is_file() for name in wanted)

    def sentences(self, split: str) -> list[list[str]]:
        """The words of each line of train, val or test."""
        place = (
            self.folder / FOLDER if self._unpacked else Path(f"{self.folder / ARCHIVE}!{FOLDER}")
        )
        return [line.split() for line in read_lines(place / NAMES[split])]
