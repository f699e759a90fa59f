"""Tokenizers and vocabularies: the course's values, every text there and back, bad names."""

import sys
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datamodules.files.text import read_text
from datamodules.text import tokenizers
from datamodules.text.tokenizers import cleaned, joined, refuse_unknown, tokenizer
from datamodules.text.vocabulary import BOS, EOS, PAD, SPECIALS, UNK, Vocab, count_ngrams
from tests.conftest import refused

SENTENCE = "Mr. Chen doesn't agree with my suggestion."
NINE = ["Mr.", "Chen", "does", "n't", "agree", "with", "my", "suggestion", "."]
texts = st.text(max_size=60)
LETTERS = ["b", "a", "c", "a", "b", "d"]
words = st.lists(st.text(min_size=1, max_size=5), max_size=30)


@pytest.fixture
def _forgotten():
    """Tokenizers are made anew, whatever other tests have made."""
    tokenizer.cache_clear()
    yield
    tokenizer.cache_clear()


# Tokenizers


@pytest.mark.parametrize("name", ["spacy", "treebank"])
def test_the_courses_sentence_has_nine_tokens(name):
    assert tokenizer(name)(SENTENCE) == NINE


def test_tokenizers_that_cut_elsewhere():
    assert tokenizer("tweet")(SENTENCE)[:4] == ["Mr", ".", "Chen", "doesn't"]
    assert tokenizer("wordpunct")(SENTENCE)[3:6] == ["doesn", "'", "t"]
    assert tokenizer("word")(SENTENCE) == SENTENCE.split(" ")
    assert "".join(tokenizer("char")(SENTENCE)) == SENTENCE


@pytest.mark.parametrize("name", ["spacy", "treebank", "tweet", "wordpunct", "word"])
def test_blanks_are_no_tokens_and_lines_do_not_run_together(name):
    tokens = tokenizer(name)("  One  line.\n\n\nAnother\tline\n")
    assert [token.strip(".") for token in tokens if token != "."] == [
        "One", "line", "Another", "line",
    ]  # fmt: skip
    assert tokenizer(name)(" \n ") == []


def test_cleaning_keeps_letters_and_single_blanks():
    assert cleaned("The Time Machine, by H. G. Wells [1898]\n") == "the time machine by h g wells "
    assert cleaned("naïve --\n\n 'tis") == "na ve tis"


@given(texts)
def test_a_cleaned_text_has_27_characters_and_is_clean(text):
    clean = cleaned(text)
    assert set(clean) <= set("abcdefghijklmnopqrstuvwxyz ")
    assert "  " not in clean
    assert cleaned(clean) == clean
    assert tokenizer("word")(clean) == [word for word in clean.split(" ") if word]


@given(texts)
def test_characters_come_back_as_they_were(text):
    assert joined(tokenizer("char")(text), "char") == text
    assert joined(tokenizer("word")(text), "word") == " ".join(text.split())


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("chars", "no tokenizer is called 'chars' (did you mean char?); there are: char, word, sp"),
        ("Treebank", "'Treebank' (did you mean treebank?)"),
        ("spcy:en_core_web_sm", "(did you mean spacy?)"),
        ("spacy:", "unigram, spacy:PIPELINE"),
        ("word:en", "(did you mean word?)"),
        ("", "no tokenizer is called ''; there are: char"),
    ],
)
def test_an_unknown_tokenizer_gets_one_line(name, words):
    assert words in refused(refuse_unknown, name)
    assert refused(tokenizer, name) == refused(refuse_unknown, name)


@pytest.mark.usefixtures("_forgotten")
@pytest.mark.parametrize(
    ("name", "package"), [("spacy", "spacy"), ("spacy:en", "spacy"), ("tweet", "nltk")]
)
def test_a_missing_package_gets_one_line(name, package, monkeypatch):
    monkeypatch.setitem(sys.modules, package, None)
    monkeypatch.setitem(sys.modules, f"{package}.tokenize", None)
    line = refused(tokenizer, name)
    assert line == (f"the tokenizer {name} needs a package that is missing: pip install {package}")


@pytest.mark.usefixtures("_forgotten")
def test_a_pipeline_is_loaded_where_it_is_installed(monkeypatch, tmp_path):
    spacy = pytest.importorskip("spacy")
    line = refused(tokenizer, "spacy:en_core_web_sm")
    assert "python -m spacy download en_core_web_sm" in line
    (tmp_path / "folder").mkdir()
    assert "is not installed" in refused(tokenizer, f"spacy:{tmp_path / 'folder'}")

    monkeypatch.setattr(spacy.util, "get_installed_models", lambda: ["mine", "broken"])
    monkeypatch.setattr(spacy, "load", {"mine": spacy.blank("de")}.__getitem__)
    assert tokenizer("spacy:mine")("Das ist z.B. gut.") == ["Das", "ist", "z.B.", "gut", "."]

    def fail(name):
        raise OSError(f"[E053] Could not read config\nfile from {name}")

    monkeypatch.setattr(spacy, "load", fail)
    assert "spaCy's pipeline broken cannot be loaded" in refused(tokenizer, "spacy:broken")


def test_nothing_is_imported_before_it_is_used():
    assert {"import spacy", "import nltk"}.isdisjoint(
        line.strip() for line in Path(tokenizers.__file__).read_text().splitlines()
    )


# Vocabularies


def test_indices_by_frequency_then_by_character():
    vocab = Vocab.of(LETTERS, specials=SPECIALS)
    assert vocab.entries == ("<pad>", "<bos>", "<eos>", "<unk>", "a", "b", "c", "d")
    assert vocab[["d", "never", "a", EOS]] == [7, 3, 4, 2]
    assert vocab["b"] == 5
    assert vocab[[]] == []
    assert vocab.tokens([1, 4, 3]) == [BOS, "a", UNK]
    assert (len(vocab), "a" in vocab, "never" in vocab) == (8, True, False)
    few = Vocab.of(LETTERS, specials=(UNK, PAD), min_freq=2)
    assert few.entries == (PAD, UNK, "a", "b")
    first = Vocab.of(LETTERS, order="appearance")
    assert first.entries == (UNK, "b", "a", "c", "d")


def test_a_token_spelt_as_a_special_entry_is_that_entry():
    vocab = Vocab.of(["a", "<unk>", "<eos>", "<pad>"], specials=(EOS, UNK))
    assert vocab.entries == (EOS, UNK, "<pad>", "a")
    assert vocab[["<unk>", "<eos>", "<pad>"]] == [1, 0, 2]


@given(words, st.sets(st.sampled_from(SPECIALS)), st.sampled_from(["frequency", "appearance"]))
def test_every_token_goes_there_and_back(tokens, specials, order):
    vocab = Vocab.of(tokens, specials=tuple(specials), order=order)
    assert vocab.tokens(vocab[tokens]) == tokens
    assert len(set(vocab.entries)) == len(vocab) == len(specials | set(tokens))
    assert list(vocab.entries[: len(specials)]) == [s for s in SPECIALS if s in specials]
    assert Vocab.of(tokens, specials=tuple(specials), order=order).entries == vocab.entries


@given(words, st.integers(1, 4))
def test_only_frequent_tokens_are_entries(tokens, least):
    vocab = Vocab.of(tokens, min_freq=least)
    counts = Counter(tokens)
    assert set(vocab.entries) - {UNK} == {t for t in tokens if counts[t] >= least} - {UNK}
    assert all((vocab[t] == 0) == (t == UNK or counts[t] < least) for t in tokens)
    keys = [(-counts[entry], entry) for entry in vocab.entries[1:]]
    assert keys == sorted(keys)


@given(st.lists(st.one_of(st.text(), st.text("\\ \n\r\tnrst\u2028\x85\ufeff")), unique=True))
def test_saved_and_loaded(tmp_path_factory, entries):
    path = tmp_path_factory.getbasetemp() / "vocabulary.txt"
    Vocab(entries).save(path)
    assert Vocab.load(path).entries == tuple(entries)
    assert path.read_bytes().count(b"\n") == len(entries)


def test_a_vocabulary_on_disk_can_be_read(tmp_path):
    Vocab([UNK, " ", "\n", "\\", "été"]).save(tmp_path / "v.txt")
    assert (tmp_path / "v.txt").read_text(encoding="utf-8") == "<unk>\n\\s\n\\n\n\\\\\nété\n"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"a\nb\na\n", ": the vocabulary has the entry 'a' twice"),
        (b"a\nb", ": cut off: its last line does not end"),
        (b"a\nb\\q\n", r": \q stands for no character"),
        (b"a\nb\\\n", ": \\ stands for no character"),
        (b"a\nb\n\xff\n", ", line 3: not UTF-8 text"),
        (None, ": cannot be read (No such file or directory)"),
    ],
)
def test_a_bad_vocabulary_gets_one_line(content, words, tmp_path):
    path = tmp_path / "v.txt"
    if content is not None:
        path.write_bytes(content)
    assert refused(Vocab.load, path) == f"{path}{words}"


def test_what_a_vocabulary_cannot_say():
    vocab = Vocab(["a", "b"])
    assert "'x' is not in the vocabulary, which has no <unk>" in refused(vocab.__getitem__, "x")
    for index in (-1, 2, -100):
        line = refused(vocab.tokens, [0, index])
        assert line == f"the vocabulary has 2 entries, and none is {index}"


def test_runs_of_tokens_are_counted():
    tokens = ["a", "b", "a", "b", "c"]
    assert count_ngrams(tokens, 1) == {("a",): 2, ("b",): 2, ("c",): 1}
    assert count_ngrams(tokens, 2) == {("a", "b"): 2, ("b", "a"): 1, ("b", "c"): 1}
    assert count_ngrams(tokens, 3)[("a", "b", "a")] == 1
    assert not count_ngrams(tokens, 6)


@given(words, st.integers(1, 4))
def test_there_are_as_many_runs_as_places(tokens, order):
    counts = count_ngrams(tokens, order)
    assert counts.total() == max(0, len(tokens) - order + 1)


# Texts


def test_line_ends_and_a_mark_do_not_matter(tmp_path):
    wanted = "Жизнь\nété 水\n\nend\n"
    for number, (end, mark) in enumerate((("\n", ""), ("\r\n", "\ufeff"), ("\r", ""))):
        path = tmp_path / f"{number}.txt"
        path.write_bytes((mark + wanted.replace("\n", end)).encode())
        assert read_text(path) == wanted


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", ": empty: there is no text"),
        (b"\xef\xbb\xbf \r\n\t\n", ": empty: there is no text"),
        (b"one\r\ntwo\rthree\nfour \xe9t\xe9\n", ", line 4: not UTF-8 text"),
        ("ab".encode("utf-16"), ", line 1: not UTF-8 text"),
        (b"one\ntwo\0\n", ", line 2: not text: there is a NUL byte"),
        (None, ": cannot be read (No such file or directory)"),
    ],
)
def test_a_bad_text_gets_one_line(content, words, tmp_path):
    path = tmp_path / "text.txt"
    if content is not None:
        path.write_bytes(content)
    assert refused(read_text, path) == f"{path}{words}"


# The real text


@pytest.mark.real
def test_the_time_machine_as_the_course_counts_it(real_data):
    text = read_text(real_data / "timemachine" / "timemachine.txt")
    lines = text.removesuffix("\n").split("\n")
    assert len(lines) == 3221
    assert cleaned(lines[0].strip()) == "the time machine by h g wells "
    tokens = tokenizer("word")(cleaned(text))
    assert tokens == [word for line in lines for word in tokenizer("word")(cleaned(line))]
    vocab = Vocab.of(tokens, order="appearance")
    assert len(vocab) == 4580
    assert vocab.entries[1:10] == (
        "the", "time", "machine", "by", "h", "g", "wells", "i", "traveller",
    )  # fmt: skip
    assert vocab[tokens[:10]] == [1, 2, 3, 4, 5, 6, 7, 8, 1, 2]
    characters = tokenizer("char")(cleaned(text))
    assert len(characters) == 173_428
    assert len(Vocab.of(characters)) == 28
    assert Vocab.of(tokens).entries[:5] == (UNK, "the", "i", "and", "of")
    ((pair, count),) = count_ngrams(tokens, 2).most_common(1)
    assert (pair, count) == (("of", "the"), 309)
    assert count_ngrams(tokens, 3).most_common(1)[0] == (("the", "time", "traveller"), 59)
