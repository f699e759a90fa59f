"""Long texts: numbered as a plain loop does it, read in pieces, kept in the cache."""

import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from datamodules import TextFile
from datamodules.files.text import read_text
from datamodules.text import token_files
from datamodules.text.token_files import numbered_tokens
from datamodules.text.tokenizers import cleaned, tokenizer
from datamodules.text.words_in_bytes import WordNumbers
from tests.conftest import refused
from tests.corpora.conftest import prepared

BLANKS = " \t\n\x0b\x0c\r\x1c\x1f\x85\xa0\u2003\u2028\u3000"
TEXTS = st.text(
    st.one_of(
        st.sampled_from("ab" + BLANKS),
        st.characters(exclude_categories=["Cs"], exclude_characters="\0"),
    )
)


def by_loop(tokens):
    """What reading gives, in the plainest way."""
    index: dict[str, int] = {}
    return [index.setdefault(token, len(index)) for token in tokens], tuple(index)


@pytest.fixture
def pieces(monkeypatch):
    """Pieces of a few bytes."""
    monkeypatch.setattr(token_files, "PIECE", 5)


def read(path, name="char", clean=False):
    found = numbered_tokens(Path(path), name, tokenizer(name), clean)
    return found.numbers.tolist(), found.kinds


@given(TEXTS)
def test_words_are_those_of_split(text):
    number = WordNumbers()
    for part in (text, text[::-1], "a b " * 3 + text):
        wanted = part.split()
        assert [number.kinds[n] for n in number(part)] == wanted
    assert len(set(number.kinds)) == len(number.kinds)


@pytest.mark.parametrize("length", [1, 7, 8, 9, 16, 17, 100])
def test_long_words_that_differ_anywhere_are_told_apart(length):
    words = ["x" * length]
    words += ["x" * i + "y" + "x" * (length - i - 1) for i in range(length)]
    words += [word + "x" for word in words]
    assert WordNumbers()(" ".join(words)).tolist() == by_loop(words)[0]


@given(TEXTS.filter(str.strip), st.booleans())
def test_a_text_in_pieces_is_the_whole_text(text, clean):
    token_files_piece, token_files.PIECE = token_files.PIECE, 5
    try:
        Path("text.txt").write_text(text, encoding="utf-8", newline="")
        whole = read_text(Path("text.txt"))
        whole = cleaned(whole) if clean else whole
        for name in ("char", "word"):
            assert read("text.txt", name, clean) == by_loop(tokenizer(name)(whole))
        assert read("text.txt", "wordpunct") == by_loop(
            tokenizer("wordpunct")(read_text(Path("text.txt")))
        )
    finally:
        token_files.PIECE = token_files_piece


def test_more_kinds_of_characters_than_a_byte_or_two_have():
    text = (
        "é" + "".join(map(chr, range(0x4E00, 0x9FFF))) + "".join(map(chr, range(0x20000, 0x24000)))
    )
    Path("text.txt").write_text(text + " azé\n" * 3, encoding="utf-8")
    assert read("text.txt") == by_loop(read_text(Path("text.txt")))


@pytest.mark.parametrize("name", ["char", "word"])
@pytest.mark.parametrize("wide", [False, True])
def test_a_long_text_lies_in_the_cache(name, wide, monkeypatch, tmp_path):
    monkeypatch.setenv("ZOO_CACHE", str(tmp_path))
    monkeypatch.setattr(token_files, "PIECE", 1000)
    text = "one two\n" * 2000
    if wide:
        text += " ".join(map(chr, range(0x20000, 0x2B000))) + "\nand so on\n"
    Path("text.txt").write_text(text, encoding="utf-8")
    wanted = read("text.txt", name)
    monkeypatch.setattr(token_files, "MOST_IN_MEMORY", 0)
    pieces = token_files.text_pieces
    for _ in range(2):
        found = numbered_tokens(Path("text.txt"), name, tokenizer(name), False)
        assert isinstance(found.numbers, np.memmap)
        small = name == "char" and not wide
        assert found.numbers.dtype == (np.int16 if small else np.int32)
        assert (found.numbers.tolist(), found.kinds) == wanted == by_loop(tokenizer(name)(text))
        (folder,) = tmp_path.glob("tokens/[!.]*")
        monkeypatch.setattr(token_files, "text_pieces", None)  # is not read again
    assert sorted(path.name for path in folder.iterdir()) == ["kinds.json", "numbers.npy"]
    monkeypatch.setattr(token_files, "text_pieces", pieces)
    Path("text.txt").write_text("other\n" + text, encoding="utf-8")
    assert read("text.txt", name)[1][0] in ("o", "other")
    assert len([*tmp_path.glob("tokens/[!.]*")]) == 2


def test_a_corpus_in_the_cache_gives_the_batches_of_one_in_memory(monkeypatch, tmp_path):
    def batches(**options):
        corpus = prepared(TextFile("text.txt", num_steps=7, batch_size=3, min_freq=3, **options))
        loaders = (corpus.train_dataloader(), corpus.val_dataloader())
        return corpus.vocab.entries, [[b.tolist() for b in batch] for ld in loaders for batch in ld]

    Path("text.txt").write_text("".join(f"line {n} of 300\n" for n in range(300)))
    for options in ({}, {"tokenizer": "word"}, {"max_tokens": 900, "order": "appearance"}):
        wanted = batches(**options)
        with monkeypatch.context() as patch:
            patch.setenv("ZOO_CACHE", str(tmp_path))
            patch.setattr(token_files, "MOST_IN_MEMORY", 0)
            assert batches(**options) == wanted


@pytest.mark.parametrize("name", ["char", "word"])
def test_reading_takes_no_more_memory_than_a_piece_beside_the_tokens(name):
    Path("text.txt").write_text("some words of a text 123\n" * 400_000)
    size = Path("text.txt").stat().st_size
    read_once = Path("small.txt")
    read_once.write_text("a b\n")
    numbered_tokens(read_once, name, tokenizer(name), False)  # imports what it needs
    tracemalloc.start()
    found = numbered_tokens(Path("text.txt"), name, tokenizer(name), False)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak - 2 * found.numbers.nbytes < min(24 * token_files.PIECE, 8 * size)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"a\n" * 9 + b"\xff\n", "text.txt, line 10: not UTF-8 text"),
        (b"a\r\n" * 9 + b"b\0\r\n", "text.txt, line 10: not text: there is a NUL byte"),
        (b" \n" * 9, "text.txt: empty: there is no text"),
        (b"", "text.txt: empty: there is no text"),
    ],
)
def test_a_bad_line_is_named_in_whatever_piece(content, words, pieces):
    Path("text.txt").write_bytes(content)
    assert refused(read, "text.txt").startswith(words)


def test_a_mark_within_a_text_is_kept(pieces):
    Path("text.txt").write_bytes("\ufeffab\n\ufeffcd\n".encode())
    assert read("text.txt") == by_loop("ab\n\ufeffcd\n")
