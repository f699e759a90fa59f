"""Picture files as rows: decoded when they are drawn, from a folder or from within a zip."""

import warnings
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path

import numpy as np
import torch
from PIL import Image, UnidentifiedImageError
from torch import Tensor

from datamodules.batches.in_memory import InMemory, Rows, WholeBatches
from datamodules.files.errors import CorpusError
from datamodules.files.file_paths import DAMAGE, FilePath, files_in, why, within
from datamodules.formats.record_io import Record

MOST_PIXELS = 25_000_000
ENDINGS = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp")
IN_MEMORY = 1 << 30  # bytes of decoded pictures that are kept rather than decoded again
Picture = FilePath | Record  # where the file of one is; its text names it
THREADS = 4  # that decode; Pillow lets go of the interpreter while it does

# Said as an error, with the picture's name, of far smaller pictures than Pillow warns of.
warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)


def pictures_in(place: Path) -> list[FilePath]:
    """The pictures among the files of a folder or a zip; see `files_in`."""
    named = [file for file in files_in(place) if str(file).lower().endswith(ENDINGS)]
    return [p for p in named if not p.name.startswith(".") and "__MACOSX" not in str(p)]


def named_pictures(place: Path) -> dict[str, FilePath]:
    """The pictures of a folder or a zip, by their paths within it."""
    start = f"{within(place)[1]}/"
    return {
        p.member.removeprefix(start) if p.member else p.path.relative_to(place).as_posix(): p
        for p in pictures_in(place)
    }


class PictureRows(WholeBatches):
    """Pictures that are decoded for the batch that wants them, and their labels.

    Args:
        pictures: Paths of the pictures.
        labels: int64, one a picture.
        channels: 1 for grey, 3 for colour.
        size: Side of the square that each becomes.
        keyed: As in `InMemory`.
        whole: As in `read_picture`.
        on_white: As in `read_picture`.
    """

    def __init__(
        self,
        pictures: Sequence[Picture],
        labels: Tensor,
        channels: int,
        size: int,
        *,
        keyed: bool = False,
        whole: bool = False,
        on_white: bool = False,
    ) -> None:
        self.pictures = list(pictures)
        self.labels = labels
        self.channels, self.size = channels, size
        self.keyed, self.whole, self.on_white = keyed, whole, on_white

    def __len__(self) -> int:
        return len(self.pictures)

    def __getitem__(self, rows: Rows) -> tuple[Tensor, ...]:
        batch = (self._decoded(rows.indices.tolist()), self.labels[rows.indices])
        return (*batch, (rows.epoch << 32) + rows.indices) if self.keyed else batch

    def to(self, device: torch.device | str) -> InMemory:
        """All rows decoded, on `device`."""
        return InMemory(self._decoded(range(len(self))), self.labels, keyed=self.keyed).to(device)

    def kept(self) -> WholeBatches:
        """Decoded at once where that fits into memory."""
        fits = len(self) * self.channels * self.size**2 <= IN_MEMORY
        return self.to("cpu") if fits else self

    def _decoded(self, indices: Sequence[int]) -> Tensor:
        out = torch.empty(len(indices), self.channels, self.size, self.size, dtype=torch.uint8)
        chosen = [self.pictures[index] for index in indices]
        with ThreadPoolExecutor(THREADS) as pool:
            for row, picture in enumerate(pool.map(self._read, chosen)):
                out[row] = picture
        return out

    def _read(self, picture: Picture) -> Tensor:
        form = {"whole": self.whole, "on_white": self.on_white}
        return read_picture(picture, self.channels, self.size, **form)


def read_picture(
    picture: Picture,
    channels: int,
    size: int | None = None,
    *,
    whole: bool = False,
    on_white: bool = False,
) -> Tensor:
    """Reads a picture as uint8 (channels, height, width).

    Args:
        picture: Path of the picture.
        channels: 1 for grey, 3 for colour.
        size: Side of the square that it becomes; by default it stays as it is.
        whole: Whether one of another shape is squeezed into the square; else its middle is cut out.
        on_white: Whether it is put on a white square, which shows where it is transparent, and
            beside it where it has another shape.

    Raises:
        CorpusError: It cannot be read, is no picture, is cut off or has over 25 million pixels.
    """
    with _opened(picture) as image:
        placed = _on_white(image) if on_white else image
        colored = placed.convert("L" if channels == 1 else "RGB")
        if size is not None:
            colored = colored if whole else _centre_square(colored)
            if colored.size != (size, size):
                colored = colored.resize((size, size), Image.Resampling.BILINEAR)
        pixels = np.array(colored)
    return torch.from_numpy(pixels.reshape(*pixels.shape[:2], channels)).movedim(-1, 0)


def picture_size(picture: Picture) -> tuple[int, int]:
    """Width and height in pixels, by the file's header alone.

    Raises:
        CorpusError: It cannot be read, is no picture or has over 25 million pixels.
    """
    with _opened(picture) as image:
        return image.size


@contextmanager
def _opened(picture: Picture) -> Iterator[Image.Image]:
    try:
        with closing(picture.open()) as file, Image.open(file) as image:
            if image.width * image.height > MOST_PIXELS:
                raise CorpusError(f"{picture}: {image.width} x {image.height} pixels are too many")
            yield image
    except (UnidentifiedImageError, Image.DecompressionBombError) as error:
        raise CorpusError(f"{picture}: not a picture that can be read") from error
    except KeyError as error:
        raise CorpusError(f"{picture}: the archive has no such member") from error
    except DAMAGE as error:
        raise CorpusError(f"{picture}: cannot be read ({why(error)})") from error


def _on_white(picture: Image.Image) -> Image.Image:
    side = max(picture.size)
    ground = Image.new("RGBA", (side, side), "white")
    left, top = (side - picture.width) // 2, (side - picture.height) // 2
    ground.alpha_composite(picture.convert("RGBA"), (left, top))
    return ground


def _centre_square(picture: Image.Image) -> Image.Image:
    side = min(picture.size)
    left, top = (picture.width - side) // 2, (picture.height - side) // 2
    return picture.crop((left, top, left + side, top + side))
