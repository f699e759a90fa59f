"""Tables: text to columns, columns to features, rows to folds; every way to be wrong."""

import csv
import io
import os
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st

from datamodules import FashionMNIST
from datamodules.corpus import Corpus
from datamodules.files.errors import CorpusError
from datamodules.tables.corpus import TableCorpus
from datamodules.tables.encoder import Encoder
from datamodules.tables.reading import Layout, Table, numbers, read_table
from datamodules.tables.to_predict import TableFiles

PLAIN, TABS = Layout(), Layout("\t", ("a", "b"))
LIMIT = float(np.finfo(np.float32).max)


def parse(content: str | bytes, layout: Layout = PLAIN, wanted=("a", "b")) -> Table:
    path = Path("table.csv")
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_table(path, layout, wanted)


def table(**columns: list[str]) -> Table:
    """A table in memory, its rows on the lines 2, 3 ..."""
    size = len(next(iter(columns.values())))
    return Table(Path("table.csv"), columns, list(range(2, size + 2)))


def message(error) -> str:
    """The one line of a CorpusError that pytest caught."""
    line = str(error.value)
    assert "\n" not in line
    assert "\r" not in line
    assert len(line) < 500
    return line


# Text to columns


@pytest.mark.parametrize(
    ("content", "layout", "lines"),
    [
        ("a,b\n1,x\n2,y\n", PLAIN, [2, 3]),
        ("a,b\n1,x\n2,y", PLAIN, [2, 3]),
        ("a,b\r\n1,x\r\n2,y\r\n", PLAIN, [2, 3]),
        ("a,b\r1,x\r2,y\r", PLAIN, [2, 3]),
        ("\ufeffa,b\n1,x\n2,y\n", PLAIN, [2, 3]),
        ('"a","b"\n"1",x\n2,"y"\n', PLAIN, [2, 3]),
        ("\n\na,b\n\n1,x\n\n\n2,y\n\n", PLAIN, [5, 8]),
        ("a;b\n1;x\n2;y\n", Layout(";"), [2, 3]),
        ("1\tx\n2\ty\n", TABS, [1, 2]),
        ("1\tx\r\n2\ty\r\n", TABS, [1, 2]),
        ("\ufeff1\tx\n2\ty\n", TABS, [1, 2]),
    ],
)
def test_columns_and_lines(content, layout, lines):
    read = parse(content, layout)
    assert read.columns == {"a": ["1", "2"], "b": ["x", "y"]}
    assert (read.lines, len(read)) == (lines, 2)


def test_a_row_stands_on_the_line_it_begins_on():
    read = parse('a,b\n"1\n\n1",x\n\n2,"y\r\ny"\r\n3,z\n')
    assert read.columns == {"a": ["1\n\n1", "2", "3"], "b": ["x", "y\r\ny", "z"]}
    assert read.lines == [2, 6, 8]


def test_other_columns_may_be_there_and_quotes_hold_anything():
    read = parse('b,c,a\n"x, ""y""",3,1\n')
    assert read.columns == {"b": ['x, "y"'], "c": ["3"], "a": ["1"]}


def test_without_a_header_what_nobody_wants_may_be_missing_at_the_end():
    assert parse("1\n2\n", TABS, ["a"]).columns == {"a": ["1", "2"]}
    assert parse("1\tx\n2\ty\n", TABS, ["a"]).columns["b"] == ["x", "y"]
    for content, words in (("1\n", "not 2 cells but 1"), ("1\tx\t\n", "not 2 cells but 3")):
        with pytest.raises(CorpusError, match=words):
            parse(content, TABS, ["b"])


CELLS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=8)


@given(
    rows=st.lists(st.tuples(CELLS, CELLS), min_size=1, max_size=6),
    end=st.sampled_from(["\n", "\r\n"]),
    delimiter=st.sampled_from(",;\t"),
    mark=st.sampled_from(["", "\ufeff"]),
)
def test_whatever_was_written_as_csv_is_read_back(rows, end, delimiter, mark):
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=delimiter, quoting=csv.QUOTE_ALL, lineterminator=end)
    writer.writerow(["a", "b"])
    lines = []
    for row in rows:
        lines.append(1 + len(re.findall("\r\n|\r|\n", text.getvalue())))
        writer.writerow(row)
    read = parse(mark + text.getvalue(), Layout(delimiter))
    assert list(zip(read.columns["a"], read.columns["b"], strict=True)) == rows
    assert read.lines == lines


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", ": empty: there are no rows"),
        (b"\xef\xbb\xbf\r\n\r\n", ": empty: there are no rows"),
        (b"a,b\r\n", ": empty: there are no rows"),
        (b"a,b\n1,2\n3\n", ", line 3: not 2 cells but 1: the row ends in column a"),
        (b"a,b\n1,2,3\n", ", line 2: not 2 cells but 3: the row goes on after column b"),
        (b'a,b\n\n"1\r\n1",2\n \n', ", line 5: not 2 cells but 1: the row ends in column a"),
        (b'a,b\n"1\n1",2,3\n', ", line 2: not 2 cells but 3: the row goes on after column b"),
        (b"a,b,a\n1,2,3\n", ": the column a is there twice"),
        (b"a,b,,\n1,2,3,4\n", ": the column '' is there twice"),
        (b"a,c\n1,2\n", ": the column b is missing; there are: a, c"),
        (b"a;b\n1;2\n", ": the column a is missing; there are: a;b"),
        (b'a,"x\ny"\n1,2\n', r": the column b is missing; there are: a, 'x\ny'"),
        (b"b\xc3\xa9,a,c,d,e,f,g,h,i,j\n1,2\n", "there are: bé, a, c, d, e, f, g, h and 2 more"),
        (b"a,b\n1,2\n3,\xff\n", ", line 3: not UTF-8 text"),
        (b"\xef\xbb\xbfa,b\n\xff\n", ", line 2: not UTF-8 text"),
        (b"a,b\r1,2\r3,\xff\r", ", line 3: not UTF-8 text"),
        ("a,b\n1,2\n".encode("utf-16"), ", line 1: not UTF-8 text"),
        (b"a,b\n1,2\r\n3,\0\n", ", line 3: not text: there is a NUL byte"),
        ("a,b\n1,2\n".encode("utf-16-le"), ", line 1: not text: there is a NUL byte"),
        (b'a,b\n1,2\n\n"3,4\n5,6\n', ", line 4: not a table (unexpected end of data)"),
        (b'a,b\n1,"2\n2"3\n', ", line 2: not a table (',' expected after '\"')"),
        (b'a,b\n"' + b"1\n" * 99_999, ", line 2: not a table (field larger than field limit"),
    ],
    ids=lambda value: "" if isinstance(value, bytes) else value,
)
def test_a_bad_table_is_named_with_its_line(content, words):
    with pytest.raises(CorpusError) as error:
        parse(content)
    line = message(error)
    assert line.startswith("table.csv")
    assert words in line
    assert words.startswith("there") or line.startswith("table.csv" + words)


def test_long_names_are_cut_short():
    with pytest.raises(CorpusError) as error:
        parse(b"x" * 100_000 + b"\n1\n")
    assert message(error).endswith("...xxxxxxxxxxxxx'")


def test_what_is_no_file_is_named(monkeypatch):
    Path("folder.csv").mkdir()
    Path("shut.csv").write_text("a,b\n1,2\n")
    Path("shut.csv").chmod(0)
    with pytest.raises(CorpusError, match=r"^folder\.csv: cannot be read \(Is a directory\)$"):
        read_table(Path("folder.csv"), PLAIN, ["a"])
    with pytest.raises(CorpusError, match=r"^absent\.csv: cannot be read \(No such file"):
        read_table(Path("absent.csv"), PLAIN, ["a"])
    if os.geteuid():  # root reads all
        with pytest.raises(CorpusError, match=r"^shut\.csv: cannot be read \(Permission denied"):
            read_table(Path("shut.csv"), PLAIN, ["a"])


# Columns to numbers


@given(st.lists(st.none() | st.floats(-LIMIT, LIMIT), min_size=1), st.sampled_from(["", "NA"]))
def test_numbers_are_read_exactly_and_missing_ones_are_nan(values, missing):
    cells = [missing if value is None else repr(value) for value in values]
    wanted = [np.nan if value is None else value for value in values]
    np.testing.assert_array_equal(numbers(table(a=cells), "a"), wanted)


@pytest.mark.parametrize(
    ("cell", "fault"),
    [(c, "not a number") for c in ("x", "nan", "inf", "-Infinity", "1e999", "1_000", "1,5", " ")]
    + [(c, "too large") for c in ("1e39", "-4e38")],
)
def test_what_is_no_number_is_named_with_line_and_column(cell, fault):
    read = parse(f'b,a\n"two\nlines",1\n\nx,"{cell}"\n')
    with pytest.raises(CorpusError) as error:
        numbers(read, "a")
    assert message(error) == f"table.csv, line 5, column a: {cell!r} is {fault}"


def test_a_long_cell_is_cut_short():
    with pytest.raises(CorpusError) as error:
        numbers(table(a=["9" * 9 + "x" * 100_000]), "a")
    assert message(error).endswith("xxx' is not a number")


# Columns to features

COLUMN = st.lists(st.none() | st.floats(-1e6, 1e6), min_size=6, max_size=6)


def cells(values) -> list[str]:
    return ["NA" if value is None else repr(value) for value in values]


def encode(fitted: Table, rows, numeric=(), categorical=(), logarithms=False) -> np.ndarray:
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
        with pytest.raises(CorpusError) as error:
            small(spoilt)
        assert message(error) == f"small.csv, line {place + 2}, column price: {words}"


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
    corpus = TableFiles(files, encoder.state_dict(), layout, identifier)
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
    with pytest.raises(CorpusError) as error:
        predicted("small.csv", "bad.csv", encoder=encoder)
    assert message(error) == words


# Folds


class Rows(Corpus):
    title = "rows"


@st.composite
def folds(draw):
    count = draw(st.integers(2, 20))
    return draw(st.integers(count, 200)), count, draw(st.none() | st.integers(-5, 2**70))


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
    with pytest.raises(CorpusError, match=words) as error:
        Rows(**options).divide(10)
    message(error)


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
