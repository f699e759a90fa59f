"""Corpora of running text: the course's batches, every token once, exact resume, bad input."""

import hashlib
import shutil
import zipfile
from pathlib import Path
from time import process_time

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from lightning.pytorch import Callback, LightningModule, Trainer
from torch.utils.data import DistributedSampler

from datamodules import PennTreebank, TextFile, TimeMachine
from datamodules.batches.token_streams import (
    IGNORED,
    EvaluationStreams,
    RandomWindows,
    SequentialStreams,
    TokenStream,
)
from datamodules.files.text import read_text
from datamodules.synthetic import prose
from datamodules.text.penn_treebank_files import ARCHIVE, NAMES
from datamodules.text.vocabulary import EOS, UNK, Vocab
from datamodules.time_machine import FILE
from tests.conftest import fails, refused
from zoo.cli.main import main

lengths = st.integers(1, 120)
sizes = st.integers(1, 7)
steps = st.integers(1, 9)
ranks = st.integers(1, 3)
tails = st.sampled_from(["drop", "pad"])


def text(length):
    """The tokens 0, 1, 2 ..., so that a token is its place."""
    return TokenStream(torch.arange(length))


def at(epoch, done=0):
    return lambda num_batches: (epoch, done)


def drawn(sampler):
    """The batches as (tokens, targets), nested lists; where a target is ignored both are None."""
    batches = []
    for tokens, targets in map(sampler.dataset.__getitem__, sampler):
        assert tokens.dtype == targets.dtype == torch.int64
        assert tokens.shape == targets.shape
        kept = targets != IGNORED
        assert torch.equal(targets[kept], tokens[kept] + 1)
        batches.append(
            [
                [place if k else None for place, k in zip(*row, strict=True)]
                for row in zip(tokens.tolist(), kept.tolist(), strict=True)
            ]
        )
    return batches


def flat(batches):
    return [place for batch in batches for row in batch for place in row if place is not None]


def by_rank(kind, length, size, num_steps, world, **options):
    """The batches of each process."""
    return [
        drawn(kind(text(length), size, num_steps, rank=rank, num_replicas=world, **options))
        for rank in range(world)
    ]


# The course's batches


def test_consecutive_batches_of_the_course():
    sampler = SequentialStreams(text(30), 2, 6, jitter=False)
    batches = list(map(sampler.dataset.__getitem__, sampler))
    wanted = [[list(range(6)), list(range(15, 21))], [list(range(6, 12)), list(range(21, 27))]]
    assert [tokens.tolist() for tokens, _ in batches] == wanted
    assert all(torch.equal(targets, tokens + 1) for tokens, targets in batches)
    short = drawn(SequentialStreams(text(11), 2, 2, jitter=False))
    assert short == [[[0, 1], [5, 6]], [[2, 3], [7, 8]]]


@given(sizes, steps, st.integers(1, 20))
def test_streams_are_the_courses_where_the_rows_divide_the_text(size, num_steps, length):
    rows = torch.arange(size * length).view(size, length)
    count = (length - 1) // num_steps
    wanted = [rows[:, i * num_steps : (i + 1) * num_steps].tolist() for i in range(count)]
    assert drawn(SequentialStreams(text(size * length), size, num_steps, jitter=False)) == wanted


def test_random_batches_of_the_course():
    batches = drawn(RandomWindows(text(30), 2, 6, jitter=False))
    assert [len(batch) for batch in batches] == [2, 2]
    rows = sorted(row for batch in batches for row in batch)
    assert rows == [list(range(start, start + 6)) for start in (0, 6, 12, 18)]
    assert len(drawn(RandomWindows(text(11), 2, 2, jitter=False))) == 2  # the fifth row is dropped


# Every token, on any number of processes


@given(lengths, sizes, steps, ranks)
def test_evaluation_predicts_every_token_once_in_order(length, size, num_steps, world):
    batches = by_rank(EvaluationStreams, length, size, num_steps, world)
    assert len({len(own) for own in batches}) == 1
    assert len(batches[0]) >= 1
    assert all(len(batch) == size for own in batches for batch in own)
    streams = [
        [p for batch in own for p in batch[row] if p is not None]
        for own in batches
        for row in range(size)
    ]
    assert [place for stream in streams for place in stream] == list(range(length - 1))


@given(lengths, sizes, steps, ranks, tails, st.booleans(), st.integers(0, 3))
def test_streams_go_on_where_they_ended(length, size, num_steps, world, tail, jitter, epoch):
    options = {"tail": tail, "jitter": jitter, "position": at(epoch)}
    batches = by_rank(SequentialStreams, length, size, num_steps, world, **options)
    assert len({len(own) for own in batches}) == 1
    seen = [place for own in batches for place in flat(own)]
    assert len(seen) == len(set(seen))
    for own in batches:
        assert all(len(batch) == size for batch in own)
        for row in range(size):
            stream = [place for batch in own for place in batch[row]]
            if tail == "drop":
                assert None not in stream
            kept = [place for place in stream if place is not None]
            assert kept == list(range(kept[0], kept[0] + len(kept))) if kept else not own
            assert all(any(p is not None for p in batch[row]) for batch in own)
    if tail == "pad" and not jitter and seen:
        assert len(seen) > length - 1 - size * world


@given(lengths, sizes, steps, ranks, tails, st.integers(0, 3))
def test_windows_touch_and_do_not_overlap(length, size, num_steps, world, tail, epoch):
    options = {"tail": tail, "position": at(epoch)}
    batches = by_rank(RandomWindows, length, size, num_steps, world, **options)
    shapes = [[len(batch) for batch in own] for own in batches]
    assert all(shape == shapes[0] for shape in shapes)
    rows = [row for own in batches for batch in own for row in batch]
    seen = [place for own in batches for place in flat(own)]
    assert len(seen) == len(set(seen))
    assert len({row[0] % num_steps for row in rows}) <= 1
    assert all(row[0] is not None for row in rows)
    if tail == "drop":
        assert {count for shape in shapes for count in shape} <= {size}
        assert all(None not in row for row in rows)
    else:
        assert sum(None in row for row in rows) <= 1
        assert len(seen) > length - 1 - world * num_steps - (num_steps - 1)


@given(lengths, sizes, steps, st.integers(1, 3), st.booleans(), tails)
def test_two_processes_see_what_one_with_twice_the_batch_sees(
    length, size, num_steps, epoch, jitter, tail
):
    options = {"jitter": jitter, "position": at(epoch), "tail": tail}
    for kind, given_options in (
        (SequentialStreams, options),
        (RandomWindows, {**options, "tail": "drop"}),
        (EvaluationStreams, {}),
    ):
        (one,) = by_rank(kind, length, 2 * size, num_steps, 1, **given_options)
        first, second = by_rank(kind, length, size, num_steps, 2, **given_options)
        assert [a + b for a, b in zip(first, second, strict=True)] == one


def test_windows_that_overlap():
    """d2l's protocol: a window begins at every token."""
    sampler = RandomWindows(text(21), 4, 5, stride=1)
    rows = sorted(row for batch in drawn(sampler) for row in batch)
    assert rows == [list(range(start, start + 5)) for start in range(16)]
    apart = RandomWindows(text(30), 1, 3, stride=10, jitter=False)
    assert sorted(row[0] for batch in drawn(apart) for row in batch) == [0, 10, 20]


# Epochs and resume


@given(lengths, sizes, steps, tails, st.booleans(), st.integers(0, 4))
def test_a_resumed_epoch_is_the_rest_of_the_epoch(length, size, num_steps, tail, jitter, epoch):
    for kind in (SequentialStreams, RandomWindows):
        options = {"tail": tail, "jitter": jitter, "seed": 3}
        whole = drawn(kind(text(length), size, num_steps, position=at(epoch), **options))
        assert len(whole) == len(kind(text(length), size, num_steps, **options))
        for done in range(len(whole) + 1):
            rest = kind(text(length), size, num_steps, position=at(epoch, done), **options)
            assert drawn(rest) == whole[done:]


@pytest.mark.parametrize("kind", [SequentialStreams, RandomWindows])
def test_every_epoch_and_seed_begins_elsewhere(kind):
    def batch(seed, epoch, **options):
        return next(iter(kind(text(500), 2, 35, seed=seed, position=at(epoch), **options))).indices

    first = {int(batch(0, epoch)[0, 0]) % 35 for epoch in range(300)}
    assert len(first) == 35  # every place may be the first
    assert len({int(batch(seed, 0)[0, 0]) % 35 for seed in range(20)}) > 10
    assert {int(batch(0, epoch, jitter=False)[0, 0]) % 35 for epoch in range(9)} == {0}


def test_windows_come_in_another_order_each_epoch():
    orders = {
        str(flat(drawn(RandomWindows(text(200), 2, 5, seed=s, jitter=False, position=at(e)))))
        for s in range(3)
        for e in range(3)
    }
    assert len(orders) == 9


def test_lightning_leaves_the_samplers_alone():
    for kind in (SequentialStreams, RandomWindows, EvaluationStreams):
        assert issubclass(kind, DistributedSampler)


class Recorder(Callback):
    def __init__(self, folder=None):
        self.folder, self.seen = folder, []

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        self.seen.append([batch_idx, batch[0].tolist(), batch[1].tolist()])

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        if self.folder:
            trainer.save_checkpoint(self.folder / f"{len(self.seen)}.ckpt")


class Weight(LightningModule):
    """The least that can be trained."""

    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(()))
        self.predicted = []

    def training_step(self, batch, batch_idx):
        return self.weight * batch[0].sum()

    def validation_step(self, batch, batch_idx):
        self.predicted += batch[1][batch[1] != IGNORED].tolist()

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), 0.0)


def fitted(corpus, folder=None, ckpt_path=None, **options):
    recorder, model = Recorder(folder), Weight()
    trainer = Trainer(
        **{"max_epochs": 2, "limit_train_batches": 3, **options},
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        callbacks=[recorder],
    )
    trainer.fit(model, corpus, ckpt_path=ckpt_path)
    return recorder.seen, model


@pytest.mark.parametrize("partition", ["sequential", "random"])
def test_a_run_goes_on_where_it_stopped(partition, tmp_path):
    def corpus(**options):
        return TimeMachine(synthetic=True, batch_size=4, partition=partition, **options)

    seen, model = fitted(corpus(), tmp_path)
    assert [batch_idx for batch_idx, *_ in seen] == [0, 1, 2] * 2
    held_out = corpus()
    held_out.setup("validate")
    tokens, _ = held_out.data["val"].tensors
    assert sorted(model.predicted) == sorted(2 * tokens[1:].tolist())
    for step, workers in ((1, 0), (2, 2), (3, 0), (4, 0)):
        rest, _ = fitted(corpus(num_workers=workers), ckpt_path=tmp_path / f"{step}.ckpt")
        assert rest == seen[step:], step


def test_overfitting_takes_the_same_batch_each_time():
    seen, _ = fitted(TimeMachine(synthetic=True, batch_size=4), overfit_batches=1)
    assert len(seen) == 2
    assert seen[0] == seen[1]


# The corpora


def written(content, name="text.txt"):
    Path(name).write_bytes(content)
    return TextFile(path=name, batch_size=2, num_steps=3)


def set_up(corpus, *stages):
    corpus.prepare_data()
    for stage in stages or ("fit",):
        corpus.setup(stage)
    return corpus


def test_batches_of_a_text_file():
    corpus = set_up(written(b"\xef\xbb\xbfab\r\nab\r\n" * 10))
    assert corpus.vocab.entries == (UNK, "\n", "a", "b", "\ufeff")
    corpus = set_up(written(b"\xef\xbb\xbf" + b"ab\r\nab\r\n" * 10))
    assert corpus.vocab.entries == (UNK, "\n", "a", "b")
    assert corpus.vocab_size == 4
    assert corpus.described == "Text file text.txt, 53 train + 6 val characters to predict"
    for tokens, targets in corpus.train_dataloader():
        assert tokens.shape == targets.shape == (2, 3)
        assert torch.equal(tokens[:, 1:], targets[:, :-1])
    (loader,) = [corpus.val_dataloader()]
    assert [batch[1].tolist() for batch in loader] == [[[2, 3, 1], [2, 3, 1]]]


def test_a_text_that_is_not_latin():
    corpus = set_up(written("Живая вода. 生命之水。\n".encode() * 8))
    assert {"Ж", "水", "。"} <= set(corpus.vocab.entries)
    corpus = TextFile(path="text.txt", tokenizer="word", min_freq=9)
    assert set_up(corpus).vocab.entries == (UNK,)
    corpus = TextFile(path="text.txt", clean=True)
    assert "there are no letters from a to z: set --data.clean false" in refused(set_up, corpus)


def test_the_end_is_held_out_and_its_first_token_is_predicted():
    Path("text.txt").write_text("".join(chr(97 + i % 26) for i in range(100)))
    corpus = set_up(TextFile(path="text.txt", validation_fraction=0.3))
    train, val = (corpus.data[split].tensors[0] for split in ("train", "val"))
    letters = corpus.vocab.tokens(torch.cat([train, val[1:]]))
    assert "".join(letters) == Path("text.txt").read_text()
    assert (len(train), len(val), val[0].item()) == (70, 31, train[-1].item())
    whole = set_up(TextFile(path="text.txt", validation_fraction=0, batch_size=1))
    assert len(whole.data["train"]) == 99
    assert whole.val_dataloader() == []
    few = set_up(TextFile(path="text.txt", max_tokens=20, validation_fraction=0.1))
    assert few.vocab_size == 1 + 18  # what is held out is not known
    assert few.described.endswith("17 train + 2 val characters to predict (20 of 100 characters)")


def test_a_file_is_looked_for_here_and_under_the_root(tmp_path):
    (tmp_path / "root").mkdir()
    (tmp_path / "root" / "there.txt").write_text("there " * 30)
    assert set_up(TextFile(path="there.txt", root="root")).found
    line = refused(set_up, TextFile(path="nowhere.txt", root="root"))
    assert line == "nowhere.txt: there is no such file, here or under root"
    assert "name it by --data.path FILE" in refused(set_up, TextFile())
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
    corpus = set_up(TimeMachine(synthetic=True, tokenizer=tokenizer, clean=False))
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
    written(content)
    corpus = set_up(TextFile(path="text.txt", partition=partition, validation_fraction=0))
    assert refused(corpus.train_dataloader) == (
        f"Text file text.txt: {len(content) - 1} training characters to predict do not fill a "
        "batch of 32 rows of 35: lower --data.batch_size or --data.num_steps"
    )
    corpus.setup("validate")
    assert corpus.val_dataloader() == []


@pytest.mark.parametrize("content", [b"", b" \n", b"a\n\xff"])
def test_a_bad_file_is_named(content):
    line = refused(set_up, written(content))
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
    corpus = TextFile(path=Path(written(b"hello " * 50).path).absolute(), root="/nowhere")
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


# The stand-ins


def test_one_seed_one_set_of_bytes(tmp_path):
    start = process_time()
    for name, seed in (("one", 0), ("two", 0), ("other", 1)):
        prose.write_book(tmp_path / name / FILE, seed=seed)
        prose.write_sentences(tmp_path / name / "ptb", tuple(NAMES.values()), seed=seed)
    assert process_time() - start < 3
    contents = [
        {path.name: path.read_bytes() for path in sorted((tmp_path / name).rglob("*.txt"))}
        for name in ("one", "two", "other")
    ]
    assert contents[0] == contents[1]
    assert all(contents[0][name] != contents[2][name] for name in contents[0])


def test_the_book_reads_as_the_original(tmp_path):
    prose.write_book(tmp_path / FILE)
    content = read_text(tmp_path / FILE)
    assert 60_000 < len(content) < 100_000
    assert max(map(len, content.split("\n"))) <= 70
    words = content.split()
    assert 400 < len(set(words)) < 900
    assert not set(content) & set("{}")
    assert content.isascii()
    corpus = set_up(TimeMachine(root=tmp_path))
    assert corpus.found
    assert corpus.vocab_size == 28
    assert "synthetic" not in corpus.described


def test_the_sentences_read_as_the_original(tmp_path):
    prose.write_sentences(tmp_path / "ptb", tuple(NAMES.values()))
    corpus = set_up(PennTreebank(root=tmp_path), "fit", "test")
    assert {UNK, EOS, "N", "n't", "'s", "mrs."} <= set(corpus.vocab.entries)
    lines = (tmp_path / "ptb" / NAMES["train"]).read_text().splitlines()
    assert len(lines) > 1000
    assert all(line.startswith(" ") and line.endswith(" ") for line in lines)
    assert not any(set(line) & set("ABCDE.,;?!") - {"."} for line in lines)
    unknown = corpus.data["test"].tensors[0] == corpus.vocab[UNK]
    assert unknown.float().mean() < 0.05


def test_the_book_can_be_learnt():
    """Characters before tell much of the next one, on the text that is held out too."""
    corpus = set_up(TimeMachine(synthetic=True))
    train, val = (corpus.data[split].tensors[0][:20_000] for split in ("train", "val"))
    perplexity = []
    for order in (0, 1, 3):
        counts: dict = {}
        for i in range(order, len(train)):
            row = counts.setdefault(tuple(train[i - order : i].tolist()), torch.full((28,), 0.01))
            row[train[i]] += 1
        even = torch.full((28,), 1 / 28)
        told = [counts.get(tuple(val[i - order : i].tolist()), even) for i in range(3, len(val))]
        chosen = torch.stack([row[val[i]] / row.sum() for i, row in enumerate(told, start=3)])
        perplexity.append(chosen.log().mean().neg().exp().item())
    assert perplexity[0] > perplexity[1] > perplexity[2]
    assert perplexity[2] < 4


# Penn Treebank, from a folder or an archive


def test_an_archive_is_read_in_place(tmp_path):
    prose.write_sentences(tmp_path / "one" / "ptb", tuple(NAMES.values()))
    (tmp_path / "two" / "ptb").mkdir(parents=True)
    with zipfile.ZipFile(tmp_path / "two" / ARCHIVE, "w") as archive:
        for name in NAMES.values():
            archive.write(tmp_path / "one" / "ptb" / name, f"ptb/{name}")
    loose, packed = (
        set_up(PennTreebank(root=tmp_path / name), "fit", "test") for name in ("one", "two")
    )
    assert packed.found
    for split in ("train", "val", "test"):
        assert torch.equal(loose.data[split].tensors[0], packed.data[split].tensors[0])
    assert sorted(p.name for p in (tmp_path / "two").rglob("*.*")) == ["ptb.zip"]
    assert "929,589 words" in packed.described
    assert "82,430 test words" in packed.described
    path = tmp_path / "cut" / ARCHIVE
    path.parent.mkdir(parents=True)
    path.write_bytes((tmp_path / "two" / ARCHIVE).read_bytes()[:-900])
    assert str(path) in refused(set_up, PennTreebank(root=tmp_path / "cut"))


def test_a_line_ends_with_eos_and_a_text_begins_after_one(tmp_path):
    (tmp_path / "ptb").mkdir()
    for name, lines in zip(NAMES.values(), ("a b\na <unk>\n", "b c\n", "a\n"), strict=True):
        (tmp_path / "ptb" / name).write_text(lines)
    corpus = set_up(PennTreebank(root=tmp_path, batch_size=1, num_steps=2), "fit", "test")
    assert corpus.vocab.entries == (EOS, UNK, "a", "b")
    assert corpus.data["train"].tensors[0].tolist() == [0, 2, 3, 0, 2, 1, 0]
    assert corpus.data["val"].tensors[0].tolist() == [0, 3, 1, 0]
    assert [batch[1].tolist() for batch in corpus.val_dataloader()] == [[[3, 1]], [[0, IGNORED]]]
    few = set_up(PennTreebank(root=tmp_path, max_tokens=2), "fit")
    assert few.data["train"].tensors[0].tolist() == [0, 2, 3]
    assert len(few.data["val"]) == 3


# The real texts


@pytest.mark.real
def test_the_time_machine(real_data, tmp_path):
    (file,) = TimeMachine.files
    content = (real_data / FILE).read_bytes()
    assert (hashlib.sha256(content).hexdigest(), len(content)) == (file.sha256, file.size)
    corpus = set_up(TimeMachine(root=real_data))
    assert corpus.vocab_size == 28
    assert len(corpus.data["train"]) + 1 + len(corpus.data["val"]) == 173_428
    assert len(corpus.data["val"]) == 17_343
    words = TimeMachine(root=real_data, tokenizer="word", order="appearance", validation_fraction=0)
    assert words.vocab_size == 4580
    assert words.vocab[["the", "time", "machine", "by", "h", "g", "wells", "i", "traveller"]] == [
        *range(1, 10)
    ]
    few = set_up(TimeMachine(root=real_data, max_tokens=10_000, validation_fraction=0))
    assert len(few.train_dataloader()) == 8
    assert "(10,000 of 173,428 characters)" in few.described
    protocol = {"num_steps": 32, "partition": "random", "stride": 1, "batch_size": 1024}
    d2l = TimeMachine(root=real_data, max_tokens=15_063, validation_fraction=1 / 3, **protocol)
    assert len(set_up(d2l).train_dataloader()) == 9
    assert TimeMachine(root=tmp_path).adopt(real_data / FILE) == [tmp_path / FILE]


@pytest.mark.real
def test_penn_treebank(real_data, tmp_path):
    corpus = set_up(PennTreebank(root=real_data), "fit", "test")
    assert corpus.vocab_size == 10_000
    assert [len(words) for words in corpus.data.values()] == [929_589, 73_760, 82_430]
    assert corpus.described == (
        "Penn Treebank, 929,589 train + 73,760 val + 82,430 test words to predict"
    )
    (tmp_path / "ptb").mkdir()
    shutil.copyfile(real_data / ARCHIVE, tmp_path / ARCHIVE)
    packed = set_up(PennTreebank(root=tmp_path), "test")
    assert torch.equal(packed.data["test"].tensors[0], corpus.data["test"].tensors[0])
    (file,) = PennTreebank.files
    content = (real_data / ARCHIVE).read_bytes()
    assert (hashlib.sha256(content).hexdigest(), len(content)) == (file.sha256, file.size)


@pytest.mark.parametrize(("length", "rows"), [(101, 8), (769, 64), (768, 63), (10, 1), (2, 1)])
def test_streams_of_an_evaluation_are_no_shorter_than_a_row(length, rows, tmp_path):
    """However large the batches: a model tells little from the first few tokens."""
    text = tmp_path / "text.txt"
    text.write_text("ab" * 2000)
    corpus = TextFile(path=text, batch_size=64, num_steps=12, validation_fraction=0)
    corpus.data["val"] = TokenStream(torch.arange(length))
    batches = list(corpus.val_dataloader())
    assert {tuple(tokens.shape) for tokens, _ in batches} == {(rows, 12)}
    targets = torch.cat([targets[targets != IGNORED] for _, targets in batches])
    assert targets.sort().values.tolist() == list(range(1, length))
