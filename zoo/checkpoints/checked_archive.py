"""Archives of torch.save with a checksum of all their bytes, written whole or not at all."""

import os
import zipfile
import zlib
from pathlib import Path
from typing import Any, BinaryIO

import torch

from zoo.errors import InputError
from zoo.files import written_whole

NO_COMMENT = b"\0\0"  # the last two bytes of a zip archive without one
BLOCK = 1 << 20
ADVICE = "; an older one is as it was: make room, or choose another folder (--runs DIR)"


def write(content: Any, path: Path) -> None:
    """Writes an archive whole or not at all.

    Raises:
        InputError: It cannot be written; an older file of this name is as it was.
    """
    with written_whole(path, ADVICE) as partial, partial.open("wb") as file:
        summed = _Summed(file)
        try:
            torch.save(content, summed)  # type: ignore[arg-type]
        except RuntimeError as error:
            raise summed.error or error from None
        file.seek(-len(NO_COMMENT), os.SEEK_END)
        file.write(_comment(summed.crc))


class _Summed:
    """Sums up what is written to a file; torch tells of a failed write, but not which."""

    def __init__(self, file: BinaryIO) -> None:
        self.file, self.crc = file, 0
        self.error: OSError | None = None

    def write(self, data: bytes | memoryview) -> int:
        self.crc = zlib.crc32(data, self.crc)
        try:
            return self.file.write(data)
        except OSError as error:
            self.error = error
            raise

    def flush(self) -> None:
        self.file.flush()


def _comment(crc: int) -> bytes:
    """What takes the place of `NO_COMMENT`: the comment's length and the checksum."""
    comment = b"zoo crc32 %08x" % crc
    return len(comment).to_bytes(2, "little") + comment


def verify(path: Path) -> None:
    """Compares the checksum, or, where another program wrote the archive, those of its members.

    Raises:
        InputError: They do not fit.
        BadZipFile: The end is not that of an archive.
    """
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - 22))
        end = file.read()
        comment = end[-len(_comment(0)) :]
        if comment[2:].startswith(b"zoo crc32 "):
            fits = comment == _comment(_crc_before(file, size - len(comment)))
            damaged = "" if fits else "its checksum does not fit"
        elif end.startswith(b"PK\5\6") and end.endswith(NO_COMMENT):
            with zipfile.ZipFile(path) as archive:
                member = archive.testzip()
            damaged = f"{member} fails its checksum" if member else ""
        else:
            raise zipfile.BadZipFile
    if damaged:
        raise InputError(f"{path}: damaged ({damaged}); take another copy")


def _crc_before(file: BinaryIO, size: int) -> int:
    """Of the archive as torch wrote it: so many bytes, and that there is no comment."""
    file.seek(0)
    crc = 0
    while size:
        block = file.read(min(size, BLOCK))
        crc, size = zlib.crc32(block, crc), size - len(block)
    return zlib.crc32(NO_COMMENT, crc)
