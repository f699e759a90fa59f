"""Picture files to label, prepared as a checkpoint's corpus was.

Batch: (images, rows)
"""

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from datamodules.batches.samplers import EvaluationBatches
from datamodules.corpus import Loader
from datamodules.files.errors import CorpusError
from datamodules.files.file_paths import FilePath, within
from datamodules.pictures.corpus import PictureCorpus
from datamodules.pictures.ground import border
from datamodules.pictures.reading import Picture
from datamodules.pictures.rows import PictureRows, pictures_in


class ReadableRows(PictureRows):
    """Pictures of which those that cannot be read are black, and noted.

    Args:
        pictures: Paths of the pictures.
        channels: 1 for grey, 3 for colour.
        size: Side of the square that each becomes.
        whole: As in `read_picture`.
        invert: Whether light and dark change places.

    Attributes:
        faults: What is wrong with each picture that cannot be read.
        borders: Brightness of the border of each that can, from 0 to 1.
    """

    def __init__(
        self,
        pictures: Sequence[Picture],
        channels: int,
        size: int,
        *,
        whole: bool = False,
        invert: bool = False,
    ) -> None:
        super().__init__(pictures, torch.arange(len(pictures)), channels, size, whole=whole)
        self.invert = invert
        self.faults: dict[Picture, str] = {}
        self.borders: dict[Picture, float] = {}

    def _read(self, picture: Picture) -> Tensor:
        try:
            pixels = super()._read(picture)
        except CorpusError as error:
            self.faults[picture] = str(error)
            return torch.zeros(self.channels, self.size, self.size, dtype=torch.uint8)
        pixels = 255 - pixels if self.invert else pixels
        self.borders[picture] = border(pixels).item()
        return pixels


class PictureFiles(PictureCorpus):
    """The pictures that `zoo predict` is given, or finds.

    Args:
        files: Paths of pictures, or of folders and zips of them.
        labels: Names of the classes.
        mean: Mean of the pixels in [0, 1], one a channel.
        std: Deviation of the pixels in [0, 1], one a channel.
        size: Side of the square that each picture is decoded to.
        crop_size: Side of the crop, as in training.
        resize: Side after resizing, as in training.
        batch_size: Pictures a batch.
        whole: Whether pictures of another shape are squeezed into the square, for a detector, or
            their middle is cut out, as in training.
        invert: Whether light and dark change places, for what was trained on a dark ground.

    Raises:
        CorpusError: There is no picture in a folder or a zip.
    """

    title = "picture files"

    def __init__(
        self,
        files: Sequence[str],
        labels: Sequence[str],
        mean: Sequence[float],
        std: Sequence[float],
        size: int,
        crop_size: int | None = None,
        resize: int | None = None,
        batch_size: int = 256,
        whole: bool = False,
        invert: bool = False,
    ) -> None:
        self.labels = tuple(labels)
        self.mean, self.std, self.size = tuple(mean), tuple(std), size
        super().__init__(crop_size=crop_size, resize=resize, batch_size=batch_size)
        pictures = [picture for file in files for picture in pictures_at(Path(file))]
        form = {"whole": whole, "invert": invert}
        self.rows = ReadableRows(pictures, self.in_channels, self.size, **form)

    def prepare_data(self) -> None:
        """Nothing to fetch."""

    def setup(self, stage: str) -> None:
        """Nothing to read yet: each batch is decoded when it is wanted."""

    def predict_dataloader(self) -> Loader:
        return self.loader(self.rows, EvaluationBatches(self.rows, self.batch_size))


def pictures_at(path: Path) -> list[FilePath]:
    """The pictures of a folder or a zip, or the file itself.

    Raises:
        CorpusError: There is no picture in a folder or a zip.
    """
    if not (path.is_dir() or within(path)[0].suffix.lower() == ".zip"):
        return [FilePath(path)]
    pictures = pictures_in(path)
    if not pictures:
        raise CorpusError(f"{path}: there are no pictures in it")
    return pictures
