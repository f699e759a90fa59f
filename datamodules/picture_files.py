"""Picture files to label, prepared as a checkpoint's corpus was.

Batch: (images, rows)
"""

from collections.abc import Sequence
from pathlib import Path

import torch
from torch.utils.data import DataLoader, TensorDataset

from datamodules.pictures import PictureCorpus, read_picture


class PictureFiles(PictureCorpus):
    """The pictures that `zoo predict` is given.

    Args:
        files: Paths of the pictures.
        labels: Names of the classes.
        mean: Of the pixels in [0, 1], one a channel.
        std: Of the pixels in [0, 1], one a channel.
        image_size: Height and width that the model was trained with.
        batch_size: Pictures a batch.
    """

    title = "picture files"

    def __init__(
        self,
        files: Sequence[str],
        labels: Sequence[str],
        mean: Sequence[float],
        std: Sequence[float],
        image_size: int,
        batch_size: int = 256,
    ) -> None:
        super().__init__(batch_size=batch_size)
        self.paths = [Path(file) for file in files]
        self.labels = tuple(labels)
        self.mean, self.std, self.size = tuple(mean), tuple(std), image_size
        self.pictures = torch.empty(0)

    def prepare_data(self) -> None:
        """Nothing to fetch."""

    def setup(self, stage: str) -> None:
        """Reads the pictures.

        Raises:
            CorpusError: One of them is no picture; names it.
        """
        pictures = [read_picture(path, self.in_channels, self.size) for path in self.paths]
        self.pictures = torch.stack(pictures)

    def predict_dataloader(self) -> DataLoader:
        rows = TensorDataset(self.pictures, torch.arange(len(self.pictures)))
        return DataLoader(dataset=rows, batch_size=self.batch_size)
