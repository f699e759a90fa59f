"""Labelled texts of one's own: folders, zips, lists; any number of classes; bad input."""

import json
import zipfile
from pathlib import Path

import pytest

from datamodules import LabelledTexts
from datamodules.batches.in_memory import Rows
from tests.conftest import fails, quiet_trainer, refused
from tests.corpora.conftest import prepared
from zoo import BagOfEmbeddings
from zoo.cli.main import main

CLASSES = {"bees": "buzz honey", "cats": "purr milk", "dogs": "bark bone"}


def texts(per_class=8):
    """Rows of a text and a label, of three classes."""
    for number in range(per_class):
        for label, words in CLASSES.items():
            yield f"{words} the {words.split()[number % 2]} again, number{number}", label


def folder(at, per_class=8, ending=".txt"):
    for number, (text, label) in enumerate(texts(per_class)):
        path = Path(at, label, f"{number}{ending}")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return at


def listed(name, rows, columns=("text", "label")):
    """A list of texts and labels in the form that its ending says."""
    rows = [dict(zip(columns, row, strict=True)) for row in rows]
    ending = Path(name).suffix
    if ending in (".csv", ".tsv"):
        mark = "," if ending == ".csv" else "\t"
        lines = [mark.join(columns), *(mark.join(f'"{c}"' for c in r.values()) for r in rows)]
        content = "\n".join(lines)
    else:
        content = json.dumps(rows) if ending == ".json" else "\n".join(map(json.dumps, rows))
    Path(name).write_text(content + "\n", encoding="utf-8")
    return name


def read(path, **options):
    return prepared(LabelledTexts(path, **{"min_freq": 1, **options}))


def told(corpus, split):
    """The texts of a split by their words, and their labels."""
    rows = corpus.data[split]
    batch = rows[Rows(0, list_of(len(rows)))]
    cut = zip(batch.tokens.tolist(), batch.lengths.tolist(), batch.labels.tolist(), strict=True)
    return sorted((" ".join(corpus.vocab.tokens(t[:n])), corpus.labels[c]) for t, n, c in cut)


def list_of(count):
    import torch

    return torch.arange(count)


def made(kind):
    if kind == "folder":
        return folder("own")
    if kind == "endings":
        return folder("own", ending=".md")
    if kind == "zip":
        folder("around/own")
        with zipfile.ZipFile("own.zip", "w") as archive:
            for path in sorted(Path("around").rglob("*")):
                archive.write(path, path.relative_to("around"))
            archive.writestr("__MACOSX/own/._x", "x")
        return "own.zip"
    return listed(f"own.{kind}", texts())


@pytest.mark.parametrize("kind", ["folder", "endings", "zip", "csv", "tsv", "json", "jsonl"])
def test_every_form_is_read_alike(kind):
    corpus = read(made(kind), validation_fraction=0.25)
    assert corpus.labels == ("bees", "cats", "dogs")
    assert corpus.num_classes == 3
    found = told(corpus, "train") + told(corpus, "val")
    clean = [(text.replace(",", " ,"), label) for text, label in texts()]
    assert sorted(found) == sorted(clean)
    assert [label for _, label in told(corpus, "val")].count("cats") == 2
    assert corpus.splits == ("train", "val")


def test_parts_are_taken_as_they_are_called():
    for part, count in (("Train", 5), ("dev", 2), ("test", 3)):
        folder(f"own/{part}", count)
    corpus = read("own")
    assert corpus.splits == ("train", "val", "test")
    assert {split: len(rows) for split, rows in corpus.data.items()} == {
        "train": 15,
        "val": 6,
        "test": 9,
    }
    rows = [(*row, part) for part in ("train", "validation", "test") for row in texts(4)]
    corpus = read(listed("own.csv", rows, ("text", "label", "split")))
    assert [len(corpus.data[split]) for split in ("train", "val", "test")] == [12, 12, 12]


@pytest.mark.parametrize(
    ("columns", "options"),
    [
        (("Sentence", "category"), {}),
        (("label", "body"), {}),
        (("what", "y"), {}),
        (("what", "which"), {"text_column": "what", "label_column": "which"}),
        (("text", "stars"), {}),
    ],
)
def test_columns_are_known_by_their_names(columns, options):
    rows = texts() if columns[0] != "label" else ((label, text) for text, label in texts())
    assert read(listed("own.csv", rows, columns), **options).labels == ("bees", "cats", "dogs")


def test_labels_may_be_numbers_and_texts_any_lines():
    rows = [(f"first {n}\u2028second\nthird", n % 4) for n in range(12)]
    assert read(listed("own.jsonl", rows)).labels == ("0", "1", "2", "3")
    assert read(listed("own.csv", rows)).num_classes == 4


def test_an_unequal_number_of_texts_is_said():
    rows = [("a b", "rare"), ("a c", "rare"), *[("d e", "common")] * 8]
    assert read(listed("own.csv", rows)).described.endswith("; from 2 (rare) to 8 (common) a class")


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([("a", "x"), ("", "y")], "own.csv, line 3: there is no text"),
        ([("a", "x"), ("b", "")], "own.csv, line 3: '' is no label"),
        ([("a", "x"), ("b", "x;y")], "own.csv, line 3: several labels, 'x;y'"),
        ([("a", "x"), ("b", "x")], "own.csv: two classes are needed, and x is one"),
    ],
)
def test_a_bad_row_is_named(rows, words):
    assert words in refused(read, listed("own.csv", rows))


def test_bad_places_are_named(capsys):
    for name, content in (("a", b"\xff"), ("b", b" \n")):
        Path("own", name).mkdir(parents=True)
        Path("own", name, "1.txt").write_bytes(content)
    assert "own/a/1.txt: not UTF-8 text (byte 1)" in refused(read, "own")
    Path("own/a/1.txt").write_text("well")
    assert "own/b/1.txt: empty: there is no text" in refused(read, "own")
    Path("own/loose.txt").write_text("well")
    assert "own/loose.txt: it lies in no folder of a class" in refused(read, "own")
    Path("list.txt").write_text("a\n")
    assert "wanted a folder or a file in .zip, .csv" in refused(read, "list.txt")
    assert "which of its columns is meant? --data.text_column one of" in refused(
        read, listed("own.csv", [("a", "b", "c")], ("p", "q", "r"))
    )
    command = ("fit", "--model", "TextCNN", "--data", "LabelledTexts", "--data.path", "none")
    assert "none: there is no such file" in fails(capsys, *command)


def test_a_plain_trainer_learns_three_classes():
    corpus = LabelledTexts(folder("own", 30), min_freq=1, batch_size=4)
    trainer = quiet_trainer(max_epochs=8)
    trainer.fit(BagOfEmbeddings(corpus.vocab_size, corpus.num_classes), corpus)
    assert trainer.callback_metrics["val/accuracy"] > 0.9


@pytest.mark.parametrize("model", ["BagOfEmbeddings", "TextCNN", "BidirectionalRNN"])
def test_a_checkpoint_alone_labels_new_texts(model, capsys):
    data = ("--data", "LabelledTexts", "--data.path", listed("own.csv", texts()))
    small = ("--trainer.max_epochs", "1", "--trainer.accelerator", "cpu")
    assert main(["fit", "--model", model, *data, *small]) == 0
    Path("own.csv").unlink()
    (ckpt,) = map(str, Path("runs").glob("*/1/checkpoints/best.ckpt"))
    Path("one.txt").write_text("purr\nmilk")
    Path("lines.txt").write_text("purr\nbuzz\n\n")
    unlabelled = listed("new.jsonl", [("bark",), ("honey",)], ["text"])
    for given, places in (
        (["one.txt", unlabelled], ["one.txt", "new.jsonl, line 1", "new.jsonl, line 2"]),
        (["--text", "purr"], [None]),
        (["--file", "lines.txt"], [None, None, ""]),
    ):
        assert main(["predict", *given, "--ckpt_path", ckpt, "--output", "said.txt"]) == 0
        lines = Path("said.txt").read_text().removesuffix("\n").split("\n")
        assert len(lines) == len(places)
        for line, place in zip(lines, places, strict=True):
            if place == "":
                assert line == ""
                continue
            *where, label, share = line.split("\t")
            assert label in CLASSES
            assert 1 / 3 <= float(share) <= 1
            assert where == ([place] if place else [])
    capsys.readouterr()
    some = listed("some.jsonl", [("bark",), (" ",), ("honey",)], ["text"])
    assert main(["predict", some, "--ckpt_path", ckpt, "--output", "some.csv"]) == 1
    assert "zoo: some.jsonl, line 2: there is no text\n" in capsys.readouterr().err
    assert [line.count(",") > 3 for line in Path("some.csv").read_text().splitlines()[1:]]
    both = ("one.txt", "--text", "purr")
    assert "takes --text, --file or files" in fails(capsys, "predict", *both, "--ckpt_path", ckpt)
    assert "say what to classify" in fails(capsys, "predict", "--ckpt_path", ckpt)
