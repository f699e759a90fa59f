"""Subwords: pieces of words that a text is cut into, learned from it by Hugging Face's tokenizers.

bpe       merges of the pairs that are there most often; how, `datamodules.text.byte_pair` shows
unigram   the pieces that make the text likeliest, as SentencePiece's

A blank is a part of the piece after it, so that pieces put together are the text again. Both learn
8,000 pieces at most; `bpe:2000` and `unigram:2000` fewer or more.

Source: https://huggingface.co/docs/tokenizers; Sennrich, Haddow and Birch 2016,
        https://arxiv.org/abs/1508.07909; Kudo 2018, https://arxiv.org/abs/1804.10959
"""

import hashlib
from collections.abc import Callable, Sequence
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

from datamodules.files.cache import cache_folder, cached
from datamodules.files.errors import CorpusError
from datamodules.text.vocabulary import UNK

KINDS = ("bpe", "unigram")
PIECES = 8_000
FEWEST = 10
BLANK = "\u2581"
VERSION = 1  # of the files in the cache


def is_learned(name: str) -> bool:
    """Whether a tokenizer is one of subwords, by its name."""
    return name.partition(":")[0] in KINDS


def num_pieces(name: str) -> int:
    """Returns how many pieces a tokenizer of subwords learns at most.

    Raises:
        CorpusError: Its name does not say a number, or too small a one.
    """
    kind, colon, number = name.partition(":")
    if colon and not (number.isdecimal() and number.isascii() and int(number) >= FEWEST):
        raise CorpusError(
            f"{name}: wanted {kind}:NUMBER, the number of pieces, {FEWEST} at least: {kind}:2000"
        )
    return int(number) if colon else PIECES


def learned(name: str, texts: Sequence[str]) -> str:
    """Learns the pieces of texts; returns them as JSON text.

    They are kept in the cache, for all processes of a run and later runs: the library's unigram
    pieces differ a little each time.

    Args:
        name: Name of the tokenizer.
        texts: Texts, such as lines or sentences.

    Raises:
        CorpusError: The library is not installed.
    """
    digest = hashlib.sha256(f"{VERSION} {name}".encode())
    for text in texts:
        digest.update(b"\0" + text.encode("utf-8", "surrogatepass"))

    def load(path: Path) -> str | None:
        return path.read_text(encoding="utf-8") if path.is_file() else None

    def save(path: Path, rules: str) -> None:
        path.write_text(rules, encoding="utf-8")

    path = cache_folder("subwords") / f"{digest.hexdigest()}.json"
    return cached(path, load, lambda: _learned(name, texts), save)


def _learned(name: str, texts: Sequence[str]) -> str:
    library = _library(name)
    options = {"vocab_size": num_pieces(name), "show_progress": False, "special_tokens": [UNK]}
    if name.partition(":")[0] == "bpe":
        model = library.Tokenizer(library.models.BPE(unk_token=UNK))
        trainer = library.trainers.BpeTrainer(**options)
    else:
        model = library.Tokenizer(library.models.Unigram())
        trainer = library.trainers.UnigramTrainer(**options, unk_token=UNK)
    before = library.pre_tokenizers
    parts = [before.Metaspace(BLANK, "never"), before.Punctuation("isolated")]
    model.pre_tokenizer = before.Sequence(parts)
    model.train_from_iterator(map(_begun, texts), trainer, len(texts))
    return model.to_str()


def _begun(line: str) -> str:
    """Returns a line with a blank before its first word, as the others have."""
    return f" {line}" if line else ""


def _library(name: str) -> Any:
    try:
        return import_module("tokenizers")
    except ImportError as error:
        raise CorpusError(
            f"the tokenizer {name} needs a package that is missing: pip install tokenizers"
        ) from error


@cache
def cutter(name: str, rules: str) -> Callable[[str], list[str]]:
    r"""Returns the function that cuts a text into pieces; \n between lines is a piece of its own.

    Args:
        name: Name of the tokenizer.
        rules: What `learned` returned.

    Raises:
        CorpusError: The library is not installed, or the rules are none of its.
    """
    try:
        model = _library(name).Tokenizer.from_str(rules)
    except CorpusError:
        raise
    except Exception as error:  # of the library's own kind
        raise CorpusError(f"the pieces of the tokenizer {name} cannot be read") from error

    def cut(text: str) -> list[str]:
        pieces: list[str] = []
        lines = [*map(_begun, text.split("\n"))]
        for number, line in enumerate(model.encode_batch(lines)):
            pieces += [*(["\n"] if number else []), *line.tokens]
        return pieces

    return cut


def together(pieces: Sequence[str]) -> str:
    """Returns the text of pieces."""
    lines = "".join(pieces).split("\n")
    return "\n".join(line.removeprefix(BLANK).replace(BLANK, " ") for line in lines)
