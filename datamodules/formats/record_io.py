"""MXNet's RecordIO files, read and written without MXNet.

A record is one part or more; a part is the magic number, a word that says which part it is (3 bits)
and how long (29 bits), and that many bytes, padded to words. What looks like the magic number at a
word's place within a record is left out there, and parts the record.

Source: dmlc-core, include/dmlc/recordio.h; mxnet.recordio.IRHeader
"""

import io
import struct
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, NamedTuple

import numpy as np

from datamodules.files.errors import CorpusError
from datamodules.files.staging import reason

MAGIC = 0xCED7230A
MARK = struct.pack("<I", MAGIC)
PART = struct.Struct("<II")
HEADER = struct.Struct("<IfQQ")  # number of labels, or 0 and the only label; two ids
LONGEST = (1 << 29) - 1
WHOLE, FIRST, MIDDLE, LAST = range(4)


class Record(NamedTuple):
    """A record that holds a picture and its labels.

    Attributes:
        path: Path of the file.
        number: From 0.
        offset: Offset in bytes.
    """

    path: Path
    number: int
    offset: int

    def __str__(self) -> str:
        return f"{self.path}, record {self.number} at byte {self.offset:,}"

    @property
    def name(self) -> str:
        """Of the picture: it has none but its number."""
        return str(self.number)

    @property
    def stamp(self) -> str:
        """What tells it from that of another file."""
        status = self.path.stat()
        return f"{self.number} {self.offset} {status.st_size} {status.st_mtime_ns}"

    def read(self) -> bytes:
        """All of it.

        Raises:
            CorpusError: It is damaged, or the file cannot be read.
        """
        try:
            with self.path.open("rb") as file:
                file.seek(self.offset)
                return b"".join(_parts(file, self))
        except OSError as error:
            raise CorpusError(f"{self.path}: cannot be read ({reason(error)})") from error

    def labels(self) -> np.ndarray:
        """The labels of its picture, float32.

        Raises:
            CorpusError: As `read`; or it is too short to hold them.
        """
        return self._unpacked()[0]

    def open(self) -> IO[bytes]:
        """The file of its picture."""
        return io.BytesIO(self._unpacked()[1])

    def _unpacked(self) -> tuple[np.ndarray, bytes]:
        content = self.read()
        if len(content) < HEADER.size:
            raise CorpusError(f"{self}: {len(content)} bytes are too few for a picture's header")
        count, label, _, _ = HEADER.unpack_from(content)
        start = HEADER.size + 4 * count
        if len(content) < start:
            raise CorpusError(f"{self}: {len(content)} bytes are too few for {count:,} labels")
        if count == 0:
            return np.array([label], dtype=np.float32), content[start:]
        return np.frombuffer(content, "<f4", count, HEADER.size), content[start:]


def records(path: Path) -> Iterator[Record]:
    """The records of a file, of which only the places are kept in memory.

    Raises:
        CorpusError: The file cannot be read, is cut off, or is damaged; names the record and its
            place. What follows on that cannot be found.
    """
    try:
        with path.open("rb") as file:
            size = file.seek(0, io.SEEK_END)
            number = offset = 0
            while offset < size:
                record = Record(path, number, offset)
                file.seek(offset)
                for _ in _parts(file, record):
                    pass
                yield record
                number, offset = number + 1, file.tell()
    except OSError as error:
        raise CorpusError(f"{path}: cannot be read ({reason(error)})") from error


def _parts(file: IO[bytes], record: Record) -> Iterator[bytes]:
    """The content of a record from where the file stands, with the magic between its parts."""
    expected = (WHOLE, FIRST)
    while True:
        place = file.tell()
        header = file.read(PART.size)
        if len(header) < PART.size:
            raise CorpusError(f"{record}: the file is cut off at byte {place + len(header):,}")
        magic, word = PART.unpack(header)
        kind, length = word >> 29, word & LONGEST
        if magic != MAGIC or kind not in expected:
            raise CorpusError(f"{record}: no part of a record begins at byte {place:,}")
        padded = length + -length % 4
        content = file.read(padded)
        if len(content) < padded:
            end = place + PART.size + len(content)
            raise CorpusError(f"{record}: the file is cut off at byte {end:,}")
        if kind in (MIDDLE, LAST):
            yield MARK
        yield content[:length]
        if kind in (WHOLE, LAST):
            return
        expected = (MIDDLE, LAST)


def packed(labels: Iterable[float], picture: bytes, number: int) -> bytes:
    """A record's content: labels, and the file of the picture.

    Args:
        labels: Labels of the picture.
        picture: Encoded.
        number: That MXNet calls the picture by.
    """
    values = np.array(list(labels), dtype="<f4")
    return HEADER.pack(len(values), 0.0, number, 0) + values.tobytes() + picture


def write_records(path: Path, contents: Iterable[bytes]) -> None:
    """Writes a file of records.

    Raises:
        ValueError: One is too long.
    """
    with path.open("wb") as file:
        for content in contents:
            if len(content) > LONGEST:
                raise ValueError(f"a record of {len(content):,} bytes is too long")
            pieces = _pieces(content)
            for index, piece in enumerate(pieces):
                first, last = index == 0, index == len(pieces) - 1
                kind = (WHOLE if last else FIRST) if first else (LAST if last else MIDDLE)
                file.write(PART.pack(MAGIC, kind << 29 | len(piece)))
                file.write(piece + bytes(-len(piece) % 4))


def _pieces(content: bytes) -> list[bytes]:
    """What lies between the magic numbers that begin at a word's place."""
    pieces, start, found = [], 0, content.find(MARK)
    while found >= 0:
        if found % 4 == 0:
            pieces.append(content[start:found])
            start = found + 4
        found = content.find(MARK, found + 1)
    return [*pieces, content[start:]]
