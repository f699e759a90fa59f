"""CIFAR-10: 60,000 small photographs of ten kinds of things, 32 x 32, in colour.

Source: Krizhevsky 2009, https://www.cs.toronto.edu/~kriz/cifar.html; no licence is stated
Batch: (images, labels)
"""

from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor

from datamodules.batches.in_memory import InMemory, Rows, WholeBatches
from datamodules.files.download import RemoteFile
from datamodules.files.errors import CorpusError
from datamodules.formats.cifar_batches import batches_in, read_batch
from datamodules.pictures.corpus import PictureCorpus
from datamodules.pictures.labels import labelled
from datamodules.pictures.rows import PictureRows, pictures_in
from datamodules.synthetic import objects

BATCHES = (
    *("cifar-10-batches-py", "cifar-10-batches-bin"),
    *("cifar-10-python.tar.gz", "cifar-10-binary.tar.gz"),
)
FILES = ("kaggle_cifar10", "cifar-10")
ENDINGS = ("", ".zip", "_tiny", "_tiny.zip")  # of train and test; the course has a small sample


class CIFAR10(PictureCorpus):
    """50,000 training pictures, of which a tenth is held out, and 10,000 test pictures.

    Read where they lie: pickled or plain batches, in `cifar-10-batches-py/` or `-bin/` or within
    the archive, of which fewer than all will do; or the files of Kaggle, in `kaggle_cifar10/` or
    `cifar-10/`: `train/<id>.png`, `trainLabels.csv` and, to label, `test/<id>.png`, each a folder
    or a zip.

    Args:
        form: Form of the files: batches, kaggle, or any, which prefers batches.
        pictures: Arguments of every corpus of pictures.
    """

    title = "CIFAR-10"
    labels = (
        *("airplane", "automobile", "bird", "cat", "deer"),
        *("dog", "frog", "horse", "ship", "truck"),
    )
    mean, std, size = (0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616), 32
    full_size = {"train": 50_000, "test": 10_000}
    files = (
        RemoteFile(
            name="cifar-10-python.tar.gz",
            urls=("https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz",),
            sha256="6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce",
            size=170_498_071,
        ),
    )

    def __init__(self, form: Literal["any", "batches", "kaggle"] = "any", **pictures: Any) -> None:
        super().__init__(**pictures)
        self.form = form
        self.save_hyperparameters(ignore=["root"], logger=False)

    def write_synthetic(self, folder: Path) -> None:
        objects.write_batches(folder / BATCHES[0])
        objects.write_files(folder / FILES[0])

    # Which form

    @property
    def files_exist(self) -> bool:
        return self._place is not None

    @property
    def _place(self) -> Path | None:
        """The folder or the archive of the batches, or the folder of Kaggle's files."""
        names = {"any": (*BATCHES, *FILES), "batches": BATCHES, "kaggle": FILES}[self.form]
        return next((p for name in names if (p := self.folder / name).exists()), None)

    @property
    def _in_files(self) -> bool:
        return self._place is not None and self._place.name in FILES

    @property
    def splits(self) -> tuple[str, ...]:  # type: ignore[override]
        return ("train", "val") if self._in_files else ("train", "val", "test")

    @property
    def predicts(self) -> str:  # type: ignore[override]
        return "" if self._in_files else "PICTURE ..."

    def download(self) -> None:
        if self.form == "kaggle":
            raise CorpusError(
                f"{self.title} in Kaggle's form is not under {self.root}, and Kaggle gives it only "
                "to who logs in: `kaggle competitions download -c cifar-10`; unpack train and test "
                f"into {self.root / FILES[1]}, beside trainLabels.csv"
            )
        super().download()

    # What is read

    def read(self, split: str) -> WholeBatches:
        if split == "test":
            return InMemory(*self._batches("test_batch"))
        training = self._files() if self._in_files else InMemory(*self._batches("data_batch_"))
        rows = self.divide(len(training))[0 if split == "train" else 1]
        images, classes = training[Rows(0, rows)]
        return InMemory(images, classes, keyed=split == "train" and bool(self.augment))

    def _batches(self, prefix: str) -> tuple[Tensor, Tensor]:
        """The rows of all batches of that name that are there, in the order of their numbers."""
        place = self._place or self.folder / BATCHES[0]
        batches = {
            name: read_batch(path, content)
            for path, name, content in batches_in(place)
            if name.startswith(prefix)
        }
        if not batches:
            raise CorpusError(f"{place}: there is no {prefix.rstrip('_')} in it")
        pictures, classes = zip(*(batches[name] for name in sorted(batches)), strict=True)
        return torch.cat(pictures), torch.cat(classes)

    def _files(self) -> PictureRows:
        """Kaggle's training pictures; the labels of others than are there do no harm."""
        place = self._place or self.folder / FILES[0]
        labels = place / "trainLabels.csv"
        if not labels.exists():
            labels = Path(f"{labels}.zip!{labels.name}")
        found = pictures_in(_part(place, "train"))
        chosen = labelled(labels, "label", self.labels, found, all_there=False)
        pictures, classes = zip(*chosen, strict=True)
        return PictureRows(pictures, torch.tensor(classes), self.in_channels, self.size)

    def files_to_predict(self) -> list[Path]:
        """Kaggle's pictures to label, where they are, whatever was trained on."""
        self.prepare_data()
        places = [self.folder / name for name in FILES if (self.folder / name).is_dir()]
        return [_part(place, "test") for place in places[:1]]


def _part(place: Path, part: str) -> Path:
    """The folder or the zip of the training or the test pictures.

    Raises:
        CorpusError: There is none.
    """
    names = [f"{part}{ending}" for ending in ENDINGS]
    for name in names:
        if (place / name).exists():
            return place / name
    raise CorpusError(f"{place}: there is none of {', '.join(names)} in it")
