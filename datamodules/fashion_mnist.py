"""Fashion-MNIST: 70,000 pictures of ten kinds of garments, 28 x 28, grey.

Source: Xiao, Rasul and Vollgraf 2017, https://arxiv.org/abs/1708.07747; MIT licence
Batch: (images, labels)
"""

from pathlib import Path
from typing import Any

import torch

from datamodules.batches.in_memory import InMemory
from datamodules.files.download import RemoteFile
from datamodules.files.errors import CorpusError
from datamodules.formats.idx import read_idx
from datamodules.pictures.corpus import PictureCorpus
from datamodules.pictures.ground import Ground
from datamodules.synthetic import garments

MIRRORS = (
    "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion",
    "https://storage.googleapis.com/tensorflow/tf-keras-datasets",
)
DIGESTS = {
    "train-images-idx3-ubyte.gz": (
        "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
        26_421_880,
    ),
    "train-labels-idx1-ubyte.gz": (
        "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
        29_515,
    ),
    "t10k-images-idx3-ubyte.gz": (
        "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
        4_422_102,
    ),
    "t10k-labels-idx1-ubyte.gz": (
        "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
        5_148,
    ),
}
RAW = "FashionMNIST/raw"
ROWS = 60_000  # of the larger file


class FashionMNIST(PictureCorpus):
    """60,000 training pictures, of which 5,000 are held out, and 10,000 test pictures.

    Args:
        validation_fraction: Part of the training pictures held out; 1/12 is 5,000 of 60,000.
        pictures: Arguments of every corpus of pictures.
    """

    title = "Fashion-MNIST"
    labels = (
        *("t-shirt", "trouser", "pullover", "dress", "coat"),
        *("sandal", "shirt", "sneaker", "bag", "ankle boot"),
    )
    mean, std, size = (0.2860,), (0.3530,), 28
    ground = Ground(0.05, 0.04)
    files = tuple(
        RemoteFile(
            name=f"{RAW}/{name}",
            urls=tuple(f"{mirror}/{name}" for mirror in MIRRORS),
            sha256=sha256,
            size=size,
        )
        for name, (sha256, size) in DIGESTS.items()
    )

    def __init__(self, validation_fraction: float = 1 / 12, **pictures: Any) -> None:
        super().__init__(validation_fraction=validation_fraction, **pictures)
        self.save_hyperparameters(ignore=["root"], logger=False)

    def write_synthetic(self, folder: Path) -> None:
        garments.write(folder / RAW)

    @property
    def files_exist(self) -> bool:
        wanted = "t10k" if self.is_testing else ""
        return all(self._path(name).is_file() for name in DIGESTS if name.startswith(wanted))

    def _path(self, name: str) -> Path:
        """The file as published, or as torchvision leaves it: unpacked."""
        packed = self.folder / RAW / name
        unpacked = packed.with_suffix("")
        return unpacked if unpacked.is_file() and not packed.is_file() else packed

    def read(self, split: str) -> InMemory:
        stem = "t10k" if split == "test" else "train"
        images_path = self._path(f"{stem}-images-idx3-ubyte.gz")
        labels_path = self._path(f"{stem}-labels-idx1-ubyte.gz")
        images = read_idx(images_path, rank=3, most=ROWS * self.size**2)
        labels = read_idx(labels_path, rank=1, most=ROWS)
        if len(images) != len(labels):
            raise CorpusError(
                f"{images_path} has {len(images):,} pictures, "
                f"{labels_path.name} has {len(labels):,} labels"
            )
        if images.shape[1:] != (self.size, self.size) or len(images) == 0:
            raise CorpusError(f"{images_path}: wanted pictures of 28 x 28, found {images.shape}")
        if labels.max() >= self.num_classes:
            row = int((labels >= self.num_classes).argmax())
            raise CorpusError(f"{labels_path}: label {labels[row]} in row {row} is not one of 0-9")
        pictures = torch.from_numpy(images.copy()).unsqueeze(1)
        classes = torch.from_numpy(labels.astype("int64"))
        if split == "test":
            return InMemory(pictures, classes)
        rows = self.divide(len(images))[0 if split == "train" else 1]
        return InMemory(
            pictures[rows], classes[rows], keyed=split == "train" and bool(self.augment)
        )
