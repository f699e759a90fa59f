"""The IDX format of MNIST and its kin: a magic number, the sizes, the bytes; gzipped or not."""

import gzip
import struct
import zlib
from math import prod
from pathlib import Path

import numpy as np

from datamodules.files.errors import CorpusError
from datamodules.files.staging import flush

UNSIGNED_BYTE = 0x08


def read_idx(path: Path, rank: int, most: int = 1 << 30) -> np.ndarray:
    """Reads unsigned bytes of the given number of dimensions; unpacks no more than they are.

    Args:
        path: File, packed where its name ends in .gz.
        rank: Number of dimensions.
        most: Largest number of bytes that the header may promise.

    Raises:
        CorpusError: The file is cut, damaged or something else.
    """
    unpack = gzip.open if path.suffix == ".gz" else open
    try:
        with unpack(path, "rb") as file:
            header = file.read(4 + 4 * rank)
            if len(header) < 4 + 4 * rank or header[:4] != bytes((0, 0, UNSIGNED_BYTE, rank)):
                raise CorpusError(
                    f"{path}: not an IDX file of unsigned bytes with {rank} dimensions"
                )
            shape = struct.unpack(f">{rank}I", header[4:])
            if (wanted := prod(shape)) > most:
                raise CorpusError(
                    f"{path}: the header promises {wanted:,} bytes, {most:,} at most are expected; "
                    "remove it or fetch it again"
                )
            content = file.read(wanted + 1)  # more than it promises is not unpacked
    except (OSError, EOFError, zlib.error) as error:
        why = getattr(error, "strerror", None) or error
        raise CorpusError(f"{path}: cannot be read ({why}); fetch it again") from error
    if len(content) != wanted:
        found = "more" if len(content) > wanted else f"{len(content):,}"
        raise CorpusError(
            f"{path}: the header promises {wanted:,} bytes, {found} are there; "
            "remove it or fetch it again"
        )
    return np.frombuffer(content, np.uint8).reshape(shape)


def write_idx(path: Path, array: np.ndarray) -> None:
    """Writes bytes as a gzipped IDX file.

    The header is big-endian: a magic number (2049 for labels, 2051 for pictures), then one
    32-bit size an axis. Equal arrays give equal bytes, for gzip's header bears no name or time.

    Args:
        path: The file, `.gz` included; one that exists is replaced.
        array: uint8, of any rank up to 255.

    Raises:
        TypeError: The array does not hold uint8.
    """
    if array.dtype != np.uint8:
        raise TypeError(f"{path.name}: IDX files are written from uint8, not {array.dtype}")
    header = struct.pack(f">{array.ndim + 1}I", UNSIGNED_BYTE << 8 | array.ndim, *array.shape)
    with path.open("wb") as file:
        with gzip.GzipFile(filename="", mode="wb", compresslevel=6, fileobj=file, mtime=0) as idx:
            idx.write(header + array.tobytes())
        flush(file)
