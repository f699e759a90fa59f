"""Every row once, in the order declared, on any number of processes and from any position."""

from itertools import islice

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from datamodules.batches.in_memory import InMemory
from datamodules.batches.samplers import EvaluationBatches, TrainBatches
from tests.corpora.conftest import flat

sizes = st.integers(1, 70)
batches = st.integers(1, 20)
ranks = st.integers(1, 4)


def rows(num_rows):
    return InMemory(torch.arange(num_rows))


def drawn(sampler):
    return [batch.indices.tolist() for batch in sampler]


@given(sizes, batches, ranks)
@settings(max_examples=200)
def test_evaluation_sees_every_row_once_and_ranks_stay_in_step(n, size, world):
    samplers = [
        EvaluationBatches(rows(n), size, rank=rank, num_replicas=world) for rank in range(world)
    ]
    drawn_by_rank = [drawn(sampler) for sampler in samplers]
    assert sorted(flat(flat(drawn_by_rank))) == list(range(n))
    assert {len(batches) for batches in drawn_by_rank} == {len(samplers[0])}
    assert all(len(batch) <= size for batches in drawn_by_rank for batch in batches)


@given(sizes, batches)
@settings(max_examples=50)
def test_one_process_evaluates_in_order(n, size):
    assert flat(drawn(EvaluationBatches(rows(n), size))) == list(range(n))


@given(sizes, batches, ranks, st.integers(0, 5))
@settings(max_examples=200)
def test_training_sees_every_row_once_but_for_what_ranks_cannot_share(n, size, world, epoch):
    position = lambda count: (epoch, 0)  # noqa: E731
    by_rank = [
        drawn(TrainBatches(rows(n), size, rank=r, num_replicas=world, position=position))
        for r in range(world)
    ]
    seen = flat(flat(by_rank))
    assert len(seen) == len(set(seen)) == n - n % world
    lengths = [[len(batch) for batch in batches] for batches in by_rank]
    assert all(length == lengths[0] for length in lengths)
    assert len(lengths[0]) == len(TrainBatches(rows(n), size, num_replicas=world))


@given(sizes, batches, st.integers(1, 3))
@settings(max_examples=100)
def test_n_processes_see_what_one_with_n_times_the_batch_sees(n, size, world):
    one = drawn(TrainBatches(rows(n - n % world or world), size * world))
    many = [
        drawn(TrainBatches(rows(n - n % world or world), size, rank=r, num_replicas=world))
        for r in range(world)
    ]
    for step, batch in enumerate(one):
        assert sorted(flat(batches[step] for batches in many)) == sorted(batch)


@given(sizes, batches, st.integers(0, 4))
@settings(max_examples=100)
def test_resumed_epoch_is_the_rest_of_the_epoch(n, size, epoch):
    whole = drawn(TrainBatches(rows(n), size, position=lambda count: (epoch, 0)))
    for done in range(len(whole) + 1):
        rest = TrainBatches(rows(n), size, position=lambda count, d=done: (epoch, d))
        assert drawn(rest) == whole[done:]


def test_epochs_and_seeds_differ():
    orders = {
        (seed, epoch): tuple(
            flat(drawn(TrainBatches(rows(64), 8, seed=seed, position=lambda c, e=epoch: (e, 0))))
        )
        for seed in range(3)
        for epoch in range(3)
    }
    assert len(set(orders.values())) == 9


def test_keys_name_epoch_and_row():
    data = InMemory(torch.arange(10) * 10, keyed=True)
    sampler = TrainBatches(data, 4, position=lambda count: (3, 0))
    for batch in islice(sampler, 2):
        values, keys = data[batch]
        assert keys.tolist() == [(3 << 32) + row for row in batch.indices.tolist()]
        assert values.tolist() == [row * 10 for row in batch.indices.tolist()]
