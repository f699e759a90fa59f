"""What corpora of style transfer share: a picture whose style is wanted, and how all are prepared.

Batch: (contents, style): as each corpus says, and a picture of one
"""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torchvision.transforms.v2.functional import normalize, resize

from datamodules.files.download import RemoteFile
from datamodules.files.errors import CorpusError
from datamodules.files.file_paths import FilePath
from datamodules.pictures.normalised import Normalised
from datamodules.pictures.reading import MOST_PIXELS, Picture, picture_size, read_picture
from datamodules.synthetic import scenes

URL = (
    "https://raw.githubusercontent.com/ShusenTang/Dive-into-DL-PyTorch/"
    "09c8bacc08599eb86236551454ba43b82cb91498/data"
)
CONTENT = RemoteFile(
    name="style_transfer/rainier.jpg",
    urls=(f"{URL}/rainier.jpg",),
    sha256="014381e94081625e5e5279fd81f50d01b75ebf10f1e85189d66e2fc93adbc768",
    size=578_469,
)
STYLE = RemoteFile(
    name="style_transfer/autumn_oak.jpg",
    urls=(f"{URL}/autumn_oak.jpg",),
    sha256="a277e6926333bcb06f8fa7e68d24e4d3027ecb87802227ed4b514ab1906af557",
    size=2_850_502,
)
LEAST = 32  # pixels of a side


class StyleCorpus(Normalised):
    """Pictures in colour, normalised as ImageNet is; of which one gives the style.

    Pictures are files of one's own, from the current folder or else from the root, or by default
    the course's.

    Args:
        style: The picture whose style is wanted.
        corpus: Arguments of every corpus.
    """

    splits: tuple[str, ...] = ("train", "val")

    def __init__(self, style: str | Path | None = None, **corpus: Any) -> None:
        super().__init__(**corpus)
        self.chosen = {STYLE.name: style}

    def write_synthetic(self, folder: Path) -> None:
        scenes.write(folder / CONTENT.name, folder / STYLE.name)

    # Where the pictures are

    def place(self, name: str) -> Path:
        """Where the picture is that was chosen instead of the course's of this name."""
        chosen = self.chosen[name]
        if self.synthetic or chosen is None:
            return self.folder / name
        return self.locate(chosen)

    @property
    def files_exist(self) -> bool:
        return all(self.place(name).is_file() for name in self.chosen)

    def download(self) -> None:
        self.refuse_absent(*self.chosen.values())
        super().download()

    # What is read

    def read_scaled(self, name: str, height: int) -> Tensor:
        """A picture at a height, the width as its sides say: float (1, 3, height, width).

        Raises:
            CorpusError: It is no picture, or too small or too large, as it is or at that height.
        """
        place = FilePath(self.place(name))
        size = size_at(place, height)
        picture = resize(read_picture(place, len(self.mean)), list(size), antialias=True)
        return self.normalise(picture[None])

    def normalise(self, images: Tensor) -> Tensor:
        """uint8 (batch, 3, height, width) -> float32, normalised."""
        pixels = images.to(torch.float32, memory_format=torch.contiguous_format) / 255
        return normalize(pixels, list(self.mean), list(self.std))

    @property
    def device(self) -> torch.device:
        """Where the model is."""
        return self.trainer.strategy.root_device if self.trainer else torch.device("cpu")

    # What a checkpoint keeps

    def state_dict(self) -> dict[str, Any]:
        """Adds the name of the style's picture, and of the content's where there is one."""
        names = {CONTENT.name: "content", STYLE.name: "style"}
        chosen = {names[key]: self.place(key).name for key in self.chosen}
        return {**super().state_dict(), **chosen}


def size_at(picture: Picture, height: int) -> tuple[int, int]:
    """Height and width of a picture at that height, its sides' ratio kept.

    Raises:
        CorpusError: It is no picture, or too small or too large, as it is or at that height.
    """
    across, down = picture_size(picture)
    if min(across, down) < LEAST:
        raise CorpusError(f"{picture}: {across} x {down} pixels; a side has to have {LEAST}")
    width = round(height * across / down)
    if width < LEAST or height * width > MOST_PIXELS:
        few = "few" if width < LEAST else "many"
        raise CorpusError(f"{picture}: {width} x {height} pixels, at that height, are too {few}")
    return height, width
