"""Long texts as numbered tokens: read piece by piece, and kept in the cache where they are large.

Of a text no more than a piece is in memory, beside its tokens.
"""

import hashlib
import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import IO, NamedTuple

import numpy as np

from datamodules.files.cache import cache_folder
from datamodules.files.errors import CorpusError
from datamodules.files.file_paths import read_file, why, within
from datamodules.files.staging import staged
from datamodules.files.text import LINE_END, composed, decoded, read_text
from datamodules.text.tokenizers import Tokenizer, cleaned
from datamodules.text.words_in_bytes import WordNumbers

VERSION = 1  # of the files in the cache
MOST_SHORT = 1 << 15  # numbers that int16 has
PIECE = 1 << 21  # bytes of a text at a time
MOST_IN_MEMORY = 64_000_000  # bytes of tokens
MOST_BYTES_PER_BYTE = 2  # of tokens, of text: a character has int16, a word and its blank int32


class NumberedTokens(NamedTuple):
    """The tokens of a text.

    Attributes:
        numbers: Number of each token, int16 or int32 (tokens).
        kinds: Texts of the tokens by their numbers, which are in the order of their appearance.
    """

    numbers: np.ndarray
    kinds: tuple[str, ...]

    def counts(self, stop: int) -> dict[str, int]:
        """How often each of the first `stop` tokens is there, in the order of their appearance."""
        totals = np.zeros(len(self.kinds), dtype=np.int64)
        for start in range(0, stop, PIECE):
            piece = self._read(start, min(PIECE, stop - start))
            totals += np.bincount(piece, minlength=len(totals))
        return {kind: int(n) for kind, n in zip(self.kinds, totals, strict=True) if n}

    def _read(self, start: int, count: int) -> np.ndarray:
        """Reads tokens from the file where there is one: pages that are mapped count as memory."""
        numbers = self.numbers
        if not isinstance(numbers, np.memmap) or numbers.filename is None:
            return numbers[start : start + count]
        offset = numbers.offset + start * numbers.itemsize
        return np.fromfile(numbers.filename, numbers.dtype, count, offset=offset)


def numbered_tokens(
    place: Path, name: str, cut: Tokenizer, clean: bool, rules: str = ""
) -> NumberedTokens:
    """Numbers the tokens of a text file; those of a long one lie in the cache, memory-mapped.

    Args:
        place: The file, or one in a zip.
        name: Name of the tokenizer.
        cut: Function that cuts a text into tokens.
        clean: Whether only letters from a to z are kept, in lower case, and single blanks.
        rules: What the tokenizer has learned, if anything.

    Raises:
        CorpusError: The file cannot be read, is empty or no UTF-8 text; names the line.
    """

    def pieces() -> Iterator[np.ndarray]:
        return map(number, _cleaned(text_pieces(place)) if clean else text_pieces(place))

    number = _Characters() if name == "char" else WordNumbers() if name == "word" else _Any(cut)
    path, inside = within(place)
    small = inside or path.stat().st_size * MOST_BYTES_PER_BYTE <= MOST_IN_MEMORY
    if small:
        parts = [*pieces()]
        kind = np.int16 if len(number.kinds) <= MOST_SHORT else np.int32
        numbers = np.empty(sum(map(len, parts)), dtype=kind)
        return NumberedTokens(
            np.concatenate(parts, out=numbers, casting="same_kind"), tuple(number.kinds)
        )
    settings = f"{VERSION} {name} {clean} {hashlib.sha256(rules.encode()).hexdigest()}"
    key = hashlib.sha256(f"{settings} {_digest(path)}".encode()).hexdigest()

    target = cache_folder("tokens") / key
    found = _load(target)
    if found is None:
        with staged(target, "set ZOO_CACHE to a folder that can be") as part:
            if _load(target) is None:  # another process was not quicker
                part.mkdir()
                _write(part / "numbers.npy", pieces())
                kinds = json.dumps(list(number.kinds))
                (part / "kinds.json").write_text(kinds, encoding="utf-8")
        found = _load(target)
    if found is None:
        raise CorpusError(f"{target}: cannot be read: remove it")
    return found


def text_pieces(place: Path) -> Iterator[str]:
    r"""Yields a text piece by piece, as `read_text` gives it; a piece ends with a line or a word.

    Raises:
        CorpusError: As of `read_text`.
    """
    blank, first = True, True
    try:
        for content in _contents(place):
            text = decoded(place, content) if first else decoded(place, b"." + content)[1:]
            text, first = composed(LINE_END.sub("\n", text) if "\r" in text else text), False
            blank = blank and not text.strip()
            yield text
    except CorpusError:
        read_text(place)  # knows the line
        raise
    if blank:
        raise CorpusError(f"{place}: empty: there is no text")


def _contents(place: Path) -> Iterator[bytes]:
    """Yields the bytes of a file, cut after the ends of lines, or else after blanks."""
    path, inside = within(place)
    if inside:
        yield read_file(place)
        return
    try:
        with path.open("rb") as file:
            rest = b""
            while content := file.read(PIECE):
                content = rest + content
                end = max(content.rfind(b"\n"), 0) or content.rfind(b" ")
                if end >= 0:
                    yield content[: end + 1]
                rest = content[end + 1 :]
            yield rest
    except OSError as error:
        raise CorpusError(f"{place}: cannot be read ({why(error)})") from error


def _cleaned(pieces: Iterator[str]) -> Iterator[str]:
    """Yields cleaned pieces, without a second blank where one has ended with a blank."""
    blank = False
    for piece in map(cleaned, pieces):
        yield piece[1:] if blank and piece.startswith(" ") else piece
        blank = piece.endswith(" ") or (blank and not piece)


class _Characters:
    """Numbers characters, all of a piece at once."""

    def __init__(self) -> None:
        self.kinds: list[str] = []
        self._number = np.full(0x110000, -1, dtype=np.int32)
        self._known = b""  # those of a byte in Latin-1 whose number is of a byte, too

    def __call__(self, text: str) -> np.ndarray:
        try:
            content = text.encode("latin-1")
        except UnicodeEncodeError:
            return self._of_wide(text)
        self._learn(content.translate(None, self._known))
        if content.translate(None, self._known):  # numbers over 255
            return self._of_wide(text)
        table = self._number[:256].astype(np.uint8).tobytes()
        return np.frombuffer(content.translate(table), np.uint8).astype(np.int16)

    def _learn(self, codes: Iterable[int]) -> None:
        for code in dict.fromkeys(codes):
            if self._number[code] < 0:
                self._number[code] = number = len(self.kinds)
                self.kinds.append(chr(code))
                if code < 256 and number < 256:
                    self._known += bytes([code])

    def _of_wide(self, text: str) -> np.ndarray:
        codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)
        numbers = self._number[codes]
        if len(unknown := codes[numbers < 0]):
            self._learn(unknown.tolist())
            numbers = self._number[codes]
        return numbers.astype(np.int16) if len(self.kinds) <= MOST_SHORT else numbers


class _Any:
    """Numbers whatever tokens a tokenizer cuts."""

    def __init__(self, cut: Callable[[str], list[str]]) -> None:
        self._cut = cut
        self.kinds: defaultdict[str, int] = defaultdict()
        self.kinds.default_factory = self.kinds.__len__

    def __call__(self, text: str) -> np.ndarray:
        tokens = self._cut(text)
        return np.fromiter(map(self.kinds.__getitem__, tokens), np.int32, len(tokens))


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _write(path: Path, pieces: Iterator[np.ndarray]) -> None:
    """Writes pieces as one array, of int16 as long as that is enough."""
    size, raw = 2, path.with_suffix(".raw")
    with raw.open("w+b") as file:
        for piece in pieces:
            if piece.itemsize == 4 and size == 2:
                _widen(file)
                size = 4
            file.write(piece.astype(f"i{size}").tobytes())
        length = file.tell() // size
    with path.open("wb") as file:
        header = {"descr": f"<i{size}", "fortran_order": False, "shape": (length,)}
        np.lib.format.write_array_header_1_0(file, header)
        with raw.open("rb") as content:
            while written := content.read(PIECE):
                file.write(written)
    raw.unlink()


def _widen(file: IO[bytes]) -> None:
    """Makes the int16 of a file int32, from its end on."""
    file.flush()
    stop = file.tell()
    for start in range((stop - 1) // PIECE * PIECE if stop else -1, -1, -PIECE):
        file.seek(start)
        piece = np.frombuffer(file.read(min(PIECE, stop - start)), np.int16)
        file.seek(2 * start)
        file.write(piece.astype(np.int32).tobytes())
    file.seek(2 * stop)


def _load(folder: Path) -> NumberedTokens | None:
    """What was saved, with the numbers where they lie; none where it is not there."""
    try:
        numbers = np.load(folder / "numbers.npy", mmap_mode="c", allow_pickle=False)
        kinds = json.loads((folder / "kinds.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return NumberedTokens(numbers, tuple(kinds))
