"""Hot dogs, and what is none: 2,800 photographs of any size, for fine-tuning.

Source: Zhang et al. 2023, https://d2l.ai/chapter_computer-vision/fine-tuning.html; no licence is
        stated
Batch: (images, labels), or (features, labels) where features are kept
"""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from datamodules.files.download import RemoteFile
from datamodules.files.errors import CorpusError
from datamodules.files.file_paths import FilePath
from datamodules.pictures.folders import PictureFolderCorpus
from datamodules.pictures.rows import pictures_in
from datamodules.synthetic import hot_dogs


class HotDog(PictureFolderCorpus):
    """2,000 training pictures, of which a tenth is held out, and 800 test pictures; half hot dogs.

    Read from `hotdog/{train,test}/{hotdog,not-hotdog}/`, or from within `hotdog.zip`.

    Args:
        pictures: Arguments of every corpus of picture files.
    """

    title = "Hot dog"
    name = "hotdog"
    labels = ("hotdog", "not-hotdog")
    full_size = {"train": 2000, "test": 800}
    files = (
        RemoteFile(
            name="hotdog/hotdog.zip",
            urls=("https://d2l-data.s3-accelerate.amazonaws.com/hotdog.zip",),
            sha1="fba480ffa8aa7e0febbb511d181409f899b9baa5",
            most=400_000_000,
        ),
    )

    def __init__(self, **pictures: Any) -> None:
        super().__init__(**pictures)
        self.save_hyperparameters(ignore=["root"], logger=False)

    def write_synthetic(self, folder: Path) -> None:
        hot_dogs.write(folder / self.name)

    def pictures(self, part: str) -> tuple[list[FilePath], Tensor]:
        """The pictures of train or of test, and their classes by the folder that each lies in.

        Raises:
            CorpusError: A class is missing or is none of the corpus.
        """
        place = self._place / part
        found = pictures_in(place)
        folders = {picture.folder for picture in found}
        if others := sorted(folders - set(self.labels)):
            raise CorpusError(
                f"{place}: wanted the classes {' and '.join(self.labels)}, and found pictures in "
                f"folders called: {', '.join(others)}"
            )
        for label in self.labels:
            if label not in folders:
                raise CorpusError(f"{place / label}: there are no pictures in it")
        return found, torch.tensor([self.labels.index(picture.folder) for picture in found])
