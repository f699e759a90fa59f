"""Files of word vectors: GloVe's, word2vec's and fastText's text is read, word2vec's written.

GloVe's rows are `word value value ...`; word2vec and fastText put a line `words values` before. A
word may have blanks in it (GloVe 840B): the values are counted from the right. Runs of blanks and
tabs are as one blank, and a byte order mark is left out.

Source: https://nlp.stanford.edu/projects/glove, https://code.google.com/archive/p/word2vec,
        https://fasttext.cc/docs/en/english-vectors.html
"""

import gzip
import hashlib
import re
import zipfile
from array import array
from codecs import BOM_UTF8
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import IO, NamedTuple

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from datamodules.files.cache import cache_folder, cached
from datamodules.files.errors import CorpusError
from datamodules.files.file_paths import DAMAGE, why, within
from datamodules.files.staging import flush, staged
from datamodules.files.text import composed

VERSION = 2  # of the files in the cache
MOST_BYTES = 1 << 20  # of a row
HEADER = re.compile(rb"\s*(\d+)\s+([1-9]\d*)\s*")


class WordVectors(NamedTuple):
    """Words, none twice, and their vectors.

    Attributes:
        words: Words in the order of the file.
        vectors: float32 (words, values).
    """

    words: list[str]
    vectors: Tensor


def read_vectors(path: str | Path, wanted: Collection[str] | None = None) -> WordVectors:
    """Reads a file row by row, plain, as .gz or in a .zip; what came out is kept in the cache.

    Only the vectors that are wanted are ever in memory. Of a word that is there twice the first
    vector counts.

    Args:
        path: The file; of a zip with several, one of them: `glove.6B.zip!glove.6B.50d.txt`.
        wanted: The words to keep, in Unicode's NFC, whatever the file's form; by default all.

    Raises:
        CorpusError: The file cannot be read, or a row is wrong; names the file and the line.
    """
    path = Path(path).expanduser()
    archive, _ = within(path)
    try:
        status = archive.stat()
    except OSError as error:
        raise CorpusError(f"{path}: cannot be read ({why(error)})") from error
    chosen = "all" if wanted is None else "\n".join(("these:", *sorted(set(wanted))))
    identity = f"{VERSION} {path.absolute()} {status.st_size} {status.st_mtime_ns} {chosen}"
    key = hashlib.sha256(identity.encode()).hexdigest()

    def compute() -> WordVectors:
        return _parsed(path, None if wanted is None else set(wanted))

    return cached(cache_folder("vectors") / f"{key}.safetensors", _load, compute, _save)


def write_word2vec(path: str | Path, words: Sequence[str], vectors: Tensor) -> None:
    """Writes vectors as word2vec's text, which gensim reads; whole or not at all.

    Args:
        path: Path of the file.
        words: Words, none twice, and none with a blank in it, which the format cannot hold.
        vectors: (words, values).

    Raises:
        CorpusError: A word or a value cannot be written, there are not as many of one as of the
            other, or the file cannot be written.
    """
    path = Path(path)
    if vectors.ndim != 2 or len(words) != len(vectors):
        shape = " x ".join(map(str, vectors.shape))
        raise CorpusError(f"{path}: {len(words):,} words do not fit vectors of {shape}")
    seen: set[str] = set()
    for word in words:
        if word.split() != [word] or word in seen:
            fault = "is there twice" if word in seen else "is empty or has a blank in it"
            raise CorpusError(f"{path}: the word {word!r} {fault}, which word2vec's text forbids")
        seen.add(word)
    values = vectors.cpu().float()
    if not values.isfinite().all():
        word = words[int((~values.isfinite()).any(dim=1).nonzero()[0])]
        raise CorpusError(f"{path}: the vector of {word!r} is not finite")
    with staged(path) as part, part.open("wb") as file:
        file.write(f"{len(words)} {vectors.shape[1]}\n".encode())
        for word, row in zip(words, values, strict=True):
            numbers = " ".join(f"{value:.9g}" for value in row.tolist())
            file.write(f"{word} {numbers}\n".encode())
        flush(file)


# Rows


class Row(NamedTuple):
    """A row as it stands in a file: where it is, its word, and the text of its values."""

    line: int
    word: str
    values: list[bytes]


def _parsed(path: Path, wanted: set[str] | None) -> WordVectors:
    words: dict[str, None] = {}
    values, lines = array("f"), array("q")  # which grow in place
    size = 0
    try:
        with _opened(path) as file:
            for row in _rows(path, file):
                size = len(row.values)
                word = row.word
                if wanted is not None and word not in wanted:
                    word = composed(word)
                if word in words or not (wanted is None or word in wanted):
                    continue
                try:
                    values.extend(map(float, row.values))
                except ValueError as error:
                    what = str(error).partition(": ")[2].removeprefix("b")
                    raise CorpusError(f"{path}, line {row.line:,}: {what} is no number") from error
                words[word] = None
                lines.append(row.line)
    except DAMAGE as error:
        raise CorpusError(f"{path}: cannot be read ({why(error)})") from error
    vectors = torch.frombuffer(values, dtype=torch.float32) if values else torch.empty(0)
    vectors = vectors.view(len(words), size)
    bad = ~vectors.isfinite().all(dim=1)
    if bad.any():
        line = lines[int(bad.nonzero()[0])]
        raise CorpusError(f"{path}, line {line:,}: a value is not a finite number")
    return WordVectors(list(words), vectors)


def _rows(path: Path, file: IO[bytes]) -> Iterator[Row]:
    """The rows; all have as many values as the first, or as the header says."""
    size, announced, count = 0, None, 0
    for line, text in enumerate(iter(lambda: file.readline(MOST_BYTES), b""), start=1):
        where = f"{path}, line {line:,}"
        text = text.removeprefix(BOM_UTF8) if line == 1 else text
        if line == 1 and (header := HEADER.fullmatch(text)):
            announced, size = map(int, header.groups())
            continue
        if len(text) == MOST_BYTES:
            raise CorpusError(f"{where}: over {MOST_BYTES:,} bytes are too many for a row")
        pieces = text.split()
        size = size or _num_values(pieces)
        if not size:
            raise CorpusError(f"{where}: wanted a word and its values")
        word = b" ".join(pieces[: len(pieces) - size])
        # A number before the values is rather one value too many than the end of a word.
        longer = b" " in word and _is_number(word.rpartition(b" ")[2])
        if not word or longer:
            found = _num_values(pieces)
            raise CorpusError(
                f"{where}: wanted a word and {size:,} values; values found: {found:,}"
            )
        try:
            yield Row(line, word.decode(), pieces[len(pieces) - size :])
        except UnicodeDecodeError as error:
            raise CorpusError(f"{where}: not UTF-8 text") from error
        count += 1
    if count == 0:
        raise CorpusError(f"{path}: empty: there are no vectors")
    if announced is not None and announced != count:
        raise CorpusError(
            f"{path}: its first line announces {announced:,} words, and {count:,} follow: was it "
            "cut off?"
        )


def _num_values(pieces: list[bytes]) -> int:
    """How many of the pieces are numbers, from the right; the first one is none."""
    count = 0
    while count < len(pieces) - 1 and _is_number(pieces[-1 - count]):
        count += 1
    return count


def _is_number(text: bytes) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _opened(path: Path) -> IO[bytes]:
    """The text, unpacked as it is read."""
    archive, member = within(path)
    if archive.name.endswith(".gz"):
        return gzip.open(archive)  # type: ignore[return-value]
    if not archive.name.endswith(".zip"):
        return archive.open("rb")
    opened = zipfile.ZipFile(archive)
    names = [name for name in opened.namelist() if name.endswith((".txt", ".vec"))]
    if member and member not in opened.namelist():
        raise CorpusError(f"{path}: the archive has no such member; it has: {', '.join(names)}")
    if not member and len(names) != 1:
        raise CorpusError(
            f"{path}: wanted one file of vectors in it; name one of them, as in {archive.name}!"
            f"{names[0] if names else 'vec.txt'}; it has: {', '.join(names) or 'none'}"
        )
    return opened.open(member or names[0])


# The cache


def _load(path: Path) -> WordVectors | None:
    """What `_save` wrote; none where it is not there, or is damaged."""
    try:
        tensors = load_file(path)
        words = bytes(tensors["words"].numpy()).decode().split("\n")
        vectors = tensors["vectors"]
    except (OSError, SafetensorError, KeyError, UnicodeDecodeError):
        return None
    words = words if len(vectors) else []
    return WordVectors(words, vectors) if len(words) == len(vectors) else None


def _save(path: Path, found: WordVectors) -> None:
    words = torch.frombuffer(bytearray("\n".join(found.words).encode() or b" "), dtype=torch.uint8)
    save_file({"words": words, "vectors": found.vectors}, path)
