"""Words of a text, numbered without a Python object for each of them."""

import re
from itertools import repeat

import numpy as np

WIDE_BLANK = re.compile("[\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]")
BLANKS = bytes(byte in (*range(9, 14), *range(28, 33)) for byte in range(256))  # of str.split
LANE = 8  # bytes of a word at a time
ODD = np.uint64(0x9E3779B97F4A7C15)


class WordNumbers:
    """Numbers what blanks part, as `str.split` does, by the bytes of all words of a piece at once.

    The text has no NUL. Words are told apart by 64 bits: a word of up to 8 bytes by the bytes
    themselves, mixed, a longer one by a hash of them.
    """

    def __init__(self) -> None:
        self.kinds: list[str] = []
        self._numbers: dict[int, int] = {}

    def __call__(self, text: str) -> np.ndarray:
        """The numbers of the words of a text, int32 (words)."""
        from pandas import factorize

        content = (text if text.isascii() else WIDE_BLANK.sub(" ", text)).encode()
        starts, ends = _bounds(content)
        codes, keys = factorize(_keys(content, starts, ends))
        first = np.empty(len(keys), dtype=np.int64)
        first[codes[::-1]] = np.arange(len(codes))[::-1]
        known = map(self._numbers.get, keys.tolist(), repeat(-1))
        numbers = np.fromiter(known, np.int32, len(keys))
        for place in np.flatnonzero(numbers < 0):
            at = first[place]
            numbers[place] = self._numbers[int(keys[place])] = len(self.kinds)
            self.kinds.append(content[starts[at] : ends[at]].decode())
        return numbers[codes]


def _bounds(content: bytes) -> tuple[np.ndarray, np.ndarray]:
    """Where the words of a text begin and end, int64 (words) each."""
    blank = np.frombuffer(b"\1" + content.translate(BLANKS) + b"\1", np.uint8)
    changes = np.flatnonzero(blank[1:] != blank[:-1])
    return changes[::2], changes[1::2]


def _keys(content: bytes, starts: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """What words are told apart by, uint64 (words)."""
    padded = np.frombuffer(content + bytes(LANE), np.uint8)
    lanes = np.lib.stride_tricks.sliding_window_view(padded, LANE)
    keys = _mixed(_lane(lanes, starts, ends))
    rest = np.flatnonzero(ends - starts > LANE)
    at = starts[rest] + LANE
    while len(rest):
        keys[rest] = _mixed((keys[rest] + ODD) ^ _lane(lanes, at, ends[rest]))
        at = at + LANE
        longer = at < ends[rest]
        rest, at = rest[longer], at[longer]
    return keys


def _lane(lanes: np.ndarray, at: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """The bytes from there to the end of each word, 8 at most, as a number: uint64 (words)."""
    values = lanes[at].view(np.uint64).ravel()
    missing = np.maximum(LANE - (ends - at), 0).astype(np.uint64) * np.uint64(8)
    return values & (np.uint64(0xFFFFFFFFFFFFFFFF) >> missing)


def _mixed(values: np.ndarray) -> np.ndarray:
    """A permutation of the numbers of 64 bits in which each bit sways all above it."""
    values = values ^ (values >> np.uint64(32))
    values = values * ODD
    values = values ^ (values >> np.uint64(29))
    return values * np.uint64(0xBF58476D1CE4E5B9)
