"""Files of sentence pairs: vocabularies, what is held out, bad lines, resumes."""

from collections import Counter
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from datamodules import FraEng, PairFile
from datamodules.batches.in_memory import Rows
from datamodules.batches.length_buckets import EvaluationBuckets
from datamodules.text.sentence_rows import TranslationBatch
from datamodules.text.tokenizers import cleaned_sentence
from datamodules.text.vocabulary import SPECIALS
from tests.conftest import fails, refused
from tests.corpora.conftest import BOS, EOS, PAD, UNK, fitted, prepared, texts, whole
from zoo.cli.main import main

# Pairs


def pair_file(*pairs, name="pairs.txt", **options):
    Path(name).write_text("".join("\t".join(pair) + "\n" for pair in pairs), encoding="utf-8")
    given_options = {"num_val": 0, "num_test": 0, "batch_size": 8, **options}
    return PairFile(path=name, **given_options)


COURSE = (("Go.", "Va !"), ("Hi.", "Salut !"), ("I won!", "J'ai gagné !"), ("Hi.", "Bonjour !"))


def test_batches_of_a_file():
    corpus = prepared(pair_file(*COURSE))
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
    corpus = prepared(pair_file(*long, max_length=4, num_val=2, num_test=1), "fit", "test")
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
    corpus = prepared(pair_file(*COURSE, num_pairs=2, min_freq=2))
    assert corpus.source_vocab.entries == (*SPECIALS, ".")
    assert corpus.described == "Pair file pairs.txt, 2 train + 0 val pairs (2 of 4 pairs)"
    assert whole(corpus, "train").source.tolist() == [[UNK, 4, EOS]] * 2


def test_one_vocabulary_of_both_sides():
    corpus = prepared(pair_file(*COURSE, shared_vocab=True, min_freq=2))
    assert corpus.source_vocab is corpus.target_vocab
    assert corpus.source_vocab.entries == (*SPECIALS, "!", ".", "hi")  # ! is there 1 + 4 times
    assert corpus.source_vocab_size == corpus.target_vocab_size == 7


@pytest.mark.parametrize("tokenizer", ["char", "spacy", "treebank", "tweet", "wordpunct"])
def test_other_tokens_than_words(tokenizer):
    corpus = prepared(pair_file(*COURSE, tokenizer=tokenizer, clean=False))
    assert corpus.state_dict()["tokenizer"] == tokenizer
    text = corpus.target_text(
        [*corpus.target_vocab[["V", "a"]], EOS] if tokenizer == "char" else []
    )
    assert text == ("Va" if tokenizer == "char" else "")
    batch = whole(corpus, "train")
    assert (batch.target.gather(1, batch.target_lengths[:, None] - 1) == EOS).all()


def test_a_third_column_and_the_line_ends_of_windows():
    Path("pairs.txt").write_bytes(b"\xef\xbb\xbfGo.\tVa !\tCC-BY\r\nHi.\tSalut !\r\n\r\n")
    corpus = prepared(PairFile(path="pairs.txt", num_val=0, num_test=0))
    assert texts(corpus, "train") == [("go .", "va !"), ("hi .", "salut !")]


def test_sentences_as_predicting_and_showing_want_them():
    corpus = pair_file(*COURSE)
    assert corpus.source_tokens("HI!") == [*corpus.source_vocab[["hi", "!"]], EOS]
    assert corpus.source_tokens("nobody") == [UNK, EOS]
    tokens = corpus.target_vocab[["va", "!"]]
    assert corpus.target_text([BOS, *tokens, EOS, PAD]) == "va !"
    assert corpus.translations("Hi.") == ("salut !", "bonjour !")
    assert corpus.translations("hi  .") == ("salut !", "bonjour !")
    assert corpus.translations("bye .") == ()
    assert corpus.examples == ("go .", "hi .", "i won !")
    held_out = prepared(pair_file(*COURSE, num_val=2))
    references = whole(held_out, "val").references
    for sentence, reference in zip(held_out.examples, references, strict=True):
        assert reference in held_out.translations(sentence)


# What is held out

sentences = st.sampled_from(["A.", "a .", "B!", "B.", "c d", "c  d", "e", "f", "g", "h", "i"])


targets = st.sampled_from(["u", "v", "w", "x y", "z!"])


@given(
    st.lists(st.tuples(sentences, targets), min_size=1, max_size=30), st.data(), st.integers(0, 3)
)
@settings(max_examples=80)
def test_no_sentence_is_on_two_sides(pairs, data, seed):
    cleaned = [tuple(" ".join(cleaned_sentence(t).split()) for t in pair) for pair in pairs]
    distinct = {source for source, _ in cleaned}
    num_test = data.draw(st.integers(0, len(distinct) - 1))
    num_val = data.draw(st.integers(0, len(distinct) - 1 - num_test))
    corpus = pair_file(*pairs, num_val=num_val, num_test=num_test, split_seed=seed)
    prepared(corpus, "fit", *(["test"] if num_test else []))
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
        corpus = prepared(pair_file(*pairs, num_val=10, num_test=10, **options), "fit", "test")
        assert len(corpus.data["train"]) == 60
        return [whole(corpus, split).references for split in ("val", "test")]

    assert held_out() == held_out()
    assert held_out() != held_out(split_seed=1)
    assert {text[-1] for references in held_out() for text in references} == {"0", "1", "2"}
    few = prepared(pair_file(*pairs, num_val=5, num_test=10), "fit", "test")
    assert whole(few, "test").references == held_out()[1]
    assert whole(few, "val").references == held_out()[0][:5]


@pytest.mark.parametrize("world", [1, 3])
def test_evaluation_gives_each_reference_once(world):
    pairs = [(f"s {i}", f"t {i}" + " x" * (i % 7)) for i in range(40)]
    corpus = prepared(pair_file(*pairs, num_val=10, num_test=11, batch_size=2), "fit", "test")
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
    corpus = pair_file(*COURSE)
    assert not corpus.holds_out
    assert corpus.splits == ("train", "val")
    assert "pairs.txt has no test pairs" in refused(corpus.setup, "test")
    line = refused(prepared, pair_file(*COURSE, num_val=2, num_test=1))
    assert line == (
        "Pair file pairs.txt: of 3 different sentences 2 + 1 held out leave none to train on: "
        "lower --data.num_val and --data.num_test"
    )
    assert "lower --data.num_val" in refused(prepared, pair_file(*COURSE, num_val=2000))


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
    assert words in refused(prepared, PairFile(path="pairs.txt", num_val=0, num_test=0))


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
    assert prepared(PairFile(path="there.txt", root="root", num_val=0, num_test=0)).files_exist
    line = refused(prepared, PairFile(path="nowhere.txt", root="root"))
    assert line == "nowhere.txt: there is no such file, here or under root"
    assert "name it by --data.path FILE" in refused(prepared, PairFile())
    assert "--data.path there.txt" in refused(PairFile().adopt, Path("there.txt"))


def test_prepare(capsys):
    assert main(["prepare", "FraEng", "--synthetic"]) == 0
    out = capsys.readouterr().out.replace("\n", " ")
    assert "fra-eng, synthetic stand-in, " in out
    assert "test pairs: ready in" in out
    assert "name it by --data.path FILE" in fails(capsys, "prepare", "PairFile")


# What a checkpoint keeps


def test_state_has_the_vocabularies_and_no_places():
    path = Path(pair_file(*COURSE).path).absolute()
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
        assert f"trained on another text than fra-eng: its {side} vocabulary of " in line
        assert "num_pairs 500" in line


# With a Trainer


def test_a_run_goes_on_where_it_stopped(tmp_path):
    def corpus(**options):
        return FraEng(synthetic=True, batch_size=8, num_pairs=600, **options)

    seen, model = fitted(corpus(), tmp_path)
    assert len(seen) == 6
    held_out = corpus()
    held_out.setup("validate")
    references = [text for batch in model.validated for text in batch.references]
    assert sorted(references) == sorted(2 * whole(held_out, "val").references)
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
