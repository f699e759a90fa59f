"""Tables: text to columns and numbers; every way to be wrong."""

import csv
import io
import os
import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from datamodules.files.errors import CorpusError
from datamodules.tables.reading import Cells, Layout, numbers, read_table
from tests.conftest import refused
from tests.corpora.conftest import table

PLAIN, TABS = Layout(), Layout("\t", ("a", "b"))


LIMIT = float(np.finfo(np.float32).max)


def parse(content: str | bytes, layout: Layout = PLAIN, wanted=("a", "b")) -> Cells:
    path = Path("table.csv")
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_table(path, layout, wanted)


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
    line = refused(parse, content)
    assert line.startswith("table.csv")
    assert words in line
    assert words.startswith("there") or line.startswith("table.csv" + words)


def test_long_names_are_cut_short():
    assert refused(parse, b"x" * 100_000 + b"\n1\n").endswith("...xxxxxxxxxxxxx'")


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
    assert refused(numbers, read, "a") == f"table.csv, line 5, column a: {cell!r} is {fault}"


def test_a_long_cell_is_cut_short():
    assert refused(numbers, table(a=["9" * 9 + "x" * 100_000]), "a").endswith(
        "xxx' is not a number"
    )
