"""IMDb reviews: 50,000 of films, half of them favourable; which ones are?

Source: Maas et al. 2011, https://ai.stanford.edu/~amaas/data/sentiment; no licence is stated
Batch: (tokens, lengths, labels)
"""

from pathlib import Path
from typing import Any

from datamodules.files.download import RemoteFile
from datamodules.files.errors import CorpusError
from datamodules.synthetic import reviews
from datamodules.text.classified import ClassifiedTexts
from datamodules.text.folders import LabelledText, texts_in

NAME = "aclImdb"
FOLDERS = ("neg", "pos")


class IMDB(ClassifiedTexts):
    """25,000 training reviews, of which a tenth of each class is held out, and 25,000 to test on.

    Read from `aclImdb/{train,test}/{neg,pos}/*.txt`, or where they are not, within
    `aclImdb/aclImdb_v1.tar.gz`, `aclImdb_v1.tar.gz`, or any `aclImdb/aclImdb*.tar.gz`.

    Args:
        texts: Arguments of every corpus of texts and their classes.
    """

    title = "IMDb reviews"
    labels = ("negative", "positive")
    full_size = {"train": 25_000, "test": 25_000}
    files = (
        RemoteFile(
            name=f"{NAME}/aclImdb_v1.tar.gz",
            urls=("https://ai.stanford.edu/~amaas/data/sentiment/aclImdb_v1.tar.gz",),
            sha1="01ada507287d82875905620988597833ad4e0903",
            most=100_000_000,
        ),
    )

    def __init__(self, **texts: Any) -> None:
        super().__init__(**texts)
        self.save_hyperparameters(ignore=["root", "vectors"], logger=False)

    # Where the reviews are

    def write_synthetic(self, folder: Path) -> None:
        reviews.write(folder / NAME)

    @property
    def files_exist(self) -> bool:
        return self._find() is not None

    def _find(self) -> Path | None:
        """The folder that holds train and test, or the archive."""
        folder = self.folder / NAME
        if any((folder / part).is_dir() for part in ("train", "test")):
            return folder
        named = (folder / "aclImdb_v1.tar.gz", self.folder / "aclImdb_v1.tar.gz")
        archives = (*named, *sorted(folder.glob("aclImdb*.tar.gz")))
        return next((archive for archive in archives if archive.is_file()), None)

    def texts(self, part: str) -> list[LabelledText]:
        place = self._find()
        if place is None:
            raise CorpusError(f"{self.title} is not under {self.folder}")
        return texts_in(place, part, FOLDERS, unlabelled=("unsup",))
