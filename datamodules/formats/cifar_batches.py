"""The batches that CIFAR-10 comes in: pickles of Python 2, or plain bytes.

Source: Krizhevsky 2009, https://www.cs.toronto.edu/~kriz/cifar.html, "Dataset layout"
"""

import codecs
import io
import pickle
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import torch
from torch import Tensor

from datamodules.files.archives import members
from datamodules.files.errors import CorpusError

SIDE, CLASSES = 32, 10
PIXELS = 3 * SIDE**2  # of a picture: a plane of red, one of green, one of blue
MOST_BYTES = 64 << 20  # of a batch; the original's have 31 million
# All that a pickled array of numbers is made of; numpy 2 calls its core numpy._core.
ARRAYS = {
    ("numpy.core.multiarray", "_reconstruct"): np.empty(0).__reduce__()[0],
    ("numpy._core.multiarray", "_reconstruct"): np.empty(0).__reduce__()[0],
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
    ("_codecs", "encode"): codecs.encode,  # how Python 3 writes bytes for Python 2
}


def batches_in(place: Path) -> Iterator[tuple[str, str, bytes]]:
    """The batches of a folder or a .tar.gz, in any order: path, name without ending, content.

    Raises:
        CorpusError: One is far too large, or cannot be read.
    """
    if place.is_dir():
        for path in place.iterdir():
            if path.is_file() and _is_batch(path.name):
                try:
                    with path.open("rb") as file:
                        yield str(path), path.stem, _read(str(path), file)
                except OSError as error:
                    raise CorpusError(f"{path}: cannot be read ({error.strerror})") from error
        return
    try:
        with closing(members(place)) as found:
            for name, plain, content in found:
                if plain and content and _is_batch(PurePosixPath(name).name):
                    member = f"{place}, member {name}"
                    yield member, PurePosixPath(name).stem, _read(member, content)
    except CorpusError:
        raise
    except Exception as error:  # tarfile and zlib answer a bad byte in a dozen ways
        raise CorpusError(f"{place}: cannot be read ({error})") from error


def _is_batch(name: str) -> bool:
    return name.partition(".")[0] == "test_batch" or name.startswith("data_batch_")


def _read(path: str, file: Any) -> bytes:
    content = file.read(MOST_BYTES + 1)
    if len(content) > MOST_BYTES:
        raise CorpusError(f"{path}: over {MOST_BYTES:,} bytes are no batch of CIFAR-10")
    return content


def read_batch(path: str, content: bytes) -> tuple[Tensor, Tensor]:
    """Pictures, uint8 (rows, 3, 32, 32), and classes, int64 (rows,), of one batch.

    Args:
        path: Path of the batch; plain bytes if it ends in .bin, else a pickle.
        content: Bytes of the batch.

    Raises:
        CorpusError: It is no batch, is cut, or its pickle asks for more than arrays of numbers.
    """
    pixels, labels = (_from_bytes if path.endswith(".bin") else _from_pickle)(path, content)
    wrong = (labels < 0) | (labels >= CLASSES)
    if wrong.any():
        row = int(wrong.argmax())
        raise CorpusError(f"{path}: label {labels[row]} in row {row} is not one of 0-9")
    if not len(labels):
        raise CorpusError(f"{path}: there are no pictures in it")
    pictures = torch.from_numpy(np.array(pixels)).view(-1, 3, SIDE, SIDE)
    return pictures, torch.from_numpy(labels.astype(np.int64))


def _from_bytes(path: str, content: bytes) -> tuple[np.ndarray, np.ndarray]:
    size = 1 + PIXELS
    if len(content) % size:
        raise CorpusError(f"{path}: {len(content):,} bytes are not rows of {size:,}: cut?")
    rows = np.frombuffer(content, dtype=np.uint8).reshape(-1, size)
    return rows[:, 1:], rows[:, 0]


def _from_pickle(path: str, content: bytes) -> tuple[np.ndarray, np.ndarray]:
    try:
        batch = _ArraysOnly(io.BytesIO(content), encoding="bytes").load()
    except _ForeignError as error:
        raise CorpusError(
            f"{path}: asks for {error}, which no batch of CIFAR-10 needs: nothing of it was run; "
            "take another copy"
        ) from None
    except Exception as error:  # a damaged pickle fails in a dozen ways
        raise CorpusError(f"{path}: not a pickled batch, or cut ({error})") from error
    if isinstance(batch, dict):
        batch = {k.decode("latin1") if isinstance(k, bytes) else k: v for k, v in batch.items()}
    else:
        batch = {}
    pixels, labels = batch.get("data"), batch.get("labels")
    if not (
        isinstance(pixels, np.ndarray)
        and pixels.dtype == np.uint8
        and pixels.ndim == 2
        and pixels.shape[1] == PIXELS
        and isinstance(labels, list)
        and all(type(label) is int for label in labels)
    ):
        raise CorpusError(f"{path}: wanted data, uint8 of rows x {PIXELS:,}, and labels, a list")
    if len(pixels) != len(labels):
        raise CorpusError(f"{path}: {len(pixels):,} pictures, {len(labels):,} labels")
    return pixels, np.array(labels)


class _ForeignError(Exception):
    """A pickle names something else than numpy's arrays."""


class _ArraysOnly(pickle.Unpickler):
    """Reads plain data and arrays; to look up anything else would be to run a stranger's code."""

    def find_class(self, module: str, name: str) -> Any:
        try:
            return ARRAYS[module, name]
        except KeyError:
            raise _ForeignError(f"{module}.{name}") from None
