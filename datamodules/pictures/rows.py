"""Picture files as rows: decoded when they are drawn, from a folder or from within a zip."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import torch
from torch import Tensor

from datamodules.batches.in_memory import InMemory, Rows, WholeBatches
from datamodules.files.file_paths import FilePath, files_in, within
from datamodules.pictures.reading import PHONES, Picture, read_picture

ENDINGS = (
    *(".jpg", ".jpeg", ".jpe", ".jfif", ".jif", ".jfi", ".png", ".apng", ".gif", ".webp", ".bmp"),
    *(".dib", ".tif", ".tiff", ".ppm", ".pgm", ".pbm", ".pnm", ".jp2"),
    *PHONES,
)
IN_MEMORY = 1 << 30  # bytes of decoded pictures that are kept rather than decoded again
AT_ONCE = 10_000  # pictures that are decoded before the first batch
THREADS = 4  # that decode; Pillow lets go of the interpreter while it does


def is_picture(name: str) -> bool:
    """Whether the name of a file ends as those of pictures do."""
    return name.lower().endswith(ENDINGS)


def pictures_in(place: Path) -> list[FilePath]:
    """The pictures among the files of a folder or a zip; see `files_in`."""
    named = [(str(file), file) for file in files_in(place)]
    return [
        file
        for path, file in named
        if is_picture(path) and "/." not in path[path.rfind("/") :] and "__MACOSX" not in path
    ]


def named_pictures(place: Path) -> dict[str, FilePath]:
    """The pictures of a folder or a zip, by their paths within it."""
    inside, start = f"{within(place)[1]}/", len(str(place / "x")) - 1
    return {
        p.member.removeprefix(inside) if p.member else str(p.path)[start:]: p
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

    def kept(self, num_workers: int = 0) -> WholeBatches:
        """The rows, kept in memory where they fit: a few decoded at once, many when first drawn.

        Args:
            num_workers: Processes that draw them, each of which would keep rows of its own.
        """
        if len(self) * self.channels * self.size**2 > IN_MEMORY:
            return self
        if len(self) <= AT_ONCE:
            return self.to("cpu")
        return self if num_workers else KeptPictures(self)

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


class KeptPictures(WholeBatches):
    """Pictures that are decoded when they are first drawn, and kept.

    Args:
        rows: The pictures.
    """

    def __init__(self, rows: PictureRows) -> None:
        self.rows = rows
        shape = (len(rows), rows.channels, rows.size, rows.size)
        self._pixels = torch.empty(shape, dtype=torch.uint8)
        self._decoded = torch.zeros(len(rows), dtype=torch.bool)

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, rows: Rows) -> tuple[Tensor, ...]:
        wanted = rows.indices[~self._decoded[rows.indices]]
        if len(wanted):
            self._pixels[wanted] = self.rows[Rows(0, wanted)][0]
            self._decoded[wanted] = True
        batch = (self._pixels[rows.indices], self.rows.labels[rows.indices])
        return (*batch, (rows.epoch << 32) + rows.indices) if self.rows.keyed else batch

    def to(self, device: torch.device | str) -> InMemory:
        """All rows decoded, on `device`."""
        return self.rows.to(device)
