"""Buckets of rows of about one length, on any number of processes."""

from itertools import pairwise

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils.data import DistributedSampler

from datamodules.batches.in_memory import InMemory
from datamodules.batches.length_buckets import POOL, EvaluationBuckets, LengthBuckets
from tests.corpora.conftest import at, flat

counts = st.integers(1, 90)


sizes = st.integers(1, 9)


seeds = st.integers(0, 3)
ranks = st.integers(1, 4)


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
