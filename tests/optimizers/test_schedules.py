"""Schedules: against their formulas, under torch's optimizers and the zoo's, and resumed."""

import io
import math
from functools import partial

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from zoo.errors import InputError
from zoo.optimizers.newton import Newton
from zoo.optimizers.schedules import FactorLR, SquareRootLR, WarmupCosineLR
from zoo.optimizers.sgd import SGD


def optimizer_of(*rates, make=torch.optim.SGD):
    return make([{"params": [nn.Parameter(torch.ones(1))], "lr": rate} for rate in rates])


def rates(schedule, steps):
    """The rates of the first group, step by step, the first being the one training begins with."""
    seen = []
    for _ in range(steps):
        seen.append(schedule.optimizer.param_groups[0]["lr"])
        schedule.optimizer.step()
        schedule.step()
    return seen


def test_square_root_gives_the_rates_of_the_course():
    book = rates(SquareRootLR(optimizer_of(0.6)), 100)
    assert book[::33] == pytest.approx([0.6, 0.6 / 34**0.5, 0.6 / 67**0.5, 0.06], rel=1e-12)
    course = rates(SquareRootLR(optimizer_of(0.5), rate=0.1), 31)
    assert course[::10] == pytest.approx(
        [0.5, 0.5 * 2**-0.5, 0.5 * 3**-0.5, 0.5 * 4**-0.5], rel=1e-12
    )


def test_factor_falls_to_its_floor():
    seen = rates(FactorLR(optimizer_of(2.0), factor=0.9, floor=1e-2), 60)
    rate = 2.0
    for value in seen:
        assert value == pytest.approx(max(rate, 1e-2), rel=1e-12)
        rate *= 0.9
    assert seen[-1] == 1e-2
    assert rates(FactorLR(optimizer_of(2.0)), 3) == [2.0, 2.0, 2.0]


def book_cosine(epoch, max_update, base_lr, final_lr, warmup_steps, warmup_begin_lr):
    """The rate that the book's CosineScheduler states for an epoch."""
    if epoch < warmup_steps:
        return warmup_begin_lr + (base_lr - warmup_begin_lr) * epoch / warmup_steps
    angle = math.pi * (min(epoch, max_update) - warmup_steps) / (max_update - warmup_steps)
    return final_lr + (base_lr - final_lr) * (1 + math.cos(angle)) / 2


@given(
    st.integers(0, 20),
    st.integers(1, 30),
    st.floats(1e-3, 1),
    st.floats(0, 1),
    st.floats(0, 1),
)
def test_warmup_cosine_is_the_books(warmup, rest, base, final, begin):
    total = warmup + rest
    schedule = WarmupCosineLR(
        optimizer_of(base),
        warmup_steps=warmup,
        total_steps=total,
        final_lr=final,
        warmup_start_lr=begin,
    )
    expected = [book_cosine(t, total, base, final, warmup, begin) for t in range(total + 5)]
    assert rates(schedule, total + 5) == pytest.approx(expected, rel=1e-9, abs=1e-12)


def test_warmup_cosine_at_its_corners():
    seen = rates(WarmupCosineLR(optimizer_of(0.3), 5, 20, final_lr=0.01, warmup_start_lr=0.05), 30)
    assert seen[:6] == pytest.approx([0.05, 0.1, 0.15, 0.2, 0.25, 0.3])
    assert max(seen) == 0.3
    assert seen[5:21] == sorted(seen[5:21], reverse=True)
    assert seen[20:] == [0.01] * 10


def test_a_run_shorter_than_its_warmup_ends_within_it():
    seen = rates(WarmupCosineLR(optimizer_of(1.0), warmup_steps=10, total_steps=4), 4)
    assert seen == pytest.approx([0.0, 0.1, 0.2, 0.3])


SCHEDULES = [
    SquareRootLR,
    partial(FactorLR, factor=0.7, floor=0.05),
    partial(WarmupCosineLR, warmup_steps=3, total_steps=12, final_lr=0.01),
]


@pytest.mark.parametrize("make", SCHEDULES)
@pytest.mark.parametrize("optimizer", [torch.optim.SGD, torch.optim.Adam, SGD])
def test_every_group_has_its_own_base(make, optimizer):
    both = optimizer_of(0.5, 0.25, make=optimizer)
    schedule = make(both)
    alone = [make(optimizer_of(rate, make=optimizer)) for rate in (0.5, 0.25)]
    for _ in range(8):
        for each in (schedule, *alone):
            each.optimizer.step()
            each.step()
        assert schedule.get_last_lr() == [a.optimizer.param_groups[0]["lr"] for a in alone]


@pytest.mark.parametrize("make", SCHEDULES)
@pytest.mark.parametrize("done", [1, 4, 12])
def test_a_resumed_schedule_has_the_same_rates(make, done):
    whole = rates(make(optimizer_of(0.5)), 16)

    first = make(optimizer_of(0.5))
    rates(first, done)
    file = io.BytesIO()
    torch.save({"s": first.state_dict(), "o": first.optimizer.state_dict()}, file)
    file.seek(0)
    state = torch.load(file, weights_only=True)
    second = make(optimizer_of(0.5))
    second.load_state_dict(state["s"])
    second.optimizer.load_state_dict(state["o"])
    assert rates(second, 16 - done) == whole[done:]


def test_newton_steps_by_the_scheduled_share():
    point = nn.Parameter(torch.tensor(8.0))
    newton = Newton([point], lr=0.5, objective=lambda parameters: parameters[0] ** 2)
    schedule = FactorLR(newton, factor=0.5)
    seen = []
    for _ in range(3):
        newton.step()
        schedule.step()
        seen.append(point.item())
    assert seen == pytest.approx([8 * 0.5, 4 * 0.75, 3 * 0.875])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (partial(SquareRootLR, rate=-1.0), "rate is -1.0"),
        (partial(FactorLR, factor=0.0), "factor is 0.0"),
        (partial(FactorLR, factor=1.1), "factor is 1.1"),
        (partial(FactorLR, floor=-1e-7), "floor is -1e-07"),
        (WarmupCosineLR, "total_steps is None"),
        (partial(WarmupCosineLR, total_steps=-1), "total_steps is -1"),
        (partial(WarmupCosineLR, warmup_steps=-1, total_steps=9), "warmup_steps is -1"),
        (partial(WarmupCosineLR, total_steps=9, final_lr=-0.1), "final_lr is -0.1"),
        (partial(WarmupCosineLR, total_steps=9, warmup_start_lr=-0.1), "warmup_start_lr is -0.1"),
    ],
)
def test_bad_arguments_are_named_in_one_line(make, message):
    with pytest.raises(InputError) as error:
        make(optimizer_of(0.1))
    assert str(error.value).startswith(message)
    assert "\n" not in str(error.value)
