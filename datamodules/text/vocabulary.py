"""Vocabularies: tokens to indices and back, kept as text; and how often which tokens follow."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from reprlib import repr as in_short
from typing import Any, Literal, overload

from datamodules.files.errors import CorpusError
from datamodules.files.staging import reason, staged

PAD, BOS, EOS, UNK = SPECIALS = ("<pad>", "<bos>", "<eos>", "<unk>")
Order = Literal["frequency", "appearance"]

ESCAPES = {"\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t", " ": "\\s"}
ESCAPED = {escape: character for character, escape in ESCAPES.items()}


def escaped(text: str) -> str:
    """Returns a text in which a backslash stands for what would end a line or an entry."""
    return "".join(ESCAPES.get(character, character) for character in text)


def unescaped(text: str) -> str:
    """Returns the text that `escaped` wrote.

    Raises:
        KeyError: A backslash and what follows it stand for no character.
    """
    return re.sub(r"\\.?", lambda found: ESCAPED[found[0]], text)


class Vocab:
    """The tokens that a model knows, each with its index.

    Args:
        entries: Tokens in the order of their indices, special ones first.

    Raises:
        CorpusError: An entry is there twice.
    """

    def __init__(self, entries: Iterable[str]) -> None:
        self.entries = tuple(entries)
        self.index = {entry: index for index, entry in enumerate(self.entries)}
        if len(self.index) < len(self.entries):
            twice = next(e for e, count in Counter(self.entries).items() if count > 1)
            raise CorpusError(f"the vocabulary has the entry {in_short(twice)} twice")

    @classmethod
    def of(
        cls,
        tokens: Iterable[str] | Mapping[str, int],
        *,
        specials: Sequence[str] = (UNK,),
        min_freq: int = 1,
        order: Order = "frequency",
    ) -> "Vocab":
        """The vocabulary of a text.

        Args:
            tokens: Tokens of the text, or how often each is there, in the order of appearance. One
                that is spelt as a special entry is that entry.
            specials: Entries among <pad>, <bos>, <eos> and <unk> that are wanted; they come first,
                in this order.
            min_freq: Least occurrences of a token that is an entry.
            order: The most frequent first, and equally frequent ones by their characters' codes;
                or as they first appear.
        """
        counts = Counter(tokens)
        entries = [t for t, count in counts.items() if count >= min_freq and t not in specials]
        if order == "frequency":
            entries.sort(key=lambda token: (-counts[token], token))
        return cls([*sorted(specials, key=SPECIALS.index), *entries])

    def __len__(self) -> int:
        return len(self.entries)

    def __contains__(self, token: object) -> bool:
        return token in self.index

    @overload
    def __getitem__(self, tokens: str) -> int: ...
    @overload
    def __getitem__(self, tokens: list[str] | tuple[str, ...]) -> list[int]: ...
    def __getitem__(self, tokens: str | list[str] | tuple[str, ...]) -> int | list[int]:
        """The index of a token, or those of several; <unk>'s where it is no entry.

        Raises:
            CorpusError: It is no entry, and neither is <unk>.
        """
        unknown = self.index.get(UNK)
        wanted = [tokens] if isinstance(tokens, str) else tokens
        found = [self.index.get(token, unknown) for token in wanted]
        indices = [index for index in found if index is not None]
        if len(indices) < len(found):
            missing = in_short(wanted[found.index(None)])
            raise CorpusError(f"{missing} is not in the vocabulary, which has no {UNK}")
        return indices[0] if isinstance(tokens, str) else indices

    def tokens(self, indices: Iterable[int]) -> list[str]:
        """The tokens with these indices.

        Raises:
            CorpusError: There is no entry with such an index.
        """
        found = [int(index) for index in indices]
        for index in found:
            if not 0 <= index < len(self):
                raise CorpusError(f"the vocabulary has {len(self):,} entries, and none is {index}")
        return [self.entries[index] for index in found]

    def refuse_other(self, state: Mapping[str, Any], title: str, side: str = "") -> None:
        """Checks that the checkpoint of a corpus has this vocabulary.

        Args:
            state: State of its corpus that the checkpoint keeps.
            title: Title of the corpus that is read now.
            side: Language of the vocabulary, source or target, if the corpus is of pairs.

        Raises:
            CorpusError: It has another one; says where they differ, and how it was trained.
        """
        saved = state[f"{side}_vocabulary" if side else "vocabulary"]
        if saved == list(self.entries):
            return
        pairs = enumerate(zip(saved, self.entries, strict=False))
        shorter = min(len(saved), len(self))
        place = next((i for i, (theirs, ours) in pairs if theirs != ours), shorter)
        given = ", ".join(f"{k} {v}" for k, v in state["arguments"].items())
        name = f"{side} vocabulary".lstrip()
        raise CorpusError(
            f"the checkpoint was trained on another text than {title}: its {name} of "
            f"{len(saved):,} differs from that of {len(self):,} from entry {place} on; it was "
            f"trained with: {given or 'the defaults'}"
        )

    def save(self, path: Path) -> None:
        r"""Writes the entries as UTF-8 text, one a line; \\ \n \r \t \s are what they stand for.

        Raises:
            CorpusError: The file cannot be written.
        """
        lines = [f"{escaped(entry)}\n" for entry in self.entries]
        with staged(path) as part:
            part.write_bytes("".join(lines).encode())

    @classmethod
    def load(cls, path: Path) -> "Vocab":
        """Reads what `save` wrote.

        Raises:
            CorpusError: The file cannot be read, or is no vocabulary.
        """
        try:
            lines = path.read_bytes().decode().split("\n")
        except OSError as error:
            raise CorpusError(f"{path}: cannot be read ({reason(error)})") from error
        except UnicodeDecodeError as error:
            line = error.object[: error.start].count(b"\n") + 1
            raise CorpusError(f"{path}, line {line}: not UTF-8 text") from error
        if lines.pop():
            raise CorpusError(f"{path}: cut off: its last line does not end")
        try:
            return cls(map(unescaped, lines))
        except KeyError as error:
            raise CorpusError(f"{path}: {error.args[0]} stands for no character") from error
        except CorpusError as error:
            raise CorpusError(f"{path}: {error}") from error


def count_ngrams(tokens: Sequence[str], order: int) -> Counter[tuple[str, ...]]:
    """How often each run of `order` tokens is there: 1 counts tokens, 2 pairs, 3 triples."""
    return Counter(zip(*(tokens[start:] for start in range(order)), strict=False))
