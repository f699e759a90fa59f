"""Corpora of a table: held-out rows, targets, tables to predict."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from datamodules.files.errors import CorpusError
from datamodules.tables.corpus import TableCorpus
from datamodules.tables.encoder import Encoder
from datamodules.tables.to_predict import TableFiles
from tests.conftest import refused
from tests.corpora.conftest import table

# Corpora of a table


class Small(TableCorpus):
    """Twelve rows, of which the second third is held out; nothing to fetch."""

    title = "small"
    labelled = "small.csv"
    numeric, categorical, target = ("a", "b"), ("w",), "price"
    log_target = True

    def __init__(self, **options):
        super().__init__(**options)
        self.save_hyperparameters(ignore=["root"], logger=False)


HELD_OUT = range(4, 8)


def rows(change=None) -> list[list[str]]:
    """Cells of a, b, w, price; the held-out rows may be others."""
    rng = np.random.default_rng(0)
    cells = [
        [f"{a:.3f}", f"{abs(b):.3f}", word, f"{1000 * p:.2f}"]
        for (a, b), word, p in zip(
            rng.standard_cauchy((12, 2)), "xyzxyzxyzxyz", rng.uniform(1, 3, 12), strict=True
        )
    ]
    for place, row in zip(HELD_OUT, change or (), strict=bool(change)):
        cells[place] = list(row)
    return cells


def small(rows, **options) -> Small:
    text = "\n".join(",".join(row) for row in [["a", "b", "w", "price"], *rows])
    Path("small.csv").write_text(text + "\n")
    corpus = Small(**{"root": ".", "split_seed": None, "num_folds": 3, "fold": 2, **options})
    corpus.setup("fit")
    return corpus


NUMBER = st.sampled_from(["", "NA", "0", "-5", "1e30", "-0.001"])


OTHERS = st.tuples(NUMBER, NUMBER, st.sampled_from(["x", "new", ""]), st.sampled_from(["1", "9e9"]))


@given(st.lists(OTHERS, min_size=4, max_size=4), st.booleans())
def test_nothing_of_a_held_out_row_leaks(change, logarithms):
    one, other = (small(rows(c), logarithms=logarithms) for c in (None, change))
    assert one._table.columns != other._table.columns
    for name in ("in_features", "target_mean", "target_std", "_encoder"):
        assert getattr(one, name) == getattr(other, name), name
    for before, after in zip(one.data["train"].tensors, other.data["train"].tensors, strict=True):
        assert torch.equal(before, after)
    assert not torch.equal(one.data["val"].tensors[1], other.data["val"].tensors[1])
    kept = [
        {k: v for k, v in corpus.state_dict().items() if k != "arguments"}
        for corpus in (one, other)
    ]
    assert kept[0] == kept[1]


def test_a_change_of_a_training_row_is_seen():
    """The test above could pass where nothing is learnt from the rows."""
    changed = rows()
    changed[0] = ["77", "77", "new", "1"]
    one, other = small(rows()), small(changed)
    assert one._encoder != other._encoder
    assert one.target_mean != other.target_mean
    assert one.in_features + 1 == other.in_features


def test_rows_keep_their_answers():
    corpus = small(rows())
    features, targets = (torch.cat([corpus.data[s].tensors[i] for s in ("train", "val")])
                         for i in (0, 1))  # fmt: skip
    cells = [rows()[i] for i in (*range(4), *range(8, 12), *HELD_OUT)]
    np.testing.assert_allclose(targets, np.log([float(row[3]) for row in cells]), rtol=1e-6)
    shown = features[:, 0] * corpus._encoder.scales["a"].std + corpus._encoder.scales["a"].mean
    np.testing.assert_allclose(shown, [float(row[0]) for row in cells], rtol=1e-3, atol=1e-3)
    assert features[:, 2:].argmax(1).tolist() == ["xyz".index(row[2]) for row in cells]
    train = corpus.data["train"].tensors[1].double()
    assert corpus.target_mean == pytest.approx(train.mean().item(), rel=1e-6)
    assert corpus.target_std == pytest.approx(train.std(correction=0).item(), rel=1e-6)


@pytest.mark.parametrize(
    ("price", "words"),
    [
        ("0", "'0' is not a number over 0"),
        ("-3", "'-3' is not a number over 0"),
        ("", "'' is not a number over 0"),
        ("NA", "'NA' is not a number over 0"),
        ("dear", "'dear' is not a number"),
        ("nan", "'nan' is not a number"),
    ],
)
def test_a_target_that_cannot_be_learnt_is_named(price, words):
    for place in (1, 5):  # a training row, and one held out
        spoilt = rows()
        spoilt[place][3] = price
        assert refused(small, spoilt) == f"small.csv, line {place + 2}, column price: {words}"


def test_a_target_without_logarithm_may_be_negative_but_not_missing(monkeypatch):
    monkeypatch.setattr(Small, "log_target", False)
    spoilt = rows()
    spoilt[1][3] = "-3"
    assert small(spoilt).data["train"].tensors[1][1] == -3
    spoilt[1][3] = ""
    with pytest.raises(CorpusError, match=r"small\.csv, line 3, column price: '' is not a number$"):
        small(spoilt)


def test_a_checkpoint_of_other_rows_is_refused():
    one = small(rows())
    state = one.state_dict()
    small(rows()).load_state_dict(state)
    changed = rows()
    changed[0][0] = "500"
    reworded = rows()
    reworded[0][2] = "new"
    others = [
        small(changed),
        small(reworded),
        small(rows(), fold=1),
        small(rows(), logarithms=True),
    ]
    for other in others:
        with pytest.raises(CorpusError, match=r"other rows of small.*trained with: .*fold 2"):
            other.load_state_dict(state)
    assert "root" not in state["arguments"]


def test_too_few_rows_to_train_on():
    with pytest.raises(CorpusError, match="small: 0 training rows are too few"):
        small(rows()[:1], fold=None, validation_fraction=0.9).train_dataloader()


# Tables to predict


def predicted(*files: str, encoder: Encoder, layout=(",", ()), identifier=None) -> TableFiles:
    state = {"encoder": encoder.state_dict(), "layout": layout, "identifier": identifier}
    corpus = TableFiles(files, json.dumps(state))
    corpus.setup("predict")
    return corpus


def test_tables_to_predict_are_encoded_as_the_corpus_was():
    corpus = small(rows())
    header, *lines = Path("small.csv").read_text().splitlines()
    Path("one.csv").write_text("\n".join([header, *lines[:5]]))
    Path("two.csv").write_text("w,b,a\n" + "\n".join(f"{w},{b},{a}" for a, b, w, _ in rows()[5:]))
    tables = predicted("one.csv", "two.csv", encoder=corpus._encoder)
    assert tables.in_features == corpus.in_features
    assert torch.equal(tables.features, corpus._encoder(corpus._table))
    assert tables.identifiers == [str(number) for number in range(1, 13)]
    batches = list(tables.predict_dataloader())
    assert torch.equal(torch.cat([features for features, _ in batches]), tables.features)
    named = predicted("one.csv", "one.csv", encoder=corpus._encoder, identifier="price")
    assert named.identifiers == [row[3] for row in rows()[:5]] * 2


def test_tables_to_predict_may_lack_the_answers():
    encoder = Encoder.fit(table(a=["1", "3"]), [0, 1], ["a"], [])
    layout = ["\t", ["a", "answer"]]
    Path("with.dat").write_text("1\t5\n2\t6\n")
    Path("without.dat").write_text("1\n2\n")
    for name in ("with.dat", "without.dat"):
        features = predicted(name, encoder=encoder, layout=layout).features
        assert features.tolist() == [[-1], [0]]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("a,b,w\n1,2,x\n1,two,x\n", "bad.csv, line 3, column b: 'two' is not a number"),
        ("a,w\n1,x\n", "bad.csv: the column b is missing; there are: a, w"),
        ("a,b,w\n", "bad.csv: empty: there are no rows"),
    ],
)
def test_a_bad_table_to_predict_is_named(content, words):
    encoder = small(rows())._encoder
    Path("bad.csv").write_text(content)
    assert refused(predicted, "small.csv", "bad.csv", encoder=encoder) == words
