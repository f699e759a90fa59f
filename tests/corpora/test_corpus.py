"""What all corpora have: folds, divisions, files that are kept."""

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.utils._pytree import tree_leaves

import datamodules
from datamodules import FashionMNIST
from datamodules.batches.held_out import HeldOut
from datamodules.files.errors import CorpusError
from tests.conftest import one_line
from zoo.catalogue import arguments, corpora, definitions


class Rows(HeldOut):
    title = "rows"


@st.composite
def folds(draw):
    count = draw(st.integers(2, 20))
    return draw(st.integers(count, 200)), count, draw(st.none() | st.integers(-5, 2**70))


def held_out(corpus):
    """The first of the batches to validate on."""
    corpus.prepare_data()
    corpus.setup("fit")
    return tree_leaves(next(iter(corpus.val_dataloader())))


@pytest.mark.parametrize(
    "name", [name for name, each in corpora().items() if "fold" in arguments(each, definitions())]
)
def test_two_folds_hold_out_other_rows(name):
    one, two = (held_out(getattr(datamodules, name)(synthetic=True, fold=fold)) for fold in (1, 2))
    assert not all(np.array_equal(a, b) for a, b in zip(one, two, strict=True))


@given(folds())
def test_folds_cut_the_rows_into_equal_parts(case):
    num_rows, count, seed = case
    held_out = []
    for fold in range(1, count + 1):
        train, val = Rows(num_folds=count, fold=fold, split_seed=seed).divide(num_rows)
        assert train.tolist() == sorted(set(range(num_rows)) - set(val.tolist()))
        assert val.tolist() == sorted(val.tolist())
        held_out.append(val)
    assert sorted(torch.cat(held_out).tolist()) == list(range(num_rows))
    sizes = [len(val) for val in held_out]
    assert max(sizes) - min(sizes) <= 1
    if seed is None:  # as KFold does without shuffling
        wanted = np.array_split(np.arange(num_rows), count)
        assert all(map(np.array_equal, held_out, wanted))


@given(folds(), st.floats(0, 0.99))
def test_a_division_is_the_same_in_every_process(case, fraction):
    num_rows, count, seed = case
    options = {"num_folds": count, "split_seed": seed, "validation_fraction": fraction}
    for fold in (None, count):
        with pytest.MonkeyPatch.context() as patch:
            first = Rows(fold=fold, **options).divide(num_rows)
            patch.setenv("PL_GLOBAL_SEED", "7")
            patch.setenv("LOCAL_RANK", "1")
            torch.manual_seed(len(first[0]))
            again = Rows(fold=fold, **options).divide(num_rows)
        assert all(map(torch.equal, first, again))
    assert len(Rows(fold=None, **options).divide(num_rows)[1]) == round(num_rows * fraction)


def test_a_seed_shuffles_the_folds():
    held_out = [Rows(fold=1, split_seed=seed).divide(100)[1].tolist() for seed in (None, 0, 1)]
    assert held_out[0] == list(range(20))
    assert len({tuple(rows) for rows in held_out}) == 3


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"num_folds": 1}, "num_folds must be at least 2, not 1"),
        ({"fold": 0}, "fold must be from 1 to 5, not 0"),
        ({"fold": 6}, "fold must be from 1 to 5, not 6"),
        ({"fold": 3, "num_folds": 2}, "fold must be from 1 to 2, not 3"),
        ({"fold": 1, "num_folds": 11}, "rows: 11 folds of 10 rows: choose at most as many folds"),
    ],
)
def test_folds_that_cannot_be(options, words):
    with one_line(CorpusError, words):
        Rows(**options).divide(10)


def test_pictures_are_cut_into_folds_too():
    whole, corpus = (
        FashionMNIST(synthetic=True, split_seed=None, **options)
        for options in ({"validation_fraction": 0}, {"fold": 2})
    )
    corpus.prepare_data()
    assert corpus.holds_out
    rest = [*range(1200), *range(2400, 6000)]
    for split, wanted in (("val", slice(1200, 2400)), ("train", rest)):
        rows = zip(corpus.read(split).tensors, whole.read("train").tensors, strict=True)
        assert all(torch.equal(tensor, every[wanted]) for tensor, every in rows)


def test_own_files_are_not_replaced_where_another_is_missing(monkeypatch):
    """What lies under the root may be a subset of the corpus, with another digest."""
    fetched = []
    monkeypatch.setattr("datamodules.corpus.fetch", lambda file, *_, **__: fetched.append(file))
    first, *others = FashionMNIST.files
    Path(first.name).parent.mkdir(parents=True)
    Path(first.name).write_bytes(b"mine")
    FashionMNIST(root=".").prepare_data()
    assert fetched == others
    assert Path(first.name).read_bytes() == b"mine"
