"""Subwords of translation, language models and classification; pairs in two files."""

import sys
from pathlib import Path

import pytest
import torch

from datamodules import LabelledTexts, PairFile, TextFile, TextFileWindows
from datamodules.batches.in_memory import Rows
from datamodules.text import subwords
from datamodules.text.subwords import cutter, learned, together
from datamodules.text.tokenizers import joined, plain_tokens, tokenizer
from datamodules.text.vocabulary import UNK
from tests.conftest import fails, refused
from tests.corpora.conftest import prepared
from zoo.cli.main import main

KINDS = ("bpe:60", "unigram:60")
CPU = ("--trainer.accelerator", "cpu", "--trainer.max_epochs", "1")
WORDS = ["the cat sat", "a cat ate the rat", "the hat, the mat!", "catwalks  end\n so it goes"]
TEXTS = WORDS * 6


def halves(kind):
    """Files of a lesson in each of two languages, and their pairs."""
    source = [f"{text} {n}".replace("\n", " ") for n in range(5) for text in WORDS]
    target = [f"le {text[::-1]}" for text in source]
    Path("a.en").write_text("\n".join(source) + "\n", encoding="utf-8")
    Path("a.fr").write_text("\n".join(target) + "\n", encoding="utf-8")
    return [*zip(source, target, strict=True)]


# Pieces


@pytest.mark.parametrize("kind", KINDS)
def test_pieces_put_together_are_the_text(kind):
    rules = learned(kind, TEXTS)
    cut = tokenizer(kind, rules)
    for text in (*WORDS, "", "a", "the cat\n\n ate the  cat", " at", "a\n"):
        assert together(cut(text)) == joined(cut(text), kind) == text
    assert len(cut("the cat sat")) < len("the cat sat")
    assert len(set(cutter(kind, rules)("".join(WORDS)))) <= 60
    assert learned(kind, TEXTS) == rules


def test_an_unknown_character_is_unknown_and_a_mark_no_token():
    for kind in KINDS:
        rules = learned(kind, TEXTS)
        known = set(plain_tokens(kind, rules)("".join(TEXTS)))
        found = plain_tokens(kind, rules)("the ж cat <eos>")
        assert "<eos>" not in found
        assert any(token == UNK or token not in known for token in found)


def test_names_and_what_is_not_installed(monkeypatch):
    for name, words in (
        ("bpe:", "bpe:: wanted bpe:NUMBER"),
        ("unigram:few", "wanted unigram:NUMBER"),
        ("bpe:3", "10 at least"),
        ("bpt", "did you mean bpe?"),
    ):
        assert words in refused(TextFile, tokenizer=name)
    assert "not of pieces" in refused(TextFileWindows, tokenizer="bpe")
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    assert "pip install tokenizers" in refused(learned, "bpe:77", ["no text that is kept"])


# Corpora


@pytest.mark.parametrize("kind", KINDS)
def test_only_the_training_text_teaches(kind):
    Path("text.txt").write_text("abab " * 90 + "zqzq " * 10)
    corpus = prepared(TextFile("text.txt", tokenizer=kind, num_steps=4, batch_size=2))
    assert not any(set("zq") & set(entry) for entry in corpus.vocab.entries)
    assert corpus.unit == "tokens"
    rows = [f"{'good' if n % 2 else 'bad'} film,{n % 2}" for n in range(40)]
    Path("list.csv").write_text("\n".join(["text,label", *rows]))
    texts = prepared(LabelledTexts("list.csv", tokenizer=kind))
    batch = texts.data["train"][Rows(0, torch.arange(36))]
    rows = zip(batch.tokens.tolist(), batch.lengths.tolist(), strict=True)
    said = {joined(texts.vocab.tokens(row[:length]), kind) for row, length in rows}
    assert said == {"good film", "bad film"}


@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_pairs_are_read_as_pieces(kind, shared):
    pairs = halves(kind)
    corpus = PairFile("a.en", "a.fr", tokenizer=kind, clean=False, shared_vocab=shared)
    prepared(corpus, "fit", "test")
    assert [len(corpus.data[split]) for split in ("train", "val", "test")] == [16, 2, 2]
    assert (corpus.subwords[0] == corpus.subwords[1]) == shared
    batch = corpus.data["train"][Rows(0, torch.arange(16))]
    train = [pairs[n] for n in corpus._division["train"].tolist()]
    assert [corpus.target_text(row) for row in batch.target.tolist()] == [t for _, t in train]
    tokens = corpus.source_tokens(train[0][0])
    assert tokens == batch.source[0][: len(tokens)].tolist()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("model", "given", "ask"),
    [
        ("Seq2Seq", ("PairFile", "a.en", "--data.target_path", "a.fr"), ("--text", "the cat sat")),
        ("RNN", ("TextFile", "a.en", "--data.num_steps", "4"), ("--prompt", "the cat")),
        ("TextCNN", ("LabelledTexts", "list.csv"), ("--text", "the cat sat")),
    ],
)
def test_a_checkpoint_alone_predicts_by_its_pieces(kind, model, given, ask, monkeypatch, tmp_path):
    halves(kind)
    rows = [f'"{text}",{n % 2}' for n, text in enumerate(TEXTS)]
    Path("list.csv").write_text("\n".join(["text,label", *rows]))
    corpus, path, *more = given
    data = ("--data", corpus, "--data.path", path, *more, "--data.tokenizer", kind)
    assert main(["fit", "--model", model, *data, "--data.batch_size", "4", *CPU]) == 0
    (ckpt,) = map(str, Path("runs").glob("*/1/checkpoints/best.ckpt"))
    said = []
    for folder in ("here", "elsewhere"):
        monkeypatch.setenv("ZOO_CACHE", str(tmp_path / folder))
        assert main(["predict", *ask, "--ckpt_path", ckpt, "--output", f"{folder}.txt"]) == 0
        said.append(Path(f"{folder}.txt").read_text("utf-8"))
    assert said[0] == said[1]
    assert "\u2581" not in said[0]


@pytest.mark.parametrize("corpus", ["PairFile", "TextFile", "LabelledTexts"])
def test_validation_elsewhere_takes_the_pieces_of_the_checkpoint(corpus, monkeypatch, tmp_path):
    """The library's unigram pieces are a little different each time that they are learned."""
    halves("")
    rows = [f'"{text}",{n % 2}' for n, text in enumerate(TEXTS)]
    Path("list.csv").write_text("\n".join(["text,label", *rows]))
    path = "list.csv" if corpus == "LabelledTexts" else "a.en"
    model = {"PairFile": "Seq2Seq", "TextFile": "RNN", "LabelledTexts": "TextCNN"}[corpus]
    data = ["--data.path", path, *(["--data.target_path", "a.fr"] if corpus == "PairFile" else [])]
    small = ["--data.num_steps", "4"] if corpus == "TextFile" else []
    small += ["--data.tokenizer", "unigram:60", "--data.batch_size", "4", *CPU]
    assert main(["fit", "--model", model, "--data", corpus, *data, *small]) == 0
    (ckpt,) = map(str, Path("runs").glob("*/1/checkpoints/best.ckpt"))
    monkeypatch.setenv("ZOO_CACHE", str(tmp_path / "elsewhere"))
    monkeypatch.setattr(subwords, "_learned", None)
    assert main(["validate", "--ckpt_path", ckpt, *data, "--trainer.accelerator", "cpu"]) == 0


# Two files


def test_two_files_are_read_as_one_with_tabs():
    pairs = halves("")
    Path("both.txt").write_text("".join(f"{s}\t{t}\n" for s, t in pairs), encoding="utf-8")
    one, two = (prepared(PairFile(*paths)) for paths in (("both.txt",), ("a.en", "a.fr")))
    assert one._pairs == two._pairs
    assert one.described.replace("both.txt", "a.en") == two.described
    assert two.described == "Pair file a.en, 16 train + 2 val + 2 test pairs"


def test_lines_without_a_pair():
    Path("a.en").write_text("one\n\nthree\r\n\n")
    Path("a.fr").write_text("un\n\ntrois")
    corpus = prepared(PairFile("a.en", "a.fr", clean=False), "fit")
    assert corpus._pairs == [("one", "un"), ("three", "trois")]
    for target, words in (
        ("un\n", "a.en, a.fr: not as many lines on both sides: 3 and 1"),
        ("un\ndeux\ntrois\n", "a.en, a.fr, line 2: the sentence is empty"),
        ("un\n\ntrois\nquatre", "not as many lines on both sides: 3 and 4"),
    ):
        Path("a.fr").write_text(target)
        assert words in refused(prepared, PairFile("a.en", "a.fr"))


@pytest.mark.parametrize(("count", "held_out"), [(5, 0), (10, 1), (99, 9)])
def test_what_is_held_out_fits_a_small_file(count, held_out):
    Path("a.en").write_text("".join(f"s{n}\n" for n in range(count)))
    corpus = PairFile("a.en", "a.en")
    prepared(corpus, "fit")
    assert [len(corpus.data[split]) for split in ("train", "val")] == [
        count - 2 * held_out,
        held_out,
    ]
    if held_out:
        corpus.setup("test")
        assert len(corpus.data["test"]) == held_out
    else:
        assert "has no test pairs" in refused(corpus.setup, "test")
        assert corpus.val_dataloader() == []


def test_a_target_that_is_not_there_is_named(capsys):
    halves("")
    data = ("--data", "PairFile", "--data.path", "a.en", "--data.target_path", "a.de")
    assert "a.de: there is no such file" in fails(capsys, "fit", "--model", "Seq2Seq", *data)
