"""The IDX format of MNIST and its kin: a magic number, the sizes, the bytes; gzipped or not."""

import gzip
import struct
import zlib
from math import prod
from pathlib import Path

import numpy as np

from datamodules.errors import CorpusError

UNSIGNED_BYTE = 0x08


def read_idx(path: Path, rank: int) -> np.ndarray:
    """Reads unsigned bytes of the given number of dimensions.

    Raises:
        CorpusError: The file is cut, damaged or something else.
    """
    try:
        content = path.read_bytes()
        if path.suffix == ".gz":
            content = gzip.decompress(content)
    except (OSError, EOFError, zlib.error) as error:
        raise CorpusError(
            f"{path}: cannot be unpacked ({error}); remove it or fetch it again"
        ) from error
    header = 4 + 4 * rank
    if len(content) < header or content[:4] != bytes((0, 0, UNSIGNED_BYTE, rank)):
        raise CorpusError(f"{path}: not an IDX file of unsigned bytes with {rank} dimensions")
    shape = struct.unpack(f">{rank}I", content[4:header])
    wanted = prod(shape)
    if len(content) - header != wanted:
        raise CorpusError(
            f"{path}: the header promises {wanted:,} bytes, {len(content) - header:,} are there; "
            "remove it or fetch it again"
        )
    return np.frombuffer(content, np.uint8, offset=header).reshape(shape)
