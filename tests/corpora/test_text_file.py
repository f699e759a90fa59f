"""Files of running text: tokens, what is held out, resumes, bad input."""

from pathlib import Path

import pytest
import torch

from datamodules import PennTreebank, TextFile, TimeMachine
from datamodules.batches.token_streams import (
    IGNORED,
)
from datamodules.text.vocabulary import UNK, Vocab
from tests.conftest import fails, refused
from tests.corpora.conftest import fitted, prepared
from zoo.cli.main import main


@pytest.mark.parametrize("partition", ["sequential", "random"])
def test_a_run_goes_on_where_it_stopped(partition, tmp_path):
    def corpus(**options):
        return TimeMachine(synthetic=True, batch_size=4, partition=partition, **options)

    seen, model = fitted(corpus(), tmp_path)
    assert [batch_idx for batch_idx, *_ in seen] == [0, 1, 2] * 2
    held_out = corpus()
    held_out.setup("validate")
    tokens, _ = held_out.data["val"].tensors
    predicted = torch.cat([targets[targets != IGNORED] for _, targets in model.validated])
    assert sorted(predicted.tolist()) == sorted(2 * tokens[1:].tolist())
    for step, workers in ((1, 0), (2, 2), (3, 0), (4, 0)):
        rest, _ = fitted(corpus(num_workers=workers), ckpt_path=tmp_path / f"{step}.ckpt")
        assert rest == seen[step:], step


def test_overfitting_takes_the_same_batch_each_time():
    seen, _ = fitted(TimeMachine(synthetic=True, batch_size=4), overfit_batches=1)
    assert len(seen) == 2
    assert seen[0] == seen[1]


# The corpora


def text_file(content, name="text.txt"):
    Path(name).write_bytes(content)
    return TextFile(path=name, batch_size=2, num_steps=3)


def test_batches_of_a_text_file():
    corpus = prepared(text_file(b"\xef\xbb\xbfab\r\nab\r\n" * 10))
    assert corpus.vocab.entries == (UNK, "\n", "a", "b", "\ufeff")
    corpus = prepared(text_file(b"\xef\xbb\xbf" + b"ab\r\nab\r\n" * 10))
    assert corpus.vocab.entries == (UNK, "\n", "a", "b")
    assert corpus.vocab_size == 4
    assert corpus.described == "Text file text.txt, 53 train + 6 val characters to predict"
    for tokens, targets in corpus.train_dataloader():
        assert tokens.shape == targets.shape == (2, 3)
        assert torch.equal(tokens[:, 1:], targets[:, :-1])
    (loader,) = [corpus.val_dataloader()]
    assert [batch[1].tolist() for batch in loader] == [[[2, 3, 1], [2, 3, 1]]]


def test_a_text_that_is_not_latin():
    corpus = prepared(text_file("Живая вода. 生命之水。\n".encode() * 8))
    assert {"Ж", "水", "。"} <= set(corpus.vocab.entries)
    corpus = TextFile(path="text.txt", tokenizer="word", min_freq=9)
    assert prepared(corpus).vocab.entries == (UNK,)
    corpus = TextFile(path="text.txt", clean=True)
    assert "there are no letters from a to z: set --data.clean false" in refused(prepared, corpus)


def test_the_end_is_held_out_and_its_first_token_is_predicted():
    Path("text.txt").write_text("".join(chr(97 + i % 26) for i in range(100)))
    corpus = prepared(TextFile(path="text.txt", validation_fraction=0.3))
    train, val = (corpus.data[split].tensors[0] for split in ("train", "val"))
    letters = corpus.vocab.tokens(torch.cat([train, val[1:]]))
    assert "".join(letters) == Path("text.txt").read_text()
    assert (len(train), len(val), val[0].item()) == (70, 31, train[-1].item())
    whole = prepared(TextFile(path="text.txt", validation_fraction=0, batch_size=1))
    assert len(whole.data["train"]) == 99
    assert whole.val_dataloader() == []
    few = prepared(TextFile(path="text.txt", max_tokens=20, validation_fraction=0.1))
    assert few.vocab_size == 1 + 18  # what is held out is not known
    assert few.described.endswith("17 train + 2 val characters to predict (20 of 100 characters)")


def test_a_file_is_looked_for_here_and_under_the_root(tmp_path):
    (tmp_path / "root").mkdir()
    (tmp_path / "root" / "there.txt").write_text("there " * 30)
    assert prepared(TextFile(path="there.txt", root="root")).files_exist
    line = refused(prepared, TextFile(path="nowhere.txt", root="root"))
    assert line == "nowhere.txt: there is no such file, here or under root"
    assert "name it by --data.path FILE" in refused(prepared, TextFile())
    assert "--data.path there.txt" in refused(TextFile().adopt, Path("there.txt"))


def test_facts_are_known_before_the_trainer_prepares():
    assert TimeMachine(synthetic=True).vocab_size == 28
    assert TimeMachine(synthetic=True, clean=False).vocab_size > 50
    assert 300 < PennTreebank(synthetic=True).vocab_size < 400
    assert (
        TextFile(synthetic=True).vocab_size == TimeMachine(synthetic=True, clean=False).vocab_size
    )


@pytest.mark.parametrize("tokenizer", ["word", "spacy", "treebank", "tweet", "wordpunct"])
def test_other_tokens_than_characters(tokenizer):
    corpus = prepared(TimeMachine(synthetic=True, tokenizer=tokenizer, clean=False))
    assert {"the", "lantern"} <= set(corpus.vocab.entries)
    tokens, targets = next(iter(corpus.train_dataloader()))
    assert tokens.shape == targets.shape == (32, 35)
    assert corpus.unit == ("words" if tokenizer == "word" else "tokens")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"num_steps": 0}, "num_steps must be at least 1, not 0"),
        ({"stride": 0, "partition": "random"}, "stride must be at least 1, not 0"),
        ({"stride": 2}, "stride is of windows at random: set --data.partition random"),
        ({"max_tokens": 1}, "max_tokens must be at least 2, not 1"),
        ({"min_freq": 0}, "min_freq must be at least 1, not 0"),
        ({"batch_size": 0}, "batch_size must be at least 1, not 0"),
        ({"validation_fraction": 1.0}, "validation_fraction must be in [0, 1), not 1.0"),
        ({"tokenizer": "chr"}, "no tokenizer is called 'chr' (did you mean char?)"),
        ({"partition": "consecutive"}, "partition must be sequential or random, not 'consecutive'"),
        ({"tail": "keep"}, "tail must be drop or pad, not 'keep'"),
        ({"order": "none"}, "order must be frequency or appearance, not 'none'"),
    ],
)
def test_options_that_cannot_be(options, words):
    assert words in refused(TimeMachine, synthetic=True, **options)


@pytest.mark.parametrize("partition", ["sequential", "random"])
@pytest.mark.parametrize("content", [b"x", b"short", b"one short line\n"])
def test_a_text_too_short_says_what_to_lower(partition, content):
    text_file(content)
    corpus = prepared(TextFile(path="text.txt", partition=partition, validation_fraction=0))
    assert refused(corpus.train_dataloader) == (
        f"Text file text.txt: {len(content) - 1} training characters to predict do not fill a "
        "batch of 32 rows of 35: lower --data.batch_size or --data.num_steps"
    )
    corpus.setup("validate")
    assert corpus.val_dataloader() == []


@pytest.mark.parametrize("content", [b"", b" \n", b"a\n\xff"])
def test_a_bad_file_is_named(content):
    line = refused(prepared, text_file(content))
    assert line.startswith("text.txt")


def test_prepare(capsys):
    assert main(["prepare", "TimeMachine", "--synthetic"]) == 0
    assert "The Time Machine, synthetic stand-in, " in capsys.readouterr().out
    assert main(["prepare", "PennTreebank", "--synthetic"]) == 0
    assert "test words to predict: ready in" in capsys.readouterr().out.replace("\n", " ")
    assert "name it by --data.path FILE" in fails(capsys, "prepare", "TextFile")
    Path("text.txt").write_text("text")
    line = fails(capsys, "prepare", "TextFile", "--from", "text.txt")
    assert "a file of your own is read where it lies: --data.path text.txt" in line


# What a checkpoint keeps


def test_state_has_the_vocabulary_and_no_places():
    corpus = TextFile(path=Path(text_file(b"hello " * 50).path).absolute(), root="/nowhere")
    state = corpus.state_dict()
    assert state["class_path"] == "datamodules.text_file.TextFile"
    assert (state["tokenizer"], state["clean"]) == ("char", False)
    assert state["vocabulary"] == [UNK, "l", " ", "e", "h", "o"]
    assert not {"root", "path"} & set(state["arguments"])
    assert str(Path.cwd()) not in str(state)
    corpus.load_state_dict(state)
    assert Vocab(state["vocabulary"])["h"] == 4


def test_another_vocabulary_is_refused():
    state = TimeMachine(synthetic=True, max_tokens=5000).state_dict()
    TimeMachine(synthetic=True, max_tokens=5000, num_steps=10).load_state_dict(state)
    other = TimeMachine(synthetic=True, clean=False)
    line = refused(other.load_state_dict, state)
    assert "the checkpoint was trained on another text than The Time Machine: its voc" in line
    assert "max_tokens 5000" in line
    state["vocabulary"] = state["vocabulary"][:-1]
    line = refused(TimeMachine(synthetic=True, max_tokens=5000).load_state_dict, state)
    assert f"from entry {len(state['vocabulary'])} on" in line
