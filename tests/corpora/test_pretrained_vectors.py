"""Files of word vectors: three formats, packed or not, what is wrong in them, gensim's reader."""

import gzip
import os
import tracemalloc
import zipfile
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from datamodules.files.cache import cache_folder
from datamodules.words import pretrained_vectors
from datamodules.words.pretrained_vectors import read_vectors, write_word2vec
from tests.conftest import refused

GLOVE = "the 0.5 -1.25 2e-3\n, 1 2 3\nfilm -0.5 0 4\n"
VECTORS = [[0.5, -1.25, 0.002], [1, 2, 3], [-0.5, 0, 4]]
WORDS = ["the", ",", "film"]


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("ZOO_CACHE", str(tmp_path / "cache"))


def written(text: str | bytes, name: str = "vectors.txt") -> Path:
    path = Path(name)
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def assert_whole(found, words=WORDS, vectors=VECTORS):
    assert found.words == words
    assert found.vectors.dtype == torch.float32
    torch.testing.assert_close(found.vectors, torch.tensor(vectors, dtype=torch.float32))


FORMATS = {
    "glove.txt": GLOVE,
    "word2vec.txt": f"3 3\n{GLOVE}",
    "fasttext.vec": f"3 3\n{GLOVE}".replace("\n", " \n").replace("3 3 ", "3 3"),
    "windows.txt": GLOVE.replace("\n", "\r\n"),
    "no_end.txt": GLOVE.rstrip(),
}


@pytest.mark.parametrize("name", FORMATS)
def test_formats(name):
    assert_whole(read_vectors(written(FORMATS[name], name)))


def test_packed_files():
    path = Path("glove.txt.gz")
    path.write_bytes(gzip.compress(GLOVE.encode()))
    assert_whole(read_vectors(path))
    with zipfile.ZipFile("one.zip", "w") as archive:
        archive.writestr("folder/vec.txt", GLOVE)
        archive.writestr("LICENSE", "free")
    assert_whole(read_vectors("one.zip"))
    with zipfile.ZipFile("two.zip", "w") as archive:
        archive.writestr("glove.3d.txt", GLOVE)
        archive.writestr("glove.1d.txt", "a 1\n")
    assert_whole(read_vectors("two.zip!glove.3d.txt"))
    assert read_vectors("two.zip!glove.1d.txt").words == ["a"]
    message = refused(read_vectors, "two.zip")
    assert "name one of them, as in two.zip!glove.3d.txt" in message
    assert "no such member" in refused(read_vectors, "two.zip!glove.txt")


def test_wanted_words_alone_are_kept_in_the_order_of_the_file():
    path = written(GLOVE)
    found = read_vectors(path, wanted=["film", "the", "unheard-of"])
    assert_whole(found, ["the", "film"], [VECTORS[0], VECTORS[2]])
    none = read_vectors(path, wanted=[])
    assert (none.words, tuple(none.vectors.shape)) == ([], (0, 3))
    assert read_vectors(path, wanted=["absent"]).words == []
    assert_whole(read_vectors(path))


def test_words_may_have_blanks_and_signs_of_any_kind():
    words = [". . .", "at name@domain.com", "1", "a\xa0b", "\u2028", "#", "naïve", "nan"]
    text = "".join(f"{word} 1 2 3\n" for word in words)
    assert read_vectors(written(text)).words == words
    assert read_vectors(written(f"{len(words)} 3\n{text}", "header.vec")).words == words


def test_of_a_word_that_is_there_twice_the_first_counts():
    assert_whole(read_vectors(written(f"{GLOVE}the 9 9 9\n")))
    assert_whole(read_vectors(written(f"4 3\n{GLOVE}the 9 9 9\n")))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "vectors.txt: empty"),
        ("0 3\n", "vectors.txt: empty"),
        (f"{GLOVE}a 1 2\n", "line 4: wanted a word and 3 values; values found: 2"),
        (f"{GLOVE}a 1 2 3 4\n", "line 4: wanted a word and 3 values; values found: 4"),
        (f"{GLOVE}\n", "line 4: wanted a word and 3 values; values found: 0"),
        (f"{GLOVE} 1 2 3\n", "line 4: wanted a word and 3 values"),
        (f"3 4\n{GLOVE}", "line 2: wanted a word and 4 values; values found: 3"),
        ("word\n", "line 1: wanted a word and its values"),
        (f"{GLOVE}a 1 nan 3\n", "line 4: a value is not a finite number"),
        (f"{GLOVE}a 1 inf 3\nb 1 nan 3\n", "line 4: a value is not a finite number"),
        (f"{GLOVE}a 1 1e39 3\n", "line 4: a value is not a finite number"),
        (f"{GLOVE}a 1 two 3\n", "line 4: 'two' is no number"),
        (GLOVE.encode() + b"caf\xe9 1 2 3\n", "line 4: not UTF-8 text"),
        (f"5 3\n{GLOVE}", "announces 5 words, and 3 follow: was it cut off?"),
        (f"2 3\n{GLOVE}", "announces 2 words, and 3 follow"),
        (f"{GLOVE}{'a' * (1 << 20)} 1 2 3\n", "line 4: over 1,048,576 bytes"),
    ],
)
def test_what_is_wrong_is_named_by_file_and_line(text, words):
    message = refused(read_vectors, written(text))
    assert message.startswith("vectors.txt")
    assert words in message
    assert not list(cache_folder("vectors").glob("*.safetensors"))


def test_files_that_cannot_be_read():
    assert "absent.txt: cannot be read" in refused(read_vectors, "absent.txt")
    assert "cannot be read" in refused(read_vectors, written(GLOVE, "glove.gz"))
    assert "cannot be read" in refused(read_vectors, written(GLOVE, "glove.zip"))
    packed = gzip.compress(GLOVE.encode() * 1000)
    assert "cannot be read" in refused(read_vectors, written(packed[:-20], "cut.gz"))
    Path("folder").mkdir()
    assert "folder: cannot be read" in refused(read_vectors, "folder")


def test_the_cache_answers_while_the_file_is_the_same(monkeypatch):
    path = written(GLOVE)
    read_vectors(path)
    parsed = pretrained_vectors._parsed
    monkeypatch.setattr(pretrained_vectors, "_parsed", None)
    assert_whole(read_vectors(path))
    monkeypatch.setattr(pretrained_vectors, "_parsed", parsed)
    for file in cache_folder("vectors").glob("*.safetensors"):
        file.write_bytes(file.read_bytes()[:-3])  # damaged: read anew
    assert_whole(read_vectors(path))
    status = path.stat()
    path.write_text(GLOVE.replace("film", "flim"))
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns + 1))
    assert read_vectors(path).words == ["the", ",", "flim"]
    read_vectors(path, [f"{n}" for n in range(500)])
    before = set(cache_folder("vectors").iterdir())
    read_vectors(path, [f"{n}" for n in reversed(range(500))])  # a set of them has another order
    assert set(cache_folder("vectors").iterdir()) == before
    other = written(GLOVE, "other.txt")
    os.utime(other, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert read_vectors(other).words == WORDS


def test_only_what_is_wanted_takes_memory():
    row = " ".join(["0.25"] * 50)
    path = written("".join(f"word{number} {row}\n" for number in range(20_000)))
    tracemalloc.start()
    found = read_vectors(path, wanted=["word7", "word19999"])
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert found.words == ["word7", "word19999"]
    assert peak < 1_000_000 < path.stat().st_size


# Writing


names = st.text(st.characters(codec="utf-8", exclude_categories=["Z", "C"]), min_size=1, max_size=5)
finite = st.floats(width=32, allow_nan=False, allow_infinity=False)


@given(st.dictionaries(names, st.tuples(finite, finite, finite), min_size=1, max_size=8))
def test_what_is_written_is_read_bit_by_bit(rows):
    vectors = torch.tensor(list(rows.values()), dtype=torch.float32)
    write_word2vec("words.txt", list(rows), vectors)
    Path("words.txt").touch()
    found = read_vectors("words.txt")
    assert found.words == list(rows)
    assert torch.equal(found.vectors, vectors)


def test_gensim_reads_what_is_written():
    models = pytest.importorskip("gensim.models")
    words = ["the", "<unk>", "naïve", "#", "10"]
    vectors = torch.randn(5, 7, generator=torch.Generator().manual_seed(0))
    write_word2vec("words.txt", words, vectors.requires_grad_())
    read = models.KeyedVectors.load_word2vec_format("words.txt")
    assert read.index_to_key == words
    assert torch.equal(torch.from_numpy(read.vectors.copy()), vectors)
    read.save_word2vec_format("again.txt")
    again = read_vectors("again.txt")
    torch.testing.assert_close(again.vectors, vectors.detach(), rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    ("words", "vectors", "said"),
    [
        (["New York"], torch.ones(1, 2), "'New York' is empty or has a blank in it"),
        (["a", ""], torch.ones(2, 2), "'' is empty or has a blank"),
        (["a\n"], torch.ones(1, 2), "'a\\n' is empty or has a blank"),
        (["a\u2028b"], torch.ones(1, 2), "has a blank"),
        (["a", "a"], torch.ones(2, 2), "'a' is there twice"),
        (["a"], torch.ones(2, 2), "1 words do not fit vectors of 2 x 2"),
        (["a"], torch.tensor([[1.0, torch.nan]]), "the vector of 'a' is not finite"),
    ],
)
def test_what_cannot_be_written_is_refused_and_nothing_is(words, vectors, said):
    assert said in refused(write_word2vec, "words.txt", words, vectors)
    assert list(Path().glob("*words*")) == []


def test_a_file_is_replaced_whole_or_not_at_all():
    write_word2vec("words.txt", ["a"], torch.ones(1, 2))
    refused(write_word2vec, "words.txt", ["b", "b"], torch.ones(2, 2))
    assert Path("words.txt").read_text() == "1 2\na 1 1\n"
    Path("folder").mkdir()
    Path("folder/words.txt").mkdir()
    assert "cannot be written" in refused(
        write_word2vec, "folder/words.txt", ["a"], torch.ones(1, 2)
    )
