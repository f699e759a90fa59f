"""Many pictures, and one whose style they are to get: a corpus of the zoo, or a folder of yours.

Source: the corpus or the folder that --data.pictures names; the style as in StylePair
Batch: (images, style)
"""

from functools import cached_property
from pathlib import Path
from typing import Any

from torch import Tensor
from torchvision.transforms.v2.functional import resize

import datamodules
from datamodules.batches.held_out import HeldOut
from datamodules.batches.in_memory import WholeBatches
from datamodules.corpus import Corpus
from datamodules.files.errors import CorpusError
from datamodules.pictures.corpus import PictureCorpus
from datamodules.pictures.folders import PictureFolderCorpus
from datamodules.pictures.rows import PictureRows, pictures_in
from datamodules.pictures.style_corpus import LEAST, STYLE, StyleCorpus

DEFAULT = "HotDog"


class StylePictures(HeldOut, StyleCorpus):
    """The training pictures of a corpus, in colour and of one size, with a style for all.

    Args:
        pictures: A corpus of pictures by its name, or a folder or a zip of pictures.
        style: The picture whose style is wanted.
        size: Side of the square that each picture gets; of another shape, its middle is taken.
        style_size: Height of the style's picture; by default the side of the others. The larger it
            is, the larger the strokes.
        batch_size: Pictures a batch and process.
        corpus: Arguments of every corpus.

    Raises:
        CorpusError: A size is too small, or there are no such pictures.
    """

    title = "Style pictures"
    files = (STYLE,)
    predicts = "PICTURE ..."

    def __init__(
        self,
        pictures: str = DEFAULT,
        style: str | Path | None = None,
        size: int = 128,
        style_size: int | None = None,
        batch_size: int = 8,
        **corpus: Any,
    ) -> None:
        super().__init__(style=style, batch_size=batch_size, **corpus)
        if min(size, style_size or size) < LEAST:
            raise CorpusError(
                f"size is {size} and style_size {style_size}; they have to be at least {LEAST}"
            )
        lies = Path(pictures).expanduser().exists()
        kept_back = ["root", "style", *(["pictures"] if lies else [])]
        self.save_hyperparameters(ignore=kept_back, logger=False)
        self.size, self.style_size = size, style_size or size
        self.own = Path(pictures).expanduser() if lies and not self.synthetic else None
        self.pictures = DEFAULT if lies and self.synthetic else pictures

    @cached_property
    def _inner(self) -> Corpus:
        """The corpus that the pictures are of, where they are not one's own."""
        named = self.pictures.isidentifier()
        found: Any = getattr(datamodules, self.pictures, None) if named else None
        if not (isinstance(found, type) and issubclass(found, PictureCorpus)):
            raise CorpusError(
                f"{self.pictures}: there is no such folder or zip, and no corpus of labelled "
                f"pictures is called so, as {DEFAULT} is"
            )
        names = ("root", "synthetic", "validation_fraction", "split_seed", "num_folds", "fold")
        options = {name: getattr(self, name) for name in names}
        if issubclass(found, PictureFolderCorpus):
            options |= {"size": self.size, "crop_size": None}
        return found(**options)

    def prepare_data(self) -> None:
        super().prepare_data()
        if not self.own:
            self._inner.prepare_data()

    def setup(self, stage: str) -> None:
        super().setup(stage)
        self.style = self.read_scaled(STYLE.name, self.style_size).to(self.device, self.dtype)

    def read(self, split: str) -> WholeBatches:
        if not self.own:
            return self._inner.read(split)
        found = pictures_in(self.own)
        if not found:
            raise CorpusError(f"{self.own}: there are no pictures in it")
        chosen = self.divide(len(found))[0 if split == "train" else 1]
        pictures = [found[index] for index in chosen.tolist()]
        return PictureRows(pictures, chosen, len(self.mean), self.size).kept()

    def on_after_batch_transfer(
        self, batch: tuple[Tensor, ...], dataloader_idx: int
    ) -> tuple[Tensor, Tensor]:
        """Pictures as bytes, and what else the corpus has -> normalised pictures, the style."""
        images = batch[0]
        if images.shape[-2:] != (self.size, self.size):
            images = resize(images, [self.size, self.size], antialias=True)
        images = self.normalise(images.expand(-1, len(self.mean), -1, -1))
        self.style = self.style.to(self.dtype)  # which the model has only after `setup`
        return images.to(self.dtype), self.style

    @property
    def described(self) -> str:
        """What was read, with the names of the pictures and of the style."""
        name = self.own.name if self.own else self.pictures
        rows = super().described.removeprefix(self.title)
        return f"{name} in the style of {self.place(STYLE.name).name}{rows}"
