"""Texts of other systems: letters in two pieces, marks as words, runs of blanks."""

import unicodedata
from pathlib import Path

import pytest
import torch

from datamodules import LabelledTexts, PairFile, PennTreebank, Table, TextFile
from datamodules.batches.in_memory import Rows
from datamodules.text.tokenizers import cleaned_sentence, plain_tokens
from datamodules.text.vocabulary import BOS, EOS, PAD, SPECIALS, UNK, Vocab
from datamodules.words.pretrained_vectors import read_vectors
from tests.conftest import refused
from tests.corpora.conftest import prepared, texts
from zoo.cli.main import main

CPU = ("--trainer.accelerator", "cpu", "--trainer.max_epochs", "1")


def apart(text):
    """Every accented letter as a letter and its accent, as macOS writes names of files."""
    return unicodedata.normalize("NFD", text)


ACCENTED = ("déjà vu", "über Öl", "한국어 말", "Ångström", "mañana")
TWINS = [apart(text) for text in ACCENTED]


def test_the_twins_differ_as_long_as_nobody_composes_them():
    assert not set(ACCENTED) & set(TWINS)


# Letters in two pieces


@pytest.mark.parametrize("clean", [True, False])
def test_twins_of_a_sentence_are_on_one_side_of_a_split(clean):
    lines = [f"{each} {n}\tx{n}" for n in range(8) for each in (*ACCENTED, *TWINS)]
    Path("pairs.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    corpus = PairFile("pairs.txt", clean=clean, num_val=10, num_test=10)
    prepared(corpus, "fit", "test")
    sides = [{source for source, _ in texts(corpus, part)} for part in ("train", "val", "test")]
    assert sum(map(len, sides)) == len(set().union(*sides)) == 40
    for text in (*ACCENTED, *TWINS):
        assert corpus.translations(f"{text} 3") == ("x3",)
        assert corpus.source_tokens(text) == corpus.source_tokens(
            unicodedata.normalize("NFC", text)
        )


def test_twins_are_one_word_of_every_vocabulary():
    Path("text.txt").write_text("\n".join([*ACCENTED, *TWINS] * 20), encoding="utf-8")
    for tokenizer in ("word", "char"):
        corpus = prepared(TextFile("text.txt", tokenizer=tokenizer, num_steps=4, batch_size=2))
        assert all(unicodedata.is_normalized("NFC", entry) for entry in corpus.vocab.entries)
    rows = [f'"{text}","{label}"' for label in ("é", "à") for text in (*ACCENTED, *TWINS)]
    for part in ("é", "e\u0301"):
        Path("own", part).mkdir(parents=True)
    Path("list.csv").write_text("\n".join(["text,label", *rows, *map(apart, rows)]), "utf-8")
    corpus = prepared(LabelledTexts("list.csv", min_freq=1))
    assert corpus.labels == ("à", "é")
    words = {word for text in ACCENTED for word in text.lower().split()}
    assert set(corpus.vocab.entries) == {PAD, UNK, *words}
    Path("list.jsonl").write_text('{"text": "e\\u0301", "label": "a"}\n{"text": "é", "label": "b"}')
    corpus = LabelledTexts("list.jsonl", clean=False, min_freq=1, validation_fraction=0.0)
    assert set(prepared(corpus).vocab.entries) == {PAD, UNK, "é"}


def test_twins_are_one_category_of_a_table():
    rows = [f"{word},{n}.5" for n in range(20) for word in ("é", "e\u0301")]
    Path("table.csv").write_text("\n".join(["w,y", *rows]), encoding="utf-8")
    assert prepared(Table("table.csv", "y"))._encoder.words == {"w": ["é"]}


def test_a_prompt_in_pieces_is_read_as_one_that_is_composed(capsys):
    Path("text.txt").write_text("é à ü " * 100, encoding="utf-8")
    given = ("--data", "TextFile", "--data.path", "text.txt", "--data.num_steps", "4")
    assert main(["fit", "--model", "RNN", *given, "--data.batch_size", "2", *CPU]) == 0
    (ckpt,) = map(str, Path("runs").glob("*/1/checkpoints/best.ckpt"))
    said = []
    for name, prompt in (("a.txt", "é à"), ("b.txt", apart("é à"))):
        ask = ("predict", "--ckpt_path", ckpt, "--prompt", prompt, "--output", name)
        assert main(list(ask)) == 0
        said.append(Path(name).read_text("utf-8"))
    assert said[0] == said[1]
    assert "not in the vocabulary" not in capsys.readouterr().out


# Marks as words


@pytest.mark.parametrize("mark", [PAD, BOS, EOS])
def test_a_mark_in_a_text_is_an_unknown_word(mark):
    assert plain_tokens("word")(f"a {mark} b {mark}") == ["a", UNK, "b", UNK]
    lines = [f"a {mark} b {n}\tc {mark} d {n}" for n in range(6)]
    Path("pairs.txt").write_text("\n".join(lines), encoding="utf-8")
    corpus = prepared(PairFile("pairs.txt", num_val=0, num_test=0, min_freq=2))
    batch = corpus.data["train"][Rows(0, torch.arange(6))]
    _, bos, eos, unk = range(len(SPECIALS))
    a, b = corpus.source_vocab[["a", "b"]]
    assert batch.source.tolist() == [[a, unk, b, unk, eos]] * 6
    c, d = corpus.target_vocab[["c", "d"]]
    assert batch.target.tolist() == [[bos, c, unk, d, unk, eos]] * 6
    assert corpus.source_tokens(f"{mark} a") == [unk, a, eos]
    rows = [f"a {mark} b,{label}" for label in "xy" for _ in range(3)]
    Path("list.csv").write_text("\n".join(["text,label", *rows]), encoding="utf-8")
    corpus = prepared(LabelledTexts("list.csv", clean=False, validation_fraction=0.0))
    batch = corpus.data["train"][Rows(0, torch.arange(6))]
    assert batch.tokens.tolist() == [corpus.vocab[["a", UNK, "b"]]] * 6


def test_a_mark_in_a_text_to_predict_is_an_unknown_word():
    rows = [f"{word} {n},{word}" for word in ("good", "bad") for n in range(8)]
    Path("list.csv").write_text("\n".join(["text,label", *rows]), encoding="utf-8")
    data = ("--data", "LabelledTexts", "--data.path", "list.csv", "--data.clean", "false")
    assert main(["fit", "--model", "TextCNN", *data, *CPU]) == 0
    (ckpt,) = map(str, Path("runs").glob("*/1/checkpoints/best.ckpt"))
    said = {}
    for word in (PAD, EOS, "nobody"):
        text = f"good {word} {word} bad"
        assert main(["predict", "--text", text, "--ckpt_path", ckpt, "--output", "a.txt"]) == 0
        said[word] = Path("a.txt").read_text()
    assert len(set(said.values())) == 1


def test_a_language_model_may_have_marks_as_words():
    Path("text.txt").write_text(f"a {EOS} b {PAD} " * 50)
    corpus = prepared(TextFile("text.txt", tokenizer="word", num_steps=4, batch_size=2))
    assert {EOS, PAD} < set(corpus.vocab.entries)


# Files of vectors

PLAIN = "the 0.5 -1 2\nof 1 2 3\nNew York 4 5 6\n"
SPELLINGS = {
    "runs of blanks": "the   0.5 -1  2\nof  1 2  3 \nNew York    4 5 6\n",
    "tabs": "the\t0.5\t-1\t2\nof\t1\t2\t3\nNew York\t4\t5\t6\n",
    "blanks at both ends": "  the 0.5 -1 2  \n of 1 2 3\n New York 4 5 6 \n",
    "a mark": "\ufeff" + PLAIN,
    "a mark and a header": "\ufeff3 3\n" + PLAIN,
    "a header with runs": "3   3 \n" + PLAIN,
    "line ends of Windows": PLAIN.replace("\n", "\r\n"),
}


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_vectors_are_read_in_every_spelling(spelling):
    path = Path("vectors.txt")
    path.write_bytes(SPELLINGS[spelling].encode())
    found = read_vectors(path)
    assert found.words == ["the", "of", "New York"]
    assert found.vectors.tolist() == [[0.5, -1, 2], [1, 2, 3], [4, 5, 6]]
    assert read_vectors(path, ["the"]).words == ["the"]


def test_a_value_too_few_is_named_whatever_the_blanks():
    Path("vectors.txt").write_text("the  1  2\nof   1\n")
    assert "vectors.txt, line 2: wanted a word and 2 values" in refused(read_vectors, "vectors.txt")


def test_wanted_words_are_found_in_either_form():
    Path("vectors.txt").write_text(f"{apart('é')} 1 2\nb 3 4\n", encoding="utf-8")
    assert read_vectors("vectors.txt", ["é"]).vectors.tolist() == [[1, 2]]


def test_a_vocabulary_is_of_composed_words():
    assert cleaned_sentence(apart("É!")) == "é !"
    assert Vocab.of(plain_tokens("word")(cleaned_sentence(apart("é é")))).entries == (UNK, "é")


def test_the_end_of_a_line_is_no_word_of_it():
    for name in ("train", "valid", "test"):
        Path("ptb").mkdir(exist_ok=True)
        Path(f"ptb/ptb.{name}.txt").write_text(f" a {EOS} b \n" * 2)
    assert PennTreebank(root=".").tokens("train") == [EOS, *["a", UNK, "b", EOS] * 2]
