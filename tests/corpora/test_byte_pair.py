"""Byte pairs: d2l's example, a learner by brute force, every word there and back, bad files."""

from collections import Counter
from itertools import pairwise
from time import process_time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datamodules.files.text import read_text
from datamodules.text.byte_pair import BytePairs
from datamodules.text.vocabulary import UNK
from tests.conftest import refused

COUNTS = {"fast": 4, "faster": 3, "tall": 5, "taller": 4}
MERGES = "t,a ta,l tal,l f,a fa,s fas,t e,r er,_ tall,_ fast,_"

corpora = st.dictionaries(st.text("abc", min_size=1, max_size=8), st.integers(1, 4), max_size=12)
numbers = st.integers(0, 25)
ends = st.sampled_from(["_", "</w>", "", "a"])


def merged(pieces, pair):
    found, place = [], 0
    while place < len(pieces):
        two = tuple(pieces[place : place + 2])
        found.append("".join(two) if two == pair else pieces[place])
        place += 2 if two == pair else 1
    return found


def by_brute_force(counts, num_merges, end):
    """Merges, and the words cut by them: all pairs counted anew each time, as d2l does."""
    words, merges = [[*word, *([end] if end else [])] for word in counts], []
    for _ in range(num_merges):
        pairs = Counter()
        for word, count in zip(words, counts.values(), strict=True):
            for pair in pairwise(word):
                pairs[pair] += count
        if not pairs:
            break
        merges.append(max(pairs, key=pairs.get))  # the first of equals
        words = [merged(word, merges[-1]) for word in words]
    return tuple(merges), words


@pytest.mark.parametrize("end", ["_", ""])
def test_d2ls_example(end):
    counts = COUNTS if end else {f"{word}_": count for word, count in COUNTS.items()}
    pairs, mark = BytePairs.learn(counts, 10, end=end), "" if end else "_"
    assert pairs.merges == tuple(tuple(pair.split(",")) for pair in MERGES.split())
    wanted = {"fast": "fast_", "faster": "fast er_", "tall": "tall_", "taller": "tall er_"}
    for word, pieces in wanted.items():
        assert " ".join(pairs.segment(word + mark, by="merges")) == pieces
        assert " ".join(pairs.segment(word + mark)) == pieces
    assert " ".join(pairs.segment("tallest" + mark)) == "tall e s t _"
    assert " ".join(pairs.segment("fatter" + mark)) == "fa t t er_"


@given(corpora, numbers, ends)
@settings(max_examples=300)
def test_as_a_learner_by_brute_force(counts, num_merges, end):
    pairs = BytePairs.learn(counts, num_merges, end=end)
    merges, words = by_brute_force(counts, num_merges, end)
    assert pairs.merges == merges
    for word, pieces in zip(counts, words, strict=True):
        assert pairs.segment(word, by="merges") == pieces


@given(corpora, numbers, st.text("abcd", max_size=12))
def test_every_word_goes_there_and_back(counts, num_merges, other):
    pairs = BytePairs.learn(counts, num_merges)
    known = {letter for word in counts for letter in word}
    for word in (*counts, other):
        for by in ("longest", "merges"):
            pieces = pairs.segment(word, by=by)
            assert len(pieces) <= len(word) + 1
            assert all(piece in pairs.pieces for piece in pieces if piece != UNK)
            assert pieces.count(UNK) == sum(c not in known for c in word) + (not counts)
            if known.issuperset(word) and counts:
                assert pairs.join(pieces) == word


@given(corpora, numbers, st.text("abcd", max_size=12))
def test_no_longer_piece_is_known(counts, num_merges, word):
    pairs = BytePairs.learn(counts, num_merges)
    text = f"{word}_"
    for piece in pairs.segment(word):
        longer = [text[:stop] for stop in range(len(piece) + 1, len(text) + 1)]
        if piece == UNK:
            piece, longer = text[0], [text[:stop] for stop in range(1, len(text) + 1)]
        assert pairs.pieces.keys().isdisjoint(longer)
        text = text.removeprefix(piece)
    assert not text


def test_the_two_ways_differ():
    pairs = BytePairs("abc", [("b", "c"), ("a", "b")], end="")
    assert pairs.segment("abc") == ["ab", "c"]
    assert pairs.segment("abc", by="merges") == ["a", "bc"]


def test_unknown_characters():
    pairs = BytePairs.learn({"fast": 1, "<unk>": 1}, 20)
    for by in ("longest", "merges"):
        assert pairs.segment("äfast", by=by) == [UNK, "fast_"]
        assert pairs.segment("fäst", by=by) == ["f", UNK, "s", "t", "_"]
        assert pairs.segment("é", by=by) == [UNK, "_"]


@given(st.dictionaries(st.text("ab \\\n\r\tst\u2028é", min_size=1), st.integers(1, 3)), numbers)
def test_saved_and_loaded(tmp_path_factory, counts, num_merges):
    path = tmp_path_factory.getbasetemp() / "pairs.txt"
    pairs = BytePairs.learn(counts, num_merges)
    pairs.save(path)
    loaded = BytePairs.load(path)
    assert (loaded.alphabet, loaded.merges, loaded.end) == (
        pairs.alphabet,
        pairs.merges,
        pairs.end,
    )


def test_a_file_of_pairs_can_be_read(tmp_path):
    BytePairs.learn({"a b": 2}, 2).save(tmp_path / "pairs.txt")
    assert (tmp_path / "pairs.txt").read_text() == "_\na\n\\s\nb\n_\na \\s\na\\s b\n"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"_\na\nb\na b", ": cut off: its last line does not end"),
        (b"_", ": cut off: its last line does not end"),
        (b"_\na\nb\na b\nc\n", ", line 5: no mark, character or pair of pieces in its place"),
        (b"a b\na\n", ", line 1: no mark, character or pair of pieces in its place"),
        (b"_\na\nb\na b a\n", ", line 4: no mark, character or pair of pieces in its place"),
        (b"_\na\n\nb\n", ", line 3: no mark, character or pair of pieces in its place"),
        (b"_\na\nb\na c\n", ": the merge of 'a' and 'c' is of unknown pieces"),
        (b"_\na\\q\n", r", line 2: \q stands for no character"),
        (b"\\\na\n", r", line 1: \ stands for no character"),
        (b"_\na\n\xff\n", ", line 3: not UTF-8 text"),
        (None, ": cannot be read (No such file or directory)"),
    ],
)
def test_a_bad_file_gets_one_line(content, words, tmp_path):
    path = tmp_path / "pairs.txt"
    if content is not None:
        path.write_bytes(content)
    assert refused(BytePairs.load, path) == f"{path}{words}"


@pytest.mark.real
def test_two_thousand_merges_of_the_penn_treebank_take_seconds(real_data):
    counts = Counter(read_text(real_data / "ptb" / "ptb.train.txt").split())
    start = process_time()
    pairs = BytePairs.learn(counts, 2000)
    assert process_time() - start < 20  # 1 s on an idle core
    assert len(pairs.merges) == 2000
    assert {"the_", "ing_", "'s_", "compan"} <= pairs.pieces.keys()
    for word in counts:
        assert pairs.join(pairs.segment(word)) == pairs.join(pairs.segment(word, by="merges"))
