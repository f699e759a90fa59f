"""Columns of a table to features, by its training rows alone."""

import io

import numpy as np
import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st
from pandas import DataFrame
from sklearn.compose import ColumnTransformer
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from datamodules.tables.encoder import Encoder
from datamodules.tables.reading import Cells
from tests.corpora.conftest import table

COLUMN = st.lists(st.none() | st.floats(-1e6, 1e6), min_size=6, max_size=6)


def cells(values) -> list[str]:
    return ["NA" if value is None else repr(value) for value in values]


def encode(fitted: Cells, rows, numeric=(), categorical=(), logarithms=False) -> np.ndarray:
    encoder = Encoder.fit(fitted, rows, numeric, categorical, logarithms)
    return encoder(fitted).numpy()


@given(COLUMN, COLUMN, st.sets(st.integers(0, 5), min_size=2))
def test_numbers_are_standardised_by_the_training_rows_alone(first, second, rows):
    rows = sorted(rows)
    features = encode(table(a=cells(first), b=cells(second)), rows, ["a", "b"])
    assert features.dtype == np.float32
    assert features.shape == (6, 2)
    for column, values in zip(features.T, (first, second), strict=True):
        values = np.array([np.nan if value is None else value for value in values])
        known = values[rows][~np.isnan(values[rows])]
        mean, std = (known.mean(), known.std()) if len(known) else (0, 1)
        if len(known):
            assume(np.ptp(known) == 0 or std > 1e-9 * np.abs(known).max())
        wanted = (values - mean) / (std if np.ptp(known) else 1) if len(known) else values
        assume(np.nan_to_num(np.abs(wanted)).max() < np.finfo(np.float32).max)
        np.testing.assert_allclose(column, np.nan_to_num(wanted), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("value", [0.0, 0.1, -1234.567, 1e30, 5e-324])
def test_a_constant_column_is_zero(value):
    """Numpy's deviation of 19 times 0.1 is 1e-17, which nothing may be divided by."""
    values = [repr(value)] * 19 + [repr(value + 0.5)]
    for logarithms in (False, True):
        features = encode(table(a=values), range(19), ["a"], logarithms=logarithms)[:, 0]
        assert (features[:19] == 0).all()
        assert abs(features[19]) <= 0.5


def test_a_column_without_any_number_is_zero_and_later_numbers_are_kept():
    features = encode(table(a=["NA", "", "NA", "2.5"]), [0, 1, 2], ["a"])[:, 0]
    assert features.tolist() == [0, 0, 0, 2.5]


def test_words_are_one_hot_in_sorted_order():
    encoder = Encoder.fit(
        table(w=["pear", "fig", "NA", "pear", "kiwi"], v=["2", "10", "2", "2", "3"]),
        [0, 1, 2, 3],
        [],
        ["w", "v"],
    )
    assert encoder.names == ["w=NA", "w=fig", "w=pear", "v=10", "v=2"]
    other = table(w=["fig", "", "NA", "kiwi", "Pear"], v=["10", "2", "02", "2", "2"])
    assert encoder(other).tolist() == [
        [0, 1, 0, 1, 0],
        [1, 0, 0, 0, 1],  # what is missing is one word, however it is written
        [1, 0, 0, 0, 0],
        [0, 0, 0, 0, 1],  # words that no training row has are none
        [0, 0, 0, 0, 1],
    ]


def test_numbers_come_before_words_and_are_not_taken_for_them():
    encoder = Encoder.fit(table(w=["x", "y"], a=["1", "3"]), [0, 1], ["a"], ["w"])
    assert encoder.names == ["a", "w=x", "w=y"]
    assert encoder(table(w=["y"], a=["1"])).tolist() == [[-1, 0, 1]]


RIGHT = [1, 1, 2, 2, 3, 50, 0]


@pytest.mark.parametrize(
    ("values", "logarithms", "taken"),
    [
        (RIGHT, True, True),
        (RIGHT, False, False),
        ([50 - value for value in RIGHT], True, False),  # skewed to the left
        ([value - 1 for value in RIGHT], True, False),  # there is a negative number
        ([1, 2, 3, 4, 5, 6, 0], True, False),  # hardly skewed
        ([value * 1e-120 for value in RIGHT], True, True),  # whose cubes are 0
        ([value * 1e36 for value in RIGHT], True, True),
    ],
)
@pytest.mark.filterwarnings("error")
def test_logarithms_are_taken_of_columns_skewed_to_the_right(values, logarithms, taken):
    fitted = table(a=[repr(float(value)) for value in values])
    encoder = Encoder.fit(fitted, range(7), ["a"], [], logarithms)
    assert encoder.scales["a"].logarithm is taken
    shown = np.log1p(values) if taken else np.array(values)
    np.testing.assert_allclose(
        encoder(fitted)[:, 0], (shown - shown.mean()) / (shown.std() or 1), rtol=1e-5, atol=1e-6
    )


def test_a_negative_number_among_other_rows_has_no_logarithm_but_zeros():
    features = encode(table(a=[*map(str, RIGHT), "-7"]), range(7), ["a"], logarithms=True)[:, 0]
    assert features[7] == features[6]
    assert np.isfinite(features).all()


@given(COLUMN, st.lists(st.sampled_from(["", "é", "x y", "1"]), min_size=6, max_size=6))
def test_the_state_is_plain_data_and_encodes_bit_equal(values, words):
    fitted = table(a=cells(values), b=cells(map(abs, filter(None, values))) + ["NA"] * 6, w=words)
    encoder = Encoder.fit(fitted, [0, 2, 3, 5], ["a"], ["w"], True)
    file = io.BytesIO()
    torch.save(encoder.state_dict(), file)
    file.seek(0)
    again = Encoder.from_state(torch.load(file, weights_only=True))
    assert again == encoder
    assert again.names == encoder.names
    assert torch.equal(again(fitted), encoder(fitted))


@given(
    COLUMN,
    st.lists(st.sampled_from("xyz"), min_size=6, max_size=6),
    st.sets(st.integers(0, 5), min_size=2),
)
def test_the_features_are_those_of_scikit_learn(values, words, rows):
    rows = sorted(rows)
    known = [values[row] for row in rows if values[row] is not None]
    assume(known and (np.ptp(known) == 0 or np.std(known) > 1e-6 * np.abs(known).max()))
    frame = DataFrame({"a": np.array(values, dtype=float), "w": words})
    columns = [
        ("numbers", StandardScaler(), ["a"]),
        ("words", OneHotEncoder(handle_unknown="ignore", sparse_output=False), ["w"]),
    ]
    transformer = ColumnTransformer(columns).fit(frame.iloc[rows])
    wanted = np.nan_to_num(transformer.transform(frame))
    assume(np.abs(wanted).max() < 1e30)
    features = encode(table(a=cells(values), w=words), rows, ["a"], ["w"])
    np.testing.assert_allclose(features, wanted, rtol=1e-5, atol=1e-5)
