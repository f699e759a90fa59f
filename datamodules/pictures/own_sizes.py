"""Picture files in their own sizes, one a batch, for what takes any size.

Batch: (images,)
"""

from collections.abc import Sequence
from pathlib import Path

from torch import Tensor

from datamodules.batches.in_memory import Batches, Rows, WholeBatches
from datamodules.batches.samplers import EvaluationBatches
from datamodules.corpus import Loader
from datamodules.pictures.reading import Picture, picture_size, read_picture
from datamodules.pictures.style_corpus import StyleCorpus, size_at
from datamodules.pictures.to_predict import pictures_at


class OneByOne(WholeBatches):
    """Pictures that are decoded when they are wanted, each a batch of uint8 (1, 3, height, width).

    Args:
        pictures: Paths of the pictures.
    """

    def __init__(self, pictures: Sequence[Picture]) -> None:
        self.pictures = pictures

    def __len__(self) -> int:
        return len(self.pictures)

    def __getitem__(self, rows: Rows) -> tuple[Tensor, ...]:
        (index,) = rows.indices.tolist()
        return (read_picture(self.pictures[index], 3)[None],)


class WholePictures(StyleCorpus):
    """The pictures that `zoo predict` is given to paint.

    Args:
        files: Paths of pictures, or of folders and zips of them.

    Raises:
        CorpusError: There is no picture in a folder or a zip, or one is too small.
    """

    title = "picture files"

    def __init__(self, files: Sequence[str]) -> None:
        super().__init__(batch_size=1)
        self.pictures = [picture for file in files for picture in pictures_at(Path(file))]
        for picture in self.pictures:
            size_at(picture, picture_size(picture)[1])

    def prepare_data(self) -> None:
        """Nothing to fetch."""

    def setup(self, stage: str) -> None:
        """Nothing to read yet: each picture is decoded when it is wanted."""

    def predict_dataloader(self) -> Loader:
        rows = OneByOne(self.pictures)
        return Batches(rows, EvaluationBatches(rows, 1))

    def on_after_batch_transfer(self, batch: tuple[Tensor], dataloader_idx: int) -> tuple[Tensor]:
        return (self.normalise(batch[0]).to(self.dtype),)
