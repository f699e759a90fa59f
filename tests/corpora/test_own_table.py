"""Tables of one's own: what is a number, a word, a date; what is predicted; every layout."""

import csv
import random
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
import torch
from pandas import DataFrame, Timestamp, read_csv, to_datetime

from datamodules import Table
from tests.conftest import fails, quiet_trainer, refused
from tests.corpora.conftest import prepared
from zoo import MLP, MLPRegressor
from zoo.cli.main import main

CPU = ("--trainer.accelerator", "cpu")


def written(columns, name="own.csv", delimiter=","):
    """A file of these columns, as a spreadsheet writes it."""
    with Path(name).open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, delimiter=delimiter)
        writer.writerow(columns)
        writer.writerows(zip(*columns.values(), strict=True))
    return name


def columns(rows=40, seed=0):
    rng = random.Random(seed)
    days = [datetime(2023, 1, 1) + timedelta(hours=rng.randrange(10_000)) for _ in range(rows)]
    return {
        "id": [f"r{row}" for row in range(rows)],
        "x": [f"{rng.gauss(0, 1):.3f}" for _ in range(rows)],
        "when": [day.isoformat(" ") for day in days],
        "w": [rng.choice(["fig", "pear", "kiwi"]) for _ in range(rows)],
        "y": [f"{rng.gauss(5, 2):.3f}" for _ in range(rows)],
        "kind": [rng.choice(["b", "a", "c"]) for _ in range(rows)],
    }


def own(table, target="y", **options):
    return prepared(Table(written(table), target, **options))


def features(corpus):
    """Features of all rows in the order of the file, and their names."""
    return corpus._encoder(corpus._table), corpus._encoder.names


def test_kinds_of_columns():
    table = columns()
    corpus = own(table)
    values, names = features(corpus)
    parts = ["when: days", "when: month", "when: day", "when: weekday", "when: hour"]
    kinds = ["kind=a", "kind=b", "kind=c"]
    assert names == ["x", *parts, "w=fig", "w=kiwi", "w=pear", *kinds]
    scale = corpus._encoder.scales
    dates = [Timestamp(cell) for cell in table["when"]]
    for part in ("month", "day", "hour"):
        name = f"when: {part}"
        shown = values[:, names.index(name)] * scale[name].std + scale[name].mean
        np.testing.assert_allclose(shown, [getattr(date, part) for date in dates], atol=1e-4)
    assert corpus.identifier == "id"
    assert corpus.described == (
        "Table own.csv, 36 train + 4 val rows; y (a number) from 12 features"
    )


def test_the_encoding_is_of_the_training_rows_alone():
    table = columns()
    one = own(table)
    for row in one._division[1].tolist():
        table["x"][row], table["w"][row], table["y"][row] = "1e6", "new", "-1e6"
    other = own(table)
    assert other._encoder == one._encoder
    assert (other.target_mean, other.target_std) == (one.target_mean, one.target_std)


@pytest.mark.parametrize(
    ("target", "labels"),
    [
        (["b", "a", "c", "a"] * 10, ("a", "b", "c")),
        (["1", "0"] * 20, ("0", "1")),
        (["10", "9", "2", "10"] * 10, ("2", "9", "10")),
        (["True", "False"] * 20, ("False", "True")),
        (["0.5", "1.5"] * 20, None),
        ([str(row) for row in range(40)], None),
        ([str(row % 11) for row in range(40)], None),
    ],
)
def test_the_target_says_what_is_predicted(target, labels):
    corpus = own(columns() | {"t": target}, "t")
    _, targets = corpus.data["train"].tensors
    if labels is None:
        assert targets.dtype == torch.float32
        assert "numbers, not classes: take a regressor" in refused(lambda: corpus.num_classes)
        return
    assert corpus.labels == labels
    assert [labels[int(t)] for t in targets] == [target[i] for i in corpus._division[0]]
    assert "classes, not numbers: take a classifier" in refused(lambda: corpus.target_mean)


def test_the_kind_of_a_target_can_be_chosen():
    table = columns() | {"t": [str(row % 5) for row in range(40)]}
    assert own(table, "t").num_classes == 5
    assert own(table, "t", classes=False).target_mean == pytest.approx(2, abs=0.5)
    assert own(columns(), "y", classes=True).num_classes > 30


def test_classes_keep_their_shares():
    corpus = own(columns(200) | {"t": (["a"] * 9 + ["b"]) * 20}, "t", validation_fraction=0.2)
    _, targets = corpus.data["val"].tensors
    assert targets.bincount().tolist() == [36, 4]


@pytest.mark.parametrize("gap", ["", "NA", "N/A", "nan", "NULL", "None", "?", " ? "])
def test_gaps_are_missing_in_every_spelling(gap):
    table = columns()
    for name in ("x", "when", "w"):
        table[name][::4] = [gap] * 10
    corpus = own(table)
    values, names = features(corpus)
    assert (values[::4, names.index("x")] == 0).all()
    assert (values[::4, names.index("when: days")] == 0).all()
    assert (values[::4, names.index("w=NA")] == 1).all()
    assert not corpus._encoder.dates.keys() ^ {"when"}


@pytest.mark.parametrize("form", ["%Y-%m-%d", "%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y", "%d %b %Y"])
def test_dates_of_one_format_are_dates(form):
    table = columns()
    days = to_datetime(table["when"]).normalize()
    corpus = own(table | {"when": list(days.strftime(form))})
    scale = corpus._encoder.scales["when: days"]
    values, names = features(corpus)
    shown = values[:, names.index("when: days")] * scale.std + scale.mean
    wanted = (days - Timestamp(0)).days
    np.testing.assert_allclose(shown, wanted, atol=0.1)


def test_words_that_look_like_parts_of_dates_are_words():
    table = columns() | {"when": ["sun", "mon"] * 20, "w": ["may", "june"] * 20}
    corpus = own(table)
    assert corpus._encoder.words.keys() == {"when", "w", "kind"}


def test_a_column_of_nothing_but_different_words_teaches_nothing():
    table = columns(80) | {"note": [f"note {row}" for row in range(80)]}
    corpus = own(table)
    assert corpus._encoder.words["note"] == []
    assert corpus.described.endswith("; nothing is learned from note")
    table["note"] = [f"note {row % 60}" for row in range(80)]
    assert 0 < len(own(table)._encoder.words["note"]) <= 50


def test_codes_of_digits_may_be_words():
    table = columns() | {"code": ["20", "30"] * 20}
    assert "code" in own(table)._encoder.scales
    assert own(table, categorical=["code"])._encoder.words["code"] == ["20", "30"]
    assert "the column colour is missing" in refused(own, table, categorical=["colour"])


@pytest.mark.parametrize(
    "layout", ["tsv", "semicolons", "comma decimals", "blanks", "bom", "parquet"]
)
def test_every_layout_gives_the_same_features(layout):
    written(columns())
    wanted, names = features(prepared(Table("own.csv", "y")))
    frame = read_csv("own.csv", dtype=str)
    name = f"own.{layout.split()[0]}"
    if layout == "tsv":
        frame.to_csv(name, sep="\t", index=False)
    elif layout == "semicolons":
        frame.to_csv(name, sep=";", index=False)
    elif layout == "comma decimals":
        read_csv("own.csv").to_csv(name, sep=";", decimal=",", index=False)
    elif layout == "blanks":
        Path(name).write_text(Path("own.csv").read_text().replace(",", " ,  "))
    elif layout == "bom":
        frame.to_csv(name, index=False, encoding="utf-8-sig", lineterminator="\r\n")
    else:
        read_csv("own.csv", parse_dates=["when"]).to_parquet(name)
    found, known = features(prepared(Table(name, "y")))
    assert known == names
    assert torch.equal(found, wanted)


def test_the_index_that_pandas_writes_is_no_feature():
    DataFrame(columns()).to_csv("own.csv")
    assert "" not in prepared(Table("own.csv", "y"))._encoder.scales


def test_parquet_keeps_whole_numbers_beside_gaps_and_names_rows():
    frame = DataFrame({"code": [20, None] * 20, "x": range(40), "y": np.linspace(0, 1, 40)})
    frame.astype({"code": "Int64"}).to_parquet("own.parquet")
    corpus = prepared(Table("own.parquet", "y", categorical=["code"]))
    assert corpus._encoder.words["code"] == ["20", "NA"]
    frame.assign(y=[1.5, None, *range(38)]).to_parquet("own.parquet")
    line = refused(prepared, Table("own.parquet", "y"))
    assert line.startswith("own.parquet, row 2, column y: the answer is missing")
    Path("own.parquet").write_bytes(b"PAR1 and no more")
    assert "own.parquet: not a Parquet table" in refused(prepared, Table("own.parquet", "y"))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"y": ["1.5", "", *["2"] * 38]}, "own.csv, line 3, column y: the answer is missing"),
        ({"y": ["1.5", "1e99", *["2"] * 38]}, "own.csv, line 3, column y: '1e99' is too large"),
    ],
)
def test_a_bad_cell_is_named(change, words):
    assert words in refused(own, columns() | change)


def test_a_date_of_another_format_is_named():
    table = columns()
    corpus = own(table)
    row = int(corpus._division[1][0])
    table["when"][row] = "soon"
    line = refused(own, table)
    assert f"own.csv, line {row + 2}, column when: 'soon' is not a date" in line


def test_a_column_is_wanted_and_has_to_be_there():
    written(columns())
    assert "--data.target COLUMN" in refused(prepared, Table("own.csv"))
    assert "the column z is missing; there are: id, x" in refused(prepared, Table("own.csv", "z"))
    assert "no column but y has anything" in refused(own, {"y": columns()["y"]})


def test_a_plain_trainer_learns_numbers_and_classes():
    corpus = Table(synthetic=True, target="weight")
    numbers = MLPRegressor(corpus.in_features, target_mean=corpus.target_mean,
                           target_std=corpus.target_std)  # fmt: skip
    trainer = quiet_trainer(max_epochs=6)
    trainer.fit(numbers, corpus)
    assert trainer.callback_metrics["val/rmse"] < 0.4 * corpus.target_std
    corpus = Table(synthetic=True)
    trainer = quiet_trainer(max_epochs=6)
    trainer.fit(MLP(corpus.in_features, corpus.num_classes), corpus)
    assert trainer.callback_metrics["val/accuracy"] > 0.75


@pytest.mark.parametrize(("model", "target"), [("MLP", "kind"), ("LinearRegression", "y")])
def test_a_checkpoint_alone_predicts_new_files(model, target, capsys):
    table = columns() | {"w": ["1e3", "?x: ", "no", "null-ish"] * 10}
    written(table)
    small = ("--trainer.max_epochs", "1", *CPU)
    data = ("--data", "Table", "--data.path", "own.csv", "--data.target", target)
    assert main(["fit", "--model", model, *data, *small]) == 0
    Path("own.csv").unlink()
    new = {name: cells[:7] for name, cells in table.items() if name != target}
    new["w"][0] = "never seen"
    (ckpt,) = map(str, Path("runs").glob("*/1/checkpoints/best.ckpt"))
    for file in (written(new, "new.csv"), written(new, "new.tsv", "\t")):
        assert main(["predict", file, "--ckpt_path", ckpt, "--output", f"{file}.csv"]) == 0
    assert Path("new.csv.csv").read_text() == Path("new.tsv.csv").read_text()
    with Path("new.csv.csv").open(newline="") as file:
        header, *rows = csv.reader(file)
    assert header == ["id", target]
    assert [name for name, _ in rows] == new["id"]
    assert all(answer in "abc" if target == "kind" else float(answer) for _, answer in rows)
    capsys.readouterr()
    del new["x"]
    assert "new.csv: the column x is missing" in fails(
        capsys, "predict", written(new, "new.csv"), "--ckpt_path", ckpt
    )
    assert "name the tables to predict" in fails(capsys, "predict", "--ckpt_path", ckpt)


def test_a_checkpoint_of_other_classes_is_refused():
    one = own(columns(), "kind")
    state = one.state_dict()
    one.load_state_dict(state)
    other = own(columns() | {"kind": ["a", "d"] * 20}, "kind")
    line = refused(other.load_state_dict, {**state, "encoder": other.state_dict()["encoder"]})
    assert "other classes of Table own.csv" in line
