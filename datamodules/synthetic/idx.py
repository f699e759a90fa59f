"""IDX: the format of MNIST's files, a short header and then the bytes of an array, in gzip."""

import gzip
import os
from pathlib import Path

import numpy as np

_UNSIGNED_BYTE = 0x08


def write_idx(path: Path, array: np.ndarray) -> None:
    """Writes bytes as a gzipped IDX file: whole, on the disk, or not at all.

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
    header = np.array([_UNSIGNED_BYTE << 8 | array.ndim, *array.shape], dtype=">u4")
    partial = path.with_name(f"{path.name}.partial")
    with partial.open("wb") as file:
        with gzip.GzipFile(filename="", mode="wb", compresslevel=6, fileobj=file, mtime=0) as idx:
            idx.write(header.tobytes() + array.tobytes())
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)
