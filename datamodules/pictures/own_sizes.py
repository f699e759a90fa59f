"""Picture files in their own sizes, one a batch, for what takes any size.

Batch: (images,)
"""

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from datamodules.batches.in_memory import Batches, Rows, WholeBatches
from datamodules.batches.samplers import EvaluationBatches
from datamodules.corpus import Loader
from datamodules.files.errors import CorpusError
from datamodules.pictures.reading import Picture, picture_size, read_picture
from datamodules.pictures.style_corpus import LEAST, StyleCorpus, size_at
from datamodules.pictures.to_predict import pictures_at


class OneByOne(WholeBatches):
    """Pictures that are decoded when they are wanted, each a batch of uint8 (1, 3, height, width).

    One that cannot be read is black.

    Args:
        pictures: Paths of the pictures.

    Attributes:
        faults: What is wrong with each picture that cannot be read, or is too small.
    """

    def __init__(self, pictures: Sequence[Picture]) -> None:
        self.pictures = pictures
        self.faults: dict[Picture, str] = {}

    def __len__(self) -> int:
        return len(self.pictures)

    def __getitem__(self, rows: Rows) -> tuple[Tensor, ...]:
        (index,) = rows.indices.tolist()
        picture = self.pictures[index]
        try:
            size_at(picture, picture_size(picture)[1])
            return (read_picture(picture, 3)[None],)
        except CorpusError as error:
            self.faults[picture] = str(error)
            return (torch.zeros(1, 3, LEAST, LEAST, dtype=torch.uint8),)


class WholePictures(StyleCorpus):
    """The pictures that `zoo predict` is given to paint.

    Args:
        files: Paths of pictures, or of folders and zips of them.

    Raises:
        CorpusError: There is no picture in a folder or a zip.
    """

    title = "picture files"

    def __init__(self, files: Sequence[str]) -> None:
        super().__init__(batch_size=1)
        self.rows = OneByOne([picture for file in files for picture in pictures_at(Path(file))])

    def prepare_data(self) -> None:
        """Nothing to fetch."""

    def setup(self, stage: str) -> None:
        """Nothing to read yet: each picture is decoded when it is wanted."""

    def predict_dataloader(self) -> Loader:
        return Batches(self.rows, EvaluationBatches(self.rows, 1))

    def on_after_batch_transfer(self, batch: tuple[Tensor], dataloader_idx: int) -> tuple[Tensor]:
        return (self.normalise(batch[0]).to(self.dtype),)
