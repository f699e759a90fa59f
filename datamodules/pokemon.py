"""Pokemon: drawn creatures on white, for networks that make pictures.

Source: Zhang et al. 2023, https://d2l.ai/chapter_generative-adversarial-networks/dcgan.html; the
        drawings belong to Nintendo, Creatures and GAME FREAK
Batch: (images, labels)
"""

from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor

from datamodules.files.download import RemoteFile
from datamodules.files.errors import CorpusError
from datamodules.files.file_paths import FilePath
from datamodules.pictures.folders import PictureFolderCorpus
from datamodules.pictures.rows import pictures_in
from datamodules.synthetic import creatures


class Pokemon(PictureFolderCorpus):
    """40,597 pictures, of which a tenth is held out; none is set apart to test on.

    Read from the folders in `pokemon/`, or from within `pokemon.zip`; any number of pictures will
    do. Transparent ones are put on white, and what is not square is made so with white.

    Args:
        size: Side of the square that each picture is decoded to.
        crop_size: Side of the middle of it that the network sees; none is all of it.
        scale: Scale of the pixels, as for every corpus of pictures; by default [-1, 1].
        pictures: Arguments of every corpus of picture files.
    """

    title = "Pokemon"
    name, parts = "pokemon", ()
    labels = ("pokemon",)
    on_white = True
    splits = ("train", "val")
    full_size = {"train": 40_597}
    files = (
        RemoteFile(
            name="pokemon/pokemon.zip",
            urls=("https://d2l-data.s3-accelerate.amazonaws.com/pokemon.zip",),
            sha1="c065c0e2593b8b161a2d7873e42418bf6a21106c",
            most=400_000_000,
        ),
    )

    def __init__(
        self,
        size: int = 64,
        crop_size: int | None = None,
        scale: Literal["standard", "symmetric"] = "symmetric",
        **pictures: Any,
    ) -> None:
        super().__init__(size=size, crop_size=crop_size, scale=scale, **pictures)
        self.save_hyperparameters(ignore=["root"], logger=False)

    def write_synthetic(self, folder: Path) -> None:
        creatures.write(folder / self.name)

    def find(self) -> Path | None:
        folder = self.folder / self.name
        if folder.is_dir() and any(place.is_dir() for place in folder.iterdir()):
            return folder
        return super().find()

    def pictures(self, part: str) -> tuple[list[FilePath], Tensor]:
        """All pictures, and their one class.

        Raises:
            CorpusError: There are none.
        """
        found = pictures_in(self._place)
        if not found:
            raise CorpusError(f"{self._place}: there are no pictures in it")
        return found, torch.zeros(len(found), dtype=torch.int64)
