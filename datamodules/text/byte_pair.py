"""Byte pair encoding: pieces of words, learned by merging the pair that is there most often.

Source: Sennrich, Haddow and Birch 2016, https://arxiv.org/abs/1508.07909, section 3.2; the longest
        pieces as in Zhang, Lipton, Li and Smola 2023, https://d2l.ai, section 15.6.2
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain, pairwise
from pathlib import Path
from typing import Literal

from datamodules.files.errors import CorpusError
from datamodules.files.staging import staged
from datamodules.files.text import read_text
from datamodules.text.vocabulary import UNK, escaped, unescaped

Pair = tuple[str, str]


class BytePairs:
    """The pieces that words are cut into, and the merges that made them.

    Args:
        alphabet: The characters that words may have, and the mark of their end.
        merges: Pairs of pieces in the order in which they were learned.
        end: Mark at the end of each word, so that pieces tell where one ends.

    Raises:
        CorpusError: A merge is of a piece that is not there yet.
    """

    def __init__(self, alphabet: Iterable[str], merges: Iterable[Pair], end: str = "_") -> None:
        self.alphabet, self.merges, self.end = tuple(alphabet), tuple(merges), end
        self.pieces = dict.fromkeys(self.alphabet)  # a set in order
        for pair in self.merges:
            if any(piece not in self.pieces for piece in pair):
                raise CorpusError(f"the merge of {pair[0]!r} and {pair[1]!r} is of unknown pieces")
            self.pieces["".join(pair)] = None
        self.ranks: defaultdict[Pair, list[int]] = defaultdict(list)  # a pair may come back
        for rank, pair in enumerate(self.merges):
            self.ranks[pair].append(rank)

    @classmethod
    def learn(cls, counts: Mapping[str, int], num_merges: int, end: str = "_") -> "BytePairs":
        """Merges, so many times, the two neighbours that are there most often in all words.

        Of equally frequent pairs it takes the one that the words, in their order, show first. It
        stops early where each word is one piece.

        Args:
            counts: Number of occurrences of each word, at least 1.
            num_merges: Pieces to add to the characters.
            end: Mark at the end of each word, "" for none.
        """
        words = [_marked(word, end) for word in counts]
        numbers = list(counts.values())
        alphabet = dict.fromkeys(chain.from_iterable(words))
        merges: list[Pair] = []
        pairs: Counter[Pair] = Counter()
        places: defaultdict[Pair, set[int]] = defaultdict(set)  # words that have a pair
        for place, word in enumerate(words):
            _note(pairs, places, place, word, numbers[place])
        while pairs and len(merges) < num_merges:
            most = max(pairs.values())
            tied = [pair for pair, count in pairs.items() if count == most]
            best = min(tied, key=lambda pair: _first(pair, places, words)) if tied[1:] else tied[0]
            merges.append(best)
            for place in list(places[best]):
                _note(pairs, places, place, words[place], -numbers[place])
                words[place] = _merged(words[place], best)
                _note(pairs, places, place, words[place], numbers[place])
        return cls(alphabet, merges, end)

    def segment(self, word: str, by: Literal["longest", "merges"] = "longest") -> list[str]:
        """The pieces of a word, the mark of its end among them; an unknown character is <unk>.

        Args:
            word: Without the mark.
            by: `longest` takes from the left the longest piece that is known, as d2l does (which
                makes a single <unk> of an unknown character and all that follows); `merges` does
                the merges in the order in which they were learned, as the paper does.
        """
        if by == "merges":
            return self._by_merges(word)
        pieces, text, start = [], word + self.end, 0
        while start < len(text):
            stops = range(len(text), start, -1)
            stop = next((stop for stop in stops if text[start:stop] in self.pieces), 0)
            pieces.append(text[start:stop] if stop else UNK)
            start = stop or start + 1
        return pieces

    def _by_merges(self, word: str) -> list[str]:
        pieces, done = _marked(word, self.end), -1
        while True:
            known = chain.from_iterable(self.ranks.get(pair, ()) for pair in pairwise(pieces))
            done = min((rank for rank in known if rank > done), default=-1)
            if done < 0:
                return [piece if piece in self.pieces else UNK for piece in pieces]
            pieces = _merged(pieces, self.merges[done])

    def join(self, pieces: Sequence[str]) -> str:
        """The word of pieces."""
        return "".join(pieces).removesuffix(self.end)

    def save(self, path: Path) -> None:
        r"""Writes UTF-8 text: the mark, the characters and the merges, one a line.

        A blank parts the two of a merge; \\ \n \r \t \s are what they stand for.

        Raises:
            CorpusError: The file cannot be written.
        """
        lines = [[self.end], *([piece] for piece in self.alphabet), *self.merges]
        texts = (" ".join(map(escaped, line)) for line in lines)
        with staged(path) as part:
            part.write_bytes("".join(f"{text}\n" for text in texts).encode())

    @classmethod
    def load(cls, path: Path) -> "BytePairs":
        """Reads what `save` wrote.

        Raises:
            CorpusError: The file cannot be read, or a line is not what `save` writes.
        """
        *lines, last = read_text(path).split("\n")
        if last:
            raise CorpusError(f"{path}: cut off: its last line does not end")
        rows: list[tuple[str, ...]] = []
        for number, line in enumerate(lines, 1):
            where = f"{path}, line {number}"
            try:
                rows.append(tuple(map(unescaped, line.split(" "))))
            except KeyError as error:
                raise CorpusError(f"{where}: {error.args[0]} stands for no character") from error
            least = len(rows[-2]) if number > 2 else 1  # pairs come last
            if not (least <= len(rows[-1]) <= min(number, 2) and (number == 1 or all(rows[-1]))):
                raise CorpusError(f"{where}: no mark, character or pair of pieces in its place")
        (end,), *rest = rows
        alphabet = [row[0] for row in rest if len(row) == 1]
        try:
            return cls(alphabet, [(row[0], row[1]) for row in rest[len(alphabet) :]], end)
        except CorpusError as error:
            raise CorpusError(f"{path}: {error}") from error


def _marked(word: str, end: str) -> list[str]:
    """The characters of a word and the mark of its end."""
    return [*word, *([end] if end else [])]


def _note(
    pairs: Counter[Pair], places: dict[Pair, set[int]], place: int, word: list[str], count: int
) -> None:
    """Adds a word's pairs to the counts, or takes them out where the count is negative."""
    for pair in pairwise(word):
        pairs[pair] += count
        if count > 0:
            places[pair].add(place)
        else:
            places[pair].discard(place)
        if not pairs[pair]:
            del pairs[pair], places[pair]


def _first(pair: Pair, places: dict[Pair, set[int]], words: list[list[str]]) -> tuple[int, int]:
    """The word that shows a pair first, and where in it."""
    place = min(places[pair])
    return place, list(pairwise(words[place])).index(pair)


def _merged(pieces: list[str], pair: Pair) -> list[str]:
    """The pieces with each such pair, from the left, made one."""
    merged: list[str] = []
    skip = False
    for piece, after in pairwise([*pieces, ""]):
        if skip:
            skip = False
        elif skip := (piece, after) == pair:
            merged.append(piece + after)
        else:
            merged.append(piece)
    return merged
