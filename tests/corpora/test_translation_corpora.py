"""Corpora of sentence pairs: buckets, padding, what is held out, the course, bad files."""

import hashlib
import re
import zipfile
from collections import Counter
from itertools import pairwise
from pathlib import Path
from time import process_time

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from lightning.pytorch import Callback, LightningModule, Trainer
from torch.utils.data import DistributedSampler

from datamodules import FraEng, PairFile
from datamodules.batches.in_memory import InMemory, Rows
from datamodules.batches.length_buckets import POOL, EvaluationBuckets, LengthBuckets
from datamodules.batches.ragged import Ragged
from datamodules.fra_eng import ARCHIVE, FILE
from datamodules.synthetic import phrases
from datamodules.text.sentence_rows import TranslationBatch
from datamodules.text.token_rows import TokenRows
from datamodules.text.tokenizers import cleaned_sentence
from datamodules.text.vocabulary import SPECIALS, Vocab
from tests.conftest import fails, refused
from zoo.cli.main import main

PAD, BOS, EOS, UNK = range(4)
counts = st.integers(1, 90)
sizes = st.integers(1, 9)
ranks = st.integers(1, 4)
seeds = st.integers(0, 3)


def lengths_of(count, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return tuple(torch.randint(1, 9, (count,), generator=generator) for _ in range(2))


def drawn(kind, count, size, *, lengths=None, **options):
    """The batches as lists of rows."""
    rows = InMemory(torch.arange(count))
    sampler = kind(rows, size, lengths or lengths_of(count), **options)
    batches = [rows.indices.tolist() for rows in sampler]
    if options.get("position", at(0))(0)[1] == 0:
        assert len(sampler) == len(batches)
    return batches


def at(epoch, done=0):
    return lambda num_batches: (epoch, done)


def flat(lists):
    return [item for batch in lists for item in batch]


# Buckets


@given(counts, sizes, ranks, seeds)
@settings(max_examples=200)
def test_training_sees_every_row_at_most_once_and_ranks_stay_in_step(count, size, world, epoch):
    options = {"num_replicas": world, "position": at(epoch), "seed": 7}
    by_rank = [drawn(LengthBuckets, count, size, rank=rank, **options) for rank in range(world)]
    seen = flat(flat(by_rank))
    assert len(seen) == len(set(seen)) == count - count % world
    shapes = [[len(batch) for batch in batches] for batches in by_rank]
    assert all(shape == shapes[0] for shape in shapes)
    assert all(1 <= length <= size for length in shapes[0])
    assert sum(length < size for length in shapes[0]) <= 1


@given(counts, sizes, ranks)
@settings(max_examples=100)
def test_the_ranks_share_of_a_batch_is_about_as_long(count, size, world):
    target, source = lengths_of(count)
    key = (target * 100 + source).tolist()
    by_rank = [
        drawn(LengthBuckets, count, size, rank=rank, num_replicas=world) for rank in range(world)
    ]
    for shares in zip(*by_rank, strict=True):
        dealt = [key[row] for rows in zip(*shares, strict=True) for row in rows]
        assert dealt == sorted(dealt)


@given(counts, sizes, st.integers(2, 3), seeds)
@settings(max_examples=100)
def test_n_processes_see_what_one_with_n_times_the_batch_sees(count, size, world, epoch):
    count = max(count - count % world, world)
    one = drawn(LengthBuckets, count, size * world, position=at(epoch))
    many = [
        drawn(LengthBuckets, count, size, rank=r, num_replicas=world, position=at(epoch))
        for r in range(world)
    ]
    for batch, *shares in zip(one, *many, strict=True):
        assert sorted(flat(shares)) == sorted(batch)


@given(counts, sizes, ranks, seeds)
@settings(max_examples=60)
def test_a_resumed_epoch_is_the_rest_of_the_epoch(count, size, world, epoch):
    options = {"rank": world - 1, "num_replicas": world, "seed": 2}
    whole = drawn(LengthBuckets, count, size, position=at(epoch), **options)
    for done in range(len(whole) + 1):
        rest = drawn(LengthBuckets, count, size, position=at(epoch, done), **options)
        assert rest == whole[done:]


def test_a_pool_is_cut_by_length_and_its_batches_are_mixed():
    count, size = 3 * POOL, 3
    target, source = lengths_of(count)
    key = (target * 100 + source).tolist()
    batches = drawn(LengthBuckets, count, size)
    spans = [(min(key[r] for r in b), max(key[r] for r in b)) for b in batches]
    assert spans != sorted(spans)
    ordered = sorted(spans)
    assert all(a[1] <= b[0] for a, b in pairwise(ordered))
    several = drawn(LengthBuckets, 4 * count, size)
    assert flat(several[:POOL]) != flat(batches)
    orders = {
        str(drawn(LengthBuckets, count, size, seed=seed, position=at(epoch)))
        for seed in range(3)
        for epoch in range(3)
    }
    assert len(orders) == 9


def test_rows_of_equal_length_are_mixed_anew_each_epoch():
    same = (torch.ones(60, dtype=torch.long),) * 2
    one, two = (drawn(LengthBuckets, 60, 6, lengths=same, position=at(e)) for e in range(2))
    assert {frozenset(batch) for batch in one}.isdisjoint(frozenset(batch) for batch in two)


@given(counts, sizes, ranks)
@settings(max_examples=200)
def test_evaluation_sees_every_row_once_and_ranks_stay_in_step(count, size, world):
    by_rank = [
        drawn(EvaluationBuckets, count, size, rank=rank, num_replicas=world)
        for rank in range(world)
    ]
    assert sorted(flat(flat(by_rank))) == list(range(count))
    assert len({len(batches) for batches in by_rank}) == 1
    assert all(len(batch) <= size for batches in by_rank for batch in batches)
    target = lengths_of(count)[0].tolist()
    longest = sorted(
        (min(target[r] for r in b), max(target[r] for r in b)) for b in by_rank[0] if b
    )
    assert all(a[1] <= b[0] for a, b in pairwise(longest))


def test_lightning_leaves_the_samplers_alone():
    assert issubclass(LengthBuckets, DistributedSampler)
    assert issubclass(EvaluationBuckets, DistributedSampler)


# Rows


@given(st.lists(st.lists(st.integers(1, 9), max_size=6), min_size=1, max_size=9), st.data())
def test_padded_rows_are_the_rows(rows, data):
    chosen = data.draw(st.lists(st.integers(0, len(rows) - 1), max_size=9))
    ragged = Ragged(torch.tensor(flat(rows), dtype=torch.long), torch.tensor([*map(len, rows)]))
    padded, lengths = ragged.padded(torch.tensor(chosen, dtype=torch.long), PAD)
    assert padded.dtype == lengths.dtype == torch.int64
    assert lengths.tolist() == [len(rows[row]) for row in chosen]
    assert padded.shape == (len(chosen), max(lengths.tolist(), default=0))
    for line, row in zip(padded.tolist(), chosen, strict=True):
        assert line == rows[row] + [PAD] * (padded.shape[1] - len(rows[row]))


words = st.lists(st.sampled_from("abcde"), max_size=6).map(" ".join)


@given(st.lists(words, min_size=1, max_size=6), st.booleans(), st.integers(2, 8), st.data())
def test_rows_are_cut_and_keep_their_end(texts, bos, most, data):
    rows = TokenRows(texts, str.split)
    vocab = Vocab([*SPECIALS, "a", "b", "c", "d"])  # e is unknown
    chosen = data.draw(st.lists(st.integers(0, len(texts) - 1), max_size=6))
    chosen_rows = torch.tensor(chosen, dtype=torch.long)
    assert list(rows.tokens(chosen_rows)) == [w for row in chosen for w in texts[row].split()]
    for cut in (most, None):
        found = rows.indices(chosen_rows, vocab, bos=bos, most=cut)
        kept = [texts[row].split()[: cut - 1 if cut else None] for row in chosen]
        wanted = [[*([BOS] * bos), *vocab[tokens], EOS] for tokens in kept]
        assert found.flat.tolist() == flat(wanted)
        assert found.lengths.tolist() == [len(row) for row in wanted]


def test_the_courses_cleaning():
    assert cleaned_sentence("Ça\u202falors\xa0!") == "ça alors !"
    assert cleaned_sentence("Wow!") == "wow !"
    assert cleaned_sentence("Hi.  No, Mr. X... What?!") == "hi .  no , mr . x . . . what ? !"
    assert cleaned_sentence("J'ai\u202f3,5 €.") == "j'ai 3 ,5 € ."
    assert cleaned_sentence("!") == "!"


@given(st.text(alphabet="aB ,.!?\u202f\xa0'", max_size=12))
def test_cleaning_twice_is_cleaning_once(text):
    once = cleaned_sentence(text)
    assert cleaned_sentence(once) == once
    assert once.replace(" ", "") == text.translate({0x202F: "", 0xA0: "", 32: ""}).lower()


# Pairs


def written(*pairs, name="pairs.txt", **options):
    Path(name).write_text("".join("\t".join(pair) + "\n" for pair in pairs), encoding="utf-8")
    given_options = {"num_val": 0, "num_test": 0, "batch_size": 8, **options}
    return PairFile(path=name, **given_options)


def set_up(corpus, *stages):
    corpus.prepare_data()
    for stage in stages or ("fit",):
        corpus.setup(stage)
    return corpus


def whole(corpus, split):
    """All the rows of a split, in one batch."""
    rows = corpus.data[split]
    return rows[Rows(0, torch.arange(len(rows)))]


def texts(corpus, split):
    """The pairs of a split as text, tokens parted by blanks."""
    batch = whole(corpus, split)
    sides = ((corpus.source_vocab, batch.source), (corpus.target_vocab, batch.target))
    read = [
        [" ".join(t for t in vocab.tokens(row) if t not in SPECIALS[:3]) for row in side.tolist()]
        for vocab, side in sides
    ]
    return list(zip(*read, strict=True))


COURSE = (("Go.", "Va !"), ("Hi.", "Salut !"), ("I won!", "J'ai gagné !"), ("Hi.", "Bonjour !"))


def test_batches_of_a_file():
    corpus = set_up(written(*COURSE))
    assert corpus.source_vocab.entries == (*SPECIALS, ".", "hi", "!", "go", "i", "won")
    assert corpus.target_vocab.entries[:6] == (*SPECIALS, "!", "bonjour")
    assert (corpus.source_vocab_size, corpus.target_vocab_size) == (10, 10)
    assert (corpus.bos_index, corpus.eos_index, corpus.unk_index) == (BOS, EOS, UNK)
    assert tuple(corpus.target_vocab.tokens([PAD, BOS, EOS, UNK])) == SPECIALS
    batch = whole(corpus, "train")
    assert isinstance(batch, TranslationBatch)
    assert batch.references == ()
    assert batch.source.tolist() == [
        [7, 4, EOS, PAD],
        [5, 4, EOS, PAD],
        [8, 9, 6, EOS],
        [5, 4, EOS, PAD],
    ]
    assert batch.source_lengths.tolist() == [3, 3, 4, 3]
    assert batch.target[:, 0].tolist() == [BOS] * 4
    assert batch.target_lengths.tolist() == [4, 4, 5, 4]
    assert [t.dtype for t in batch[:4]] == [torch.int64] * 4
    short = corpus.data["train"][Rows(0, torch.tensor([0, 3]))]
    assert (short.source.shape, short.target.shape) == ((2, 3), (2, 4))
    assert corpus.val_dataloader() == []
    assert corpus.described == "Pair file pairs.txt, 4 train + 0 val pairs"
    (loaded,) = corpus.train_dataloader()
    assert sorted(loaded.source_lengths.tolist()) == [3, 3, 3, 4]


def test_a_long_training_row_is_cut_and_what_is_held_out_is_not():
    long = [(f"{i} " * 9, f"{i} " * 12) for i in range(10)]
    corpus = set_up(written(*long, max_length=4, num_val=2, num_test=1), "fit", "test")
    batch = whole(corpus, "train")
    assert batch.source.shape == (7, 4)
    assert batch.target.shape == (7, 5)
    assert batch.source[:, -1].tolist() == batch.target[:, -1].tolist() == [EOS] * 7
    assert (batch.source[:, :-1] > UNK).all()
    for split, count in (("val", 2), ("test", 1)):
        batch = whole(corpus, split)
        assert (batch.source.shape, batch.target.shape) == ((count, 10), (count, 14))
        assert batch.source[:, :-1].tolist() == [[UNK] * 9] * count
        assert batch.references == tuple(
            long[int(reference.split()[0])][1] for reference in batch.references
        )


def test_rare_tokens_are_unknown_and_the_file_may_be_read_in_part():
    corpus = set_up(written(*COURSE, num_pairs=2, min_freq=2))
    assert corpus.source_vocab.entries == (*SPECIALS, ".")
    assert corpus.described == "Pair file pairs.txt, 2 train + 0 val pairs (2 of 4 pairs)"
    assert whole(corpus, "train").source.tolist() == [[UNK, 4, EOS]] * 2


def test_one_vocabulary_of_both_sides():
    corpus = set_up(written(*COURSE, shared_vocab=True, min_freq=2))
    assert corpus.source_vocab is corpus.target_vocab
    assert corpus.source_vocab.entries == (*SPECIALS, "!", ".", "hi")  # ! is there 1 + 4 times
    assert corpus.source_vocab_size == corpus.target_vocab_size == 7


@pytest.mark.parametrize("tokenizer", ["char", "spacy", "treebank", "tweet", "wordpunct"])
def test_other_tokens_than_words(tokenizer):
    corpus = set_up(written(*COURSE, tokenizer=tokenizer, clean=False))
    assert corpus.state_dict()["tokenizer"] == tokenizer
    text = corpus.target_text(
        [*corpus.target_vocab[["V", "a"]], EOS] if tokenizer == "char" else []
    )
    assert text == ("Va" if tokenizer == "char" else "")
    batch = whole(corpus, "train")
    assert (batch.target.gather(1, batch.target_lengths[:, None] - 1) == EOS).all()


def test_a_third_column_and_the_line_ends_of_windows():
    Path("pairs.txt").write_bytes(b"\xef\xbb\xbfGo.\tVa !\tCC-BY\r\nHi.\tSalut !\r\n\r\n")
    corpus = set_up(PairFile(path="pairs.txt", num_val=0, num_test=0))
    assert texts(corpus, "train") == [("go .", "va !"), ("hi .", "salut !")]


def test_sentences_as_predicting_and_showing_want_them():
    corpus = written(*COURSE)
    assert corpus.source_tokens("HI!") == [*corpus.source_vocab[["hi", "!"]], EOS]
    assert corpus.source_tokens("nobody") == [UNK, EOS]
    tokens = corpus.target_vocab[["va", "!"]]
    assert corpus.target_text([BOS, *tokens, EOS, PAD]) == "va !"
    assert corpus.translations("Hi.") == ("salut !", "bonjour !")
    assert corpus.translations("hi  .") == ("salut !", "bonjour !")
    assert corpus.translations("bye .") == ()
    assert corpus.examples == ("go .", "hi .", "i won !")
    held_out = set_up(written(*COURSE, num_val=2))
    references = whole(held_out, "val").references
    for sentence, reference in zip(held_out.examples, references, strict=True):
        assert reference in held_out.translations(sentence)


# What is held out

sentences = st.sampled_from(["A.", "a .", "B!", "B.", "c d", "c  d", "e", "f", "g", "h", "i"])
targets = st.sampled_from(["u", "v", "w", "x y", "z!"])


@given(st.lists(st.tuples(sentences, targets), min_size=1, max_size=30), st.data(), seeds)
@settings(max_examples=80)
def test_no_sentence_is_on_two_sides(pairs, data, seed):
    cleaned = [tuple(" ".join(cleaned_sentence(t).split()) for t in pair) for pair in pairs]
    distinct = {source for source, _ in cleaned}
    num_test = data.draw(st.integers(0, len(distinct) - 1))
    num_val = data.draw(st.integers(0, len(distinct) - 1 - num_test))
    corpus = written(*pairs, num_val=num_val, num_test=num_test, split_seed=seed)
    set_up(corpus, "fit", *(["test"] if num_test else []))
    sides = {split: whole(corpus, split) for split in corpus.data}
    vocab = corpus.source_vocab
    trained = {source for source, _ in texts(corpus, "train")}
    assert Counter(texts(corpus, "train")) == Counter(p for p in cleaned if p[0] in trained)
    assert set(corpus.source_vocab.entries[4:]) == {w for text in trained for w in text.split()}
    held_out = []
    for split, count in (("val", num_val), ("test", num_test)):
        if count:
            assert len(corpus.data[split]) == len(sides[split].references) == count
            for tokens, reference in zip(
                sides[split].source.tolist(), sides[split].references, strict=True
            ):
                known = [
                    source
                    for source, target in cleaned
                    if [*vocab[source.split()], EOS] == [t for t in tokens if t != PAD]
                    and target == reference
                ]
                assert known
            held_out += [corpus._pairs[n][0] for n in corpus._division[split].tolist()]
    held_out = [" ".join(text.split()) for text in held_out]
    assert len(held_out) == len(set(held_out)) == num_val + num_test
    assert trained.isdisjoint(held_out)
    assert trained | set(held_out) == distinct


def test_a_seed_draws_the_sentences_and_their_translations():
    pairs = [(f"s {i}", f"t {i} {j}") for i in range(40) for j in range(3)]

    def held_out(**options):
        corpus = set_up(written(*pairs, num_val=10, num_test=10, **options), "fit", "test")
        assert len(corpus.data["train"]) == 60
        return [whole(corpus, split).references for split in ("val", "test")]

    assert held_out() == held_out()
    assert held_out() != held_out(split_seed=1)
    assert {text[-1] for references in held_out() for text in references} == {"0", "1", "2"}
    few = set_up(written(*pairs, num_val=5, num_test=10), "fit", "test")
    assert whole(few, "test").references == held_out()[1]
    assert whole(few, "val").references == held_out()[0][:5]


@pytest.mark.parametrize("world", [1, 3])
def test_evaluation_gives_each_reference_once(world):
    pairs = [(f"s {i}", f"t {i}" + " x" * (i % 7)) for i in range(40)]
    corpus = set_up(written(*pairs, num_val=10, num_test=11, batch_size=2), "fit", "test")
    rows = corpus.data["test"]
    seen = []
    for rank in range(world):
        sampler = EvaluationBuckets(rows, 2, rows.lengths, rank=rank, num_replicas=world)
        for batch in map(rows.__getitem__, sampler):
            assert len(batch.source) == len(batch.target) == len(batch.references)
            seen += batch.references
            for tokens, text in zip(batch.target.tolist(), batch.references, strict=True):
                assert len([t for t in tokens if t != PAD]) == len(text.split()) + 2
    assert sorted(seen) == sorted(whole(corpus, "test").references)
    assert len(list(corpus.test_dataloader())) == 6


def test_nothing_to_test_on_or_nothing_to_train_on():
    corpus = written(*COURSE)
    assert not corpus.holds_out
    assert corpus.splits == ("train", "val")
    assert "pairs.txt has no test pairs" in refused(corpus.setup, "test")
    line = refused(set_up, written(*COURSE, num_val=2, num_test=1))
    assert line == (
        "Pair file pairs.txt: of 3 different sentences 2 + 1 held out leave none to train on: "
        "lower --data.num_val and --data.num_test"
    )
    assert "lower --data.num_val" in refused(set_up, written(*COURSE, num_val=2000))


# Bad input


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "pairs.txt: empty: there is no text"),
        (b"\n\n", "pairs.txt: empty: there is no text"),
        (b"a\tb\nc\n", "pairs.txt, line 2: wanted a sentence and its translation"),
        (b"a\tb\n\nc\td\n", "pairs.txt, line 2: wanted"),
        (b"a\tb\tc\td\n", "columns found: 4"),
        (b"a\tb\n\tc\n", "pairs.txt, line 2: the sentence is empty"),
        (b"a\t \xc2\xa0\nb\tc\n", "pairs.txt, line 1: the translation is empty"),
        (b"a\tb\nc\t\xe9\n", "pairs.txt, line 2: not UTF-8 text"),
        (b"a\tb\nc\t\0\n", "pairs.txt, line 2: not text: there is a NUL byte"),
    ],
)
def test_a_bad_line_is_named(content, words):
    Path("pairs.txt").write_bytes(content)
    assert words in refused(set_up, PairFile(path="pairs.txt", num_val=0, num_test=0))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"num_pairs": 0}, "num_pairs must be at least 1, not 0"),
        ({"max_length": 1}, "max_length must be at least 2, not 1"),
        ({"min_freq": 0}, "min_freq must be at least 1, not 0"),
        ({"num_val": -1}, "num_val must be at least 0, not -1"),
        ({"num_test": -1}, "num_test must be at least 0, not -1"),
        ({"batch_size": 0}, "batch_size must be at least 1, not 0"),
        ({"tokenizer": "words"}, "no tokenizer is called 'words' (did you mean word?)"),
    ],
)
def test_options_that_cannot_be(options, words):
    assert words in refused(FraEng, synthetic=True, **options)


def test_a_file_is_looked_for_here_and_under_the_root(tmp_path):
    (tmp_path / "root").mkdir()
    (tmp_path / "root" / "there.txt").write_text("a\tb\n")
    assert set_up(PairFile(path="there.txt", root="root", num_val=0, num_test=0)).found
    line = refused(set_up, PairFile(path="nowhere.txt", root="root"))
    assert line == "nowhere.txt: there is no such file, here or under root"
    assert "name it by --data.path FILE" in refused(set_up, PairFile())
    assert "--data.path there.txt" in refused(PairFile().adopt, Path("there.txt"))


def test_prepare(capsys):
    assert main(["prepare", "FraEng", "--synthetic"]) == 0
    out = capsys.readouterr().out.replace("\n", " ")
    assert "fra-eng, synthetic stand-in, " in out
    assert "test pairs: ready in" in out
    assert "name it by --data.path FILE" in fails(capsys, "prepare", "PairFile")


# What a checkpoint keeps


def test_state_has_the_vocabularies_and_no_places():
    path = Path(written(*COURSE).path).absolute()
    corpus = PairFile(path=path, root="/nowhere", num_val=0, num_test=0, max_length=9)
    state = corpus.state_dict()
    assert state["class_path"] == "datamodules.pair_file.PairFile"
    assert (state["tokenizer"], state["clean"]) == ("word", True)
    assert state["source_vocabulary"] == list(corpus.source_vocab.entries)
    assert state["target_vocabulary"] == list(corpus.target_vocab.entries)
    assert state["arguments"] == {"num_val": 0, "num_test": 0, "max_length": 9}
    assert str(path.parent) not in str(state)
    corpus.load_state_dict(state)


def test_other_vocabularies_are_refused():
    state = FraEng(synthetic=True, num_pairs=500).state_dict()
    FraEng(synthetic=True, num_pairs=500, batch_size=3).load_state_dict(state)
    for options, side in (({"num_pairs": 400}, "source"), ({"num_pairs": 500}, "target")):
        if side == "target":
            state["target_vocabulary"] = state["target_vocabulary"][:-1]
        line = refused(FraEng(synthetic=True, **options).load_state_dict, state)
        assert f"trained on other pairs than fra-eng: its {side} vocabulary of " in line
        assert "num_pairs 500" in line


# With a Trainer


class Recorder(Callback):
    def __init__(self, folder=None):
        self.folder, self.seen = folder, []

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        assert isinstance(batch, TranslationBatch)
        self.seen.append([tensor.tolist() for tensor in batch[:4]])

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        if self.folder:
            trainer.save_checkpoint(self.folder / f"{len(self.seen)}.ckpt")


class Weight(LightningModule):
    """The least that can be trained."""

    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(()))
        self.references = []

    def training_step(self, batch, batch_idx):
        return self.weight * batch.source.sum()

    def validation_step(self, batch, batch_idx):
        self.references += batch.references

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


def test_a_run_goes_on_where_it_stopped(tmp_path):
    def corpus(**options):
        return FraEng(synthetic=True, batch_size=8, num_pairs=600, **options)

    seen, model = fitted(corpus(), tmp_path)
    assert len(seen) == 6
    held_out = corpus()
    held_out.setup("validate")
    assert sorted(model.references) == sorted(2 * whole(held_out, "val").references)
    for step, workers in ((1, 0), (3, 1), (4, 0)):
        rest, _ = fitted(corpus(num_workers=workers), ckpt_path=tmp_path / f"{step}.ckpt")
        assert rest == seen[step:], step
    kept, _ = fitted(corpus(on_device=True))
    assert kept == seen


def test_overfitting_takes_the_same_batch_each_time():
    seen, _ = fitted(FraEng(synthetic=True, batch_size=4), overfit_batches=1)
    assert len(seen) == 2
    assert seen[0] == seen[1]


def test_facts_are_known_before_the_trainer_prepares():
    assert 150 < FraEng(synthetic=True).source_vocab_size < 250
    assert 300 < FraEng(synthetic=True).target_vocab_size < 450
    assert PairFile(synthetic=True).source_vocab_size == FraEng(synthetic=True).source_vocab_size


# The stand-in


def test_one_seed_one_set_of_bytes(tmp_path):
    start = process_time()
    for name, seed in (("one", 0), ("two", 0), ("other", 1)):
        phrases.write_pairs(tmp_path / name / FILE, seed=seed)
    assert process_time() - start < 3
    one, two, other = ((tmp_path / name / FILE).read_bytes() for name in ("one", "two", "other"))
    assert one == two != other


def test_the_stand_in_reads_as_the_original(tmp_path):
    phrases.write_pairs(tmp_path / FILE)
    content = (tmp_path / FILE).read_text(encoding="utf-8")
    pairs = [line.split("\t") for line in content.splitlines()]
    assert {len(pair) for pair in pairs} == {2}
    assert len(pairs) == len({tuple(pair) for pair in pairs}) in (4000, 4001)
    english, french = zip(*pairs, strict=True)
    assert list(map(len, english)) == sorted(map(len, english))
    several = Counter(Counter(english).values())
    assert set(several) == {1, 2}
    assert several[2] > 500
    assert {"\u202f!", "\xa0?", " !"} <= {text[-2:] for text in french}
    assert all(text[0].isupper() and text[-1] in ".?!" for pair in pairs for text in pair)
    for elided in ("J'ai ", "l'île", "d'", "n'", "Est-ce qu'", "cet arbre", "bel "):
        assert elided in content
    assert not set(content) & set("{}_")
    known = {(a, cleaned_sentence(b)) for a, b in pairs}
    assert ("I'm tired.", "je suis fatigué .") in known
    assert ("I'm tired.", "je suis fatiguée .") in known
    for wrong in ("je ai", "le arbre", "la île", "ne est", "de le ", "à le ", "ma île", "beau ar"):
        assert not any(f" {wrong}" in f" {text}" for _, text in known), wrong
    corpus = set_up(FraEng(root=tmp_path, num_val=100, num_test=100), "fit", "test")
    assert corpus.found
    assert "synthetic" not in corpus.described
    assert "(4,00" in corpus.described


def test_a_tenth_of_the_stand_in_is_held_out_at_most():
    corpus = set_up(FraEng(synthetic=True), "fit", "test")
    train, val, test = (len(corpus.data[split]) for split in ("train", "val", "test"))
    assert val == test == len(corpus._known) // 10
    assert train > 3000
    assert corpus.described == (
        f"fra-eng, synthetic stand-in, {train:,} train + {val} val + {test} test pairs"
    )
    fewer = set_up(FraEng(synthetic=True, num_val=5, num_test=0, num_pairs=100))
    assert len(fewer.data["val"]) == 5
    fewest = set_up(FraEng(synthetic=True, num_pairs=12), "fit", "test")
    assert len(fewest.data["val"]) == len(fewest.data["test"]) == 1
    assert fewer.described.endswith(f" + 5 val pairs (100 of {len(corpus._pairs):,} pairs)")
    unknown = sum(int((whole(corpus, split).target == UNK).sum()) for split in ("val", "test"))
    assert unknown < 10


def test_an_archive_is_read_in_place(tmp_path):
    phrases.write_pairs(tmp_path / "one" / FILE, num_pairs=200)
    (tmp_path / "two" / "fra-eng").mkdir(parents=True)
    with zipfile.ZipFile(tmp_path / "two" / ARCHIVE, "w") as archive:
        archive.write(tmp_path / "one" / FILE, FILE)
    loose, packed = (
        set_up(FraEng(root=tmp_path / name, num_val=9, num_test=9)) for name in ("one", "two")
    )
    assert packed.found
    assert texts(packed, "val") == texts(loose, "val")
    assert [path.name for path in (tmp_path / "two").rglob("*.*")] == ["fra-eng.zip"]
    (tmp_path / "two" / ARCHIVE).write_bytes(b"no zip")
    other = tmp_path / "three" / ARCHIVE
    other.parent.mkdir(parents=True)
    other.write_bytes((tmp_path / "one" / FILE).read_bytes())
    assert str(other) in refused(set_up, FraEng(root=tmp_path / "three"))


# The real pairs


@pytest.mark.real
def test_the_pairs_of_the_course(real_data, tmp_path):
    (file,) = FraEng.files
    content = (real_data / ARCHIVE).read_bytes()
    assert (hashlib.sha256(content).hexdigest(), len(content)) == (file.sha256, file.size)
    assert FraEng(root=tmp_path).adopt(real_data / ARCHIVE) == [tmp_path / ARCHIVE]
    corpus = set_up(FraEng(root=real_data), "fit", "test")
    assert len(corpus._pairs) == corpus.full_size["train"] == 167_130
    assert len(corpus._known) == 116_827
    assert corpus.described == "fra-eng, 161,371 train + 2,000 val + 2,000 test pairs"
    trained = {corpus._pairs[n][0] for n in corpus._division["train"].tolist()}
    held_out = [
        corpus._pairs[n][0] for split in ("val", "test") for n in corpus._division[split].tolist()
    ]
    assert len(set(held_out)) == 4000
    assert trained.isdisjoint(held_out)
    batches = list(corpus.train_dataloader())
    assert sum(len(batch.source) for batch in batches) == 161_371
    spoken = sum(int(batch.target_lengths.sum()) for batch in batches)
    assert spoken / sum(batch.target.numel() for batch in batches) > 0.97


@pytest.mark.real
def test_the_vocabularies_of_the_course(real_data):
    """Its 180 and 161 leave ? with its word, and take a thin blank for a letter."""
    options = {"num_pairs": 1000, "min_freq": 3, "num_val": 0, "num_test": 0}
    corpus = set_up(FraEng(root=real_data, **options))
    assert corpus.described == "fra-eng, 1,000 train + 0 val pairs (1,000 of 167,130 pairs)"
    assert (corpus.source_vocab_size, corpus.target_vocab_size) == (177, 162)
    assert corpus.examples[:4] == ("go .", "wow !", "i'm ok .", "i won !")
    raw = set_up(FraEng(root=real_data, clean=False, **options))._pairs
    narrow = str.maketrans("\u202f\xa0", "  ")
    for side, size in ((0, 180), (1, 161)):
        cleaned = (
            re.sub("(?<=[^ ])(?=[,.!])", " ", pair[side].translate(narrow).lower()) for pair in raw
        )
        tokens = (token for text in cleaned for token in text.split(" "))
        assert len(Vocab.of(tokens, specials=SPECIALS, min_freq=3)) == size
