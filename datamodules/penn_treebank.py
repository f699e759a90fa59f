"""Penn Treebank: a million words of the Wall Street Journal in 10,000 different ones.

Source: Marcus, Santorini and Marcinkiewicz 1993, https://aclanthology.org/J93-2004, as prepared by
        Mikolov et al. 2010; the text is Dow Jones's and the LDC's
Batch: (tokens, targets)
"""

from pathlib import Path
from typing import Any

from datamodules.download import RemoteFile
from datamodules.synthetic import prose
from datamodules.text_corpus import TextCorpus, read_text
from datamodules.vocabulary import EOS, UNK

FOLDER, ARCHIVE = "ptb", "ptb/ptb.zip"
NAMES = {"train": "ptb.train.txt", "val": "ptb.valid.txt", "test": "ptb.test.txt"}


class PennTreebank(TextCorpus):
    """929,589 words to train on, 73,760 to choose by, 82,430 to test on; a line ends with <eos>.

    The file has <unk> for rare words and N for numbers. Each text begins after an <eos>, so that
    all of its words are predicted. Read from the folder or the archive `ptb`.

    Args:
        batch_size: Rows a batch and process.
        text: Arguments of every corpus of running text.
    """

    title = "Penn Treebank"
    splits = ("train", "val", "test")
    specials = (EOS, UNK)
    full_size = {"train": 929_589, "test": 82_430}
    files = (
        RemoteFile(
            name=ARCHIVE,
            urls=("https://d2l-data.s3-accelerate.amazonaws.com/ptb.zip",),
            sha256="310d8f602882a5716613815ed75596e5764ea84ed04c5630eebaaf2b943ec5aa",
            size=1_981_551,
        ),
    )

    def __init__(self, batch_size: int = 20, **text: Any) -> None:
        super().__init__(batch_size=batch_size, **text)
        self.save_hyperparameters(ignore=["root"], logger=False)

    def write_stand_in(self, folder: Path) -> None:
        prose.write_sentences(folder / FOLDER, tuple(NAMES.values()))

    @property
    def found(self) -> bool:
        return self._unpacked or (self.folder / ARCHIVE).is_file()

    @property
    def _unpacked(self) -> bool:
        return all((self.folder / FOLDER / name).is_file() for name in NAMES.values())

    def tokens(self, split: str) -> list[str]:
        place = (
            self.folder / FOLDER if self._unpacked else Path(f"{self.folder / ARCHIVE}!{FOLDER}")
        )
        lines = read_text(place / NAMES[split]).removesuffix("\n").split("\n")
        words = [word for line in lines for word in (*line.split(), EOS)]
        return [EOS, *(self.first_tokens(words) if split == "train" else words)]
