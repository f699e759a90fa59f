"""Corpora of words: subsampling, windows, their batches, counts of pairs, texts of one's own."""

from collections import Counter
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Generator

from datamodules import (
    PennTreebankCooccurrences,
    PennTreebankWindows,
    TextFileCooccurrences,
    TextFileWindows,
)
from datamodules.words.cooccurrences import count_pairs
from datamodules.words.corpus import Words
from datamodules.words.windows import (
    WindowBatches,
    WindowRows,
    draw_negatives,
    draw_windows,
    keep_probabilities,
)
from tests.conftest import refused

SENTENCES = st.lists(st.lists(st.integers(0, 6), max_size=8), min_size=1, max_size=8)


def words_of(sentences):
    numbers = [number for number, sentence in enumerate(sentences) for _ in sentence]
    flat = [word for sentence in sentences for word in sentence]
    return Words(torch.tensor(flat, dtype=torch.long), torch.tensor(numbers, dtype=torch.long))


@given(sentences=SENTENCES, window=st.integers(1, 4), seed=st.integers(0, 1000))
def test_windows_are_those_of_a_loop(sentences, window, seed):
    words, keep = words_of(sentences), torch.linspace(0.2, 1, 7)
    found = draw_windows(words, keep, window, Generator().manual_seed(seed))
    generator = Generator().manual_seed(seed)
    stays = torch.rand(len(words.indices), generator=generator) < keep[words.indices]
    left = [
        (w, s) for w, s, kept in zip(*(part.tolist() for part in words), stays, strict=True) if kept
    ]
    radii = torch.randint(1, window + 1, (len(left),), generator=generator).tolist()
    wanted = []
    for place, ((word, sentence), radius) in enumerate(zip(left, radii, strict=True)):
        row = []
        for offset in [*range(-window, 0), *range(1, window + 1)]:
            there = place + offset
            near = 0 <= there < len(left) and left[there][1] == sentence and abs(offset) <= radius
            row.append(left[there][0] if near else -100)
        if set(row) != {-100}:
            wanted.append((word, row))
    assert found[0].tolist() == [word for word, _ in wanted]
    assert found[1].tolist() == [row for _, row in wanted]


@given(seed=st.integers(0, 1000), number=st.integers(1, 4))
def test_negatives_are_no_contexts(seed, number):
    generator = Generator().manual_seed(seed)
    contexts = torch.randint(-3, 6, (40, 4), generator=generator)
    contexts[contexts < 0] = -100
    found = draw_negatives(contexts, torch.ones(6), number, generator)
    assert found.shape == (40, 4, number)
    assert ((found == -100) == (contexts == -100)[:, :, None]).all()
    for row, drawn in zip(contexts.tolist(), found.flatten(1).tolist(), strict=True):
        assert not (set(row) & set(drawn)) - {-100}


def test_negatives_are_drawn_by_their_chances():
    chances = torch.tensor([5.0, 0, 1, 2, 2])
    contexts = torch.full((20_000, 1), 0)
    found = draw_negatives(contexts, chances, 5, Generator().manual_seed(0)).flatten()
    wanted = 100_000 * torch.tensor([0, 0, 0.2, 0.4, 0.4])
    counts = torch.bincount(found, minlength=5)
    assert counts[:2].tolist() == [0, 0]
    assert ((counts - wanted)[2:] ** 2 / wanted[2:]).sum() < 13.8  # 2 degrees, p = 0.001


def test_windows_and_negatives_are_drawn_once_or_in_each_epoch():
    words = words_of([[0, 1, 2, 3]] * 30)
    for redraw in (True, False):
        drawing = 2, torch.ones(9)
        rows = WindowRows(words, torch.ones(9), 2, 0, redraw, *drawing)
        one, other = (rows.windows(epoch).tensors for epoch in range(2))
        assert len(one) == 3
        assert [torch.equal(a, b) for a, b in zip(one, other, strict=True)][1:] == [not redraw] * 2


def test_frequent_words_are_dropped_by_either_formula():
    counts = torch.tensor([90_000, 9_990, 10])
    paper = keep_probabilities(counts, 1e-4)
    program = keep_probabilities(counts, 1e-4, "program")
    for place, count in enumerate(counts.tolist()):
        ratio = 1e-4 / (count / 100_000)
        assert paper[place] == pytest.approx(min(1, ratio**0.5))
        assert program[place] == pytest.approx(min(1, ratio**0.5 + ratio))
    assert keep_probabilities(counts, 0).tolist() == [1, 1, 1]


@given(world=st.integers(1, 3), size=st.integers(1, 7), epoch=st.integers(0, 3))
def test_ranks_share_an_epochs_windows_and_each_comes_once(world, size, epoch):
    generator = torch.Generator().manual_seed(0)
    words = Words(torch.randint(7, (60,), generator=generator), torch.arange(60) // 10)
    rows = WindowRows(words, torch.full((7,), 0.7), 3, seed=1)
    samplers = [
        WindowBatches(
            rows, size, seed=1, rank=rank, num_replicas=world, position=lambda _: (epoch, 0)
        )
        for rank in range(world)
    ]
    batches = [list(sampler) for sampler in samplers]
    assert {len(part) for part in batches} == {len(samplers[0])}
    for parts in zip(*batches, strict=True):
        sizes = [len(part.indices) for part in parts]
        assert max(sizes) - min(sizes) <= 1
    alone = WindowBatches(rows, size * world, seed=1, position=lambda _: (epoch, 0))
    for one, *parts in zip(alone, *batches, strict=True):
        assert torch.equal(torch.cat([part.indices for part in parts]), one.indices)
    seen = Counter(i for part in batches for one in part for i in one.indices.tolist())
    whole = len(rows.windows(epoch))
    assert set(seen.values()) <= {1}
    assert len(seen) == whole
    resumed = WindowBatches(rows, size, seed=1, num_replicas=world, position=lambda _: (epoch, 1))
    for one, other in zip(list(resumed), batches[0][1:], strict=True):
        assert torch.equal(one.indices, other.indices)


def test_an_epochs_windows_are_another_epochs_not():
    corpus = PennTreebankWindows(synthetic=True)
    corpus.prepare_data()
    corpus.setup("fit")
    rows = corpus.data["train"]
    first, second = (rows.windows(epoch).tensors[0] for epoch in (0, 1))
    assert not torch.equal(first[:500], second[:500])
    assert torch.equal(rows.windows(0).tensors[0], first)
    assert 0.7 * len(rows) < len(first) <= len(rows)  # some words are alone in what is left


@given(sentences=SENTENCES, window=st.integers(1, 4), chunk=st.integers(1, 9))
def test_pairs_are_those_of_a_loop(sentences, window, chunk):
    pairs = count_pairs(words_of(sentences), 7, window, chunk)
    wanted = Counter()
    for sentence in sentences:
        for place, word in enumerate(sentence):
            for other in range(len(sentence)):
                if 0 < abs(other - place) <= window:
                    wanted[word * 7 + sentence[other]] += 1 / abs(other - place)
    assert pairs.codes.tolist() == sorted(wanted)
    assert pairs.counts.tolist() == pytest.approx([wanted[code] for code in sorted(wanted)])


@pytest.mark.parametrize("corpus", [TextFileWindows, TextFileCooccurrences])
def test_a_text_of_ones_own(corpus):
    lines = ["The cat sat on the mat.", "A cat ate; a dog sat!", "the dog ate the mat"] * 4
    Path("own.txt").write_text("\n".join(lines))
    own = corpus(path="own.txt", min_freq=3)
    own.setup("fit")
    assert set(own.vocab.entries) == {"the", "cat", "sat", "on", "mat", "a", "ate", "dog"}
    assert own.vocab.entries[0] == "the"
    assert own.word_counts.sum() == sum(own._counts[word] for word in own.vocab.entries)
    assert "words to train on, 8 different" in own.described
    assert own.word_queries is None
    assert "own.txt" not in str(own.state_dict())


@pytest.mark.parametrize("corpus", [PennTreebankWindows, PennTreebankCooccurrences])
def test_another_vocabulary_is_refused(corpus):
    one, other = corpus(synthetic=True), corpus(synthetic=True, min_freq=9)
    one.prepare_data()
    message = refused(other.load_state_dict, one.state_dict())
    assert "its vocabulary of" in message
    one.load_state_dict(one.state_dict())


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"window": 0}, "window is 0"),
        ({"subsampling": 1.5}, "subsampling 1.5"),
        ({"keep": "gensim"}, "keep must be paper or program"),
        ({"min_freq": 0}, "min_freq must be at least 1"),
        ({"negatives": -1}, "negatives -1"),
    ],
)
def test_options_that_cannot_be(options, words):
    assert words in refused(PennTreebankWindows, **options)
    if "window" in options:
        assert "window must be at least 1" in refused(PennTreebankCooccurrences, **options)


def test_texts_of_which_nothing_can_be_learned():
    Path("rare.txt").write_text("one two three\n")
    assert "lower --data.min_freq" in refused(lambda: TextFileWindows(path="rare.txt").vocab_size)
    Path("lone.txt").write_text("one\ntwo\n" * 9)
    for corpus, words in ((TextFileWindows, "no windows"), (TextFileCooccurrences, "no pairs")):
        lone = corpus(path="lone.txt")
        message = refused(lambda c=lone: (c.setup("fit"), c.train_dataloader()))
        assert words in message
    Path("few.txt").write_text("one two three\n" * 9)
    few = TextFileWindows(path="few.txt", negatives=2, min_freq=1)
    assert "3 different words" in refused(few.setup, "fit")


@pytest.mark.real
def test_the_penn_treebank_of_the_course(real_data):
    """ShusenTang: 42,068 sentences; 887,100 words of 9,858 kinds; `join` stays, `the` hardly."""
    corpus = PennTreebankWindows(root=real_data)
    corpus.setup("fit")
    assert len(list(corpus.sentences("train"))) == 42_068
    assert (corpus.vocab_size, int(corpus.word_counts.sum())) == (9_858, 887_100)
    words = corpus.data["train"].words.indices
    keep = corpus.data["train"].keep
    stays = torch.rand(len(words), generator=Generator().manual_seed(0)) < keep[words]
    for word, before, after in (("the", 50_770, 2_043), ("join", 45, 45)):
        index = corpus.vocab[word]
        assert int((words == index).sum()) == before
        assert int((words[stays] == index).sum()) == pytest.approx(after, rel=0.1)
    assert int(stays.sum()) == pytest.approx(375_647, rel=0.005)
