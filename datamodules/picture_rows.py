"""Picture files as rows: decoded when they are drawn, from a folder or from within a zip.

A place within a zip is written `pictures.zip!train`, and `Path("pictures.zip!") / "train"` is one.
"""

import io
import re
import warnings
import zipfile
import zlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from functools import cache
from os import getpid
from pathlib import Path, PurePosixPath
from typing import IO, NamedTuple

import numpy as np
import torch
from PIL import Image, UnidentifiedImageError
from torch import Tensor

from datamodules.errors import CorpusError
from datamodules.in_memory import InMemory, Rows, WholeBatches
from datamodules.staging import reason

MOST_PIXELS = 25_000_000
MOST_BYTES = 1 << 28  # of a file within a zip, which is read at once
ENDINGS = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp")
PARTS = re.compile(r"\d+|\D+")
IN_MEMORY = 1 << 30  # bytes of decoded pictures that are kept rather than decoded again
THREADS = 4  # that decode; Pillow lets go of the interpreter while it does

# What a damaged file or zip makes Pillow and zipfile raise; RuntimeError where it is encrypted.
DAMAGE = (OSError, SyntaxError, ValueError, EOFError, RuntimeError, zlib.error, zipfile.BadZipFile)

# Said as an error, with the picture's name, of far smaller pictures than Pillow warns of.
warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)


class Picture(NamedTuple):
    """Where a picture is: a file, or a member of a zip."""

    path: Path
    member: str = ""

    def __str__(self) -> str:
        return f"{self.path}!{self.member}" if self.member else f"{self.path}"

    @property
    def name(self) -> str:
        """The name of the file, without folders and ending."""
        return PurePosixPath(self.member or self.path.name).stem

    @property
    def folder(self) -> str:
        """The name of the folder that it lies in."""
        return PurePosixPath(self.member).parent.name if self.member else self.path.parent.name

    @property
    def stamp(self) -> str:
        """What tells it from every other of that name: its size, and its checksum or its time."""
        if self.member:
            info = _archive(self.path, getpid()).getinfo(self.member)
            return f"{self.folder}/{self.name} {info.file_size} {info.CRC:08x}"
        status = self.path.stat()
        return f"{self.folder}/{self.name} {status.st_size} {status.st_mtime_ns}"

    def open(self) -> IO[bytes]:
        """Its content; of a member all of it, whose checksum zipfile compares at the end."""
        if not self.member:
            return self.path.open("rb")
        archive = _archive(self.path, getpid())
        if archive.getinfo(self.member).file_size > MOST_BYTES:
            raise ValueError(f"it has over {MOST_BYTES:,} bytes")
        return io.BytesIO(archive.read(self.member))


def within(place: Path) -> tuple[Path, str]:
    """The zip, and the folder or member in it: a.zip, train of `a.zip!train`."""
    before, found, inside = str(place).partition(".zip!")
    return (Path(f"{before}.zip"), inside.strip("/")) if found else (place, "")


def pictures_in(place: Path) -> list[Picture]:
    """The pictures of a folder or a zip and all folders within, 9.png before 10.png.

    Args:
        place: A folder, a zip, or a folder within a zip.

    Raises:
        CorpusError: The place cannot be read.
    """
    try:
        if place.is_dir():
            found = [Picture(path) for path in place.rglob("*") if path.is_file()]
        else:
            path, inside = within(place)
            names = _archive(path, getpid()).namelist()
            start = f"{inside}/" if inside else ""
            found = [Picture(path, name) for name in names if name.startswith(start)]
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        why = reason(error)
        raise CorpusError(f"{place}: cannot be read as a folder or a zip ({why})") from error
    named = [picture for picture in found if str(picture).lower().endswith(ENDINGS)]
    visible = [p for p in named if not p.name.startswith(".") and "__MACOSX" not in str(p)]
    return sorted(visible, key=_counting)


def _counting(picture: Picture) -> list[tuple[int, str]]:
    """A key by which digits sort as numbers."""
    return [
        (int(part), "") if part.isdigit() else (-1, part) for part in PARTS.findall(str(picture))
    ]


@cache
def _archive(path: Path, process: int) -> zipfile.ZipFile:
    """One handle a process: workers must not share the position in the file."""
    return zipfile.ZipFile(path)


class PictureRows(WholeBatches):
    """Pictures that are decoded for the batch that wants them, and their labels.

    Args:
        pictures: Where they are.
        labels: int64, one a picture.
        channels: 1 for grey, 3 for colour.
        size: Side of the square that each becomes.
        keyed: As in `InMemory`.
    """

    def __init__(
        self,
        pictures: Sequence[Picture],
        labels: Tensor,
        channels: int,
        size: int,
        *,
        keyed: bool = False,
    ) -> None:
        self.pictures = list(pictures)
        self.labels = labels
        self.channels, self.size = channels, size
        self.keyed = keyed

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
            decoded = pool.map(lambda p: read_picture(p, self.channels, self.size), chosen)
            for row, picture in enumerate(decoded):
                out[row] = picture
        return out


def read_picture(picture: Picture, channels: int, size: int) -> Tensor:
    """Reads a picture as uint8 (channels, size, size); another shape is cut to its centre square.

    Raises:
        CorpusError: It cannot be read, is no picture, is cut off or has over 25 million pixels.
    """
    try:
        with closing(picture.open()) as file, Image.open(file) as image:
            if image.width * image.height > MOST_PIXELS:
                raise CorpusError(f"{picture}: {image.width} x {image.height} pixels are too many")
            square = _centre_square(image.convert("L" if channels == 1 else "RGB"))
            if square.size != (size, size):
                square = square.resize((size, size), Image.Resampling.BILINEAR)
            pixels = np.array(square)
    except (UnidentifiedImageError, Image.DecompressionBombError) as error:
        raise CorpusError(f"{picture}: not a picture that can be read") from error
    except KeyError as error:
        raise CorpusError(f"{picture}: the archive has no such member") from error
    except DAMAGE as error:
        raise CorpusError(f"{picture}: cannot be read ({_why(error)})") from error
    return torch.from_numpy(pixels.reshape(size, size, channels)).movedim(-1, 0)


def read_file(place: Path) -> bytes:
    """The content of a small file in a folder or a zip.

    Raises:
        CorpusError: It is not there or cannot be read.
    """
    path, inside = within(place)
    try:
        with closing(Picture(path, inside).open()) as file:
            return file.read()
    except KeyError as error:
        raise CorpusError(f"{place}: the archive has no such member") from error
    except DAMAGE as error:
        raise CorpusError(f"{place}: cannot be read ({_why(error)})") from error


def _why(error: Exception) -> str:
    """Pillow's own errors are OSErrors without a system's text."""
    return getattr(error, "strerror", None) or " ".join(str(error).split()) or type(error).__name__


def _centre_square(picture: Image.Image) -> Image.Image:
    side = min(picture.size)
    left, top = (picture.width - side) // 2, (picture.height - side) // 2
    return picture.crop((left, top, left + side, top + side))
