"""Running text in batches: the course's, every token once, on any number of processes."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.utils.data import DistributedSampler

from datamodules import TextFile
from datamodules.batches.token_streams import (
    IGNORED,
    EvaluationStreams,
    RandomWindows,
    SequentialStreams,
    TokenStream,
)
from tests.corpora.conftest import at

lengths = st.integers(1, 120)


sizes = st.integers(1, 7)


steps = st.integers(1, 9)


ranks = st.integers(1, 3)


tails = st.sampled_from(["drop", "pad"])


def text(length):
    """The tokens 0, 1, 2 ..., so that a token is its place."""
    return TokenStream(torch.arange(length))


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


def places_of(batches):
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
    seen = [place for own in batches for place in places_of(own)]
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
    seen = [place for own in batches for place in places_of(own)]
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
        str(places_of(drawn(RandomWindows(text(200), 2, 5, seed=s, jitter=False, position=at(e)))))
        for s in range(3)
        for e in range(3)
    }
    assert len(orders) == 9


def test_lightning_leaves_the_samplers_alone():
    for kind in (SequentialStreams, RandomWindows, EvaluationStreams):
        assert issubclass(kind, DistributedSampler)


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
