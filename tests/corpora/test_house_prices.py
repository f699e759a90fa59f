"""House prices: the real files, the stand-in, and the way from bad files to a submission."""

import csv
import json
import math
import multiprocessing
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from datamodules import HousePrices
from datamodules.files.errors import CorpusError
from datamodules.synthetic import houses
from datamodules.tables.encoder import Encoder
from datamodules.tables.reading import Layout, numbers, read_table
from tests.conftest import fails, one_line, quiet_trainer
from tests.corpora.conftest import contents
from zoo.cli.main import main
from zoo.regression.linear_regression import LinearRegression, least_squares

RECIPE = "linear_regression-house_prices"
FIT = ["fit", RECIPE, "--trainer.accelerator", "cpu", "--trainer.max_epochs", "1"]
FOLDER = "kaggle_house"


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    folder = tmp_path_factory.mktemp("houses") / FOLDER
    houses.write(folder)
    return folder


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """The checkpoint of a run on the stand-in."""
    folder = tmp_path_factory.mktemp("trained")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        assert main([*FIT, "--data.synthetic", "true"]) == 0
    return str(folder / "runs" / RECIPE / "1" / "checkpoints" / "best.ckpt")


@pytest.fixture
def here(written, tmp_path):
    """A small, right corpus under the root `here`, to be spoilt."""
    folder = tmp_path / "here" / FOLDER
    folder.mkdir(parents=True)
    for name, count in (("train.csv", 41), ("test.csv", 11)):
        lines = (written / name).read_text().splitlines(keepends=True)
        (folder / name).write_text("".join(lines[:count]))
    return folder


def table(path: Path) -> list[list[str]]:
    with path.open(newline="") as file:
        return list(csv.reader(file))


# The stand-in


def test_one_seed_one_set_of_bytes(tmp_path, written):
    for name, seed in (("one", 0), ("two", 0), ("other", 1)):
        houses.write(tmp_path / name, num_train=20, num_test=10, seed=seed)
    assert contents(tmp_path / "one") == contents(tmp_path / "two")
    assert contents(tmp_path / "one")["train.csv"] != contents(tmp_path / "other")["train.csv"]
    few, many = ((folder / "train.csv").read_text() for folder in (tmp_path / "one", written))
    assert many.startswith(few)


def test_the_stand_in_is_a_csv_file_of_houses(written):
    assert set(contents(written)) == {"train.csv", "test.csv"}
    train, test = table(written / "train.csv"), table(written / "test.csv")
    assert tuple(train[0]) == houses.COLUMNS
    assert tuple(test[0]) == houses.COLUMNS[:-1]
    assert (len(train), len(test)) == (601, 201)
    assert {len(row) for row in train} == {81}
    assert {len(row) for row in test} == {80}
    assert [row[0] for row in (*train[1:], *test[1:])] == [str(i + 1) for i in range(800)]
    assert len({tuple(row[1:80]) for row in (*train[1:], *test[1:])}) == 800
    assert all(cell for row in train for cell in row)


def test_the_stand_in_has_what_makes_the_corpus_hard(written):
    """Missing numbers and words, and words that the training rows may lack."""
    read = read_table(written / "train.csv", Layout(), houses.COLUMNS)
    missing = {name for name in HousePrices.numeric if np.isnan(numbers(read, name)).any()}
    assert missing == {"LotFrontage", "GarageYrBlt"}
    assert "NA" in read.columns["PoolQC"]
    prices = np.array(read.columns["SalePrice"], dtype=float)
    assert 50_000 < np.median(prices) < 200_000
    assert prices.min() > 10_000
    assert prices.max() / prices.min() > 5


def test_a_straight_line_learns_the_stand_in():
    corpus = HousePrices(synthetic=True, logarithms=True)
    corpus.prepare_data()
    corpus.setup("fit")
    (features, targets), (held_out, wanted) = (
        [tensor.double() for tensor in corpus.data[split].tensors] for split in ("train", "val")
    )
    weights, bias = least_squares(features, targets, weight_decay=0.01)
    error = (held_out @ weights + bias - wanted).square().mean().sqrt()
    assert error < 0.4 * (wanted - targets.mean()).square().mean().sqrt()
    assert error < 0.12  # of which 0.09 is noise


def test_the_stand_in_is_written_once(tmp_path):
    (tmp_path / FOLDER).mkdir()
    houses.write(tmp_path / FOLDER)
    assert not contents(tmp_path / FOLDER)


def test_several_processes_leave_one_whole_folder(tmp_path):
    folder = tmp_path / "deep" / FOLDER
    context = multiprocessing.get_context("spawn")
    counts = {"num_train": 300, "num_test": 50}
    writers = [
        context.Process(target=houses.write, args=(folder,), kwargs=counts) for _ in range(3)
    ]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(60)
    assert [writer.exitcode for writer in writers] == [0, 0, 0]
    houses.write(tmp_path / "alone", **counts)
    assert contents(folder) == contents(tmp_path / "alone")
    assert {path.name for path in folder.parent.iterdir()} <= {FOLDER, f".{FOLDER}.lock"}


def test_a_stand_in_that_cannot_be_written_is_not_there(tmp_path, monkeypatch):
    write = houses._write_csv

    def full(path, *rows):
        if path.name == "test.csv":
            raise OSError(28, "No space left on device")
        write(path, *rows)

    monkeypatch.setattr(houses, "_write_csv", full)
    monkeypatch.setenv("ZOO_CACHE", str(tmp_path / "cache"))
    with one_line(CorpusError, match=r"No space left on device.*set ZOO_CACHE"):
        HousePrices(synthetic=True).prepare_data()
    assert not list(tmp_path.rglob("*.csv"))
    monkeypatch.undo()
    houses.write(tmp_path / FOLDER, num_train=3, num_test=2)
    assert len(table(tmp_path / FOLDER / "test.csv")) == 3


# The corpus


def test_columns_are_numbers_or_words():
    columns = (*HousePrices.numeric, *HousePrices.categorical)
    assert (len(HousePrices.numeric), len(HousePrices.categorical)) == (35, 44)
    assert sorted((*columns, "Id", "SalePrice")) == sorted(houses.COLUMNS)
    assert "MSSubClass" in HousePrices.categorical


def test_the_target_is_the_logarithm_of_the_price(here):
    corpus = HousePrices(root=here.parent, split_seed=None, num_folds=4, fold=3)
    corpus.setup("fit")
    prices = np.array([float(row[-1]) for row in table(here / "train.csv")[1:]])
    np.testing.assert_allclose(corpus.data["val"].tensors[1], np.log(prices[20:30]), rtol=1e-6)
    rest = np.log([*prices[:20], *prices[30:]])
    np.testing.assert_allclose(corpus.data["train"].tensors[1], rest, rtol=1e-6)
    assert corpus.target_mean == pytest.approx(rest.mean())
    assert corpus.target_std == pytest.approx(rest.std())


def test_a_plain_trainer_trains_it_and_the_checkpoint_is_plain_data(here, tmp_path):
    corpus = HousePrices(root=here.parent, logarithms=True)
    facts = {name: getattr(corpus, name) for name in ("in_features", "target_mean", "target_std")}
    trainer = quiet_trainer()
    trainer.fit(LinearRegression(**facts), corpus)
    trainer.save_checkpoint(tmp_path / "a.ckpt")
    state = torch.load(tmp_path / "a.ckpt", weights_only=True)["HousePrices"]
    assert state["arguments"] == {"batch_size": 64, "logarithms": True}
    assert Encoder.from_state(state["encoder"]) == corpus._encoder
    again = HousePrices(root=here.parent, **state["arguments"])
    again.load_state_dict(state)
    again.setup("fit")
    for tensor, before in zip(
        again.data["train"].tensors, corpus.data["train"].tensors, strict=True
    ):
        assert torch.equal(tensor, before)


def test_there_are_no_test_rows():
    with pytest.raises(CorpusError, match=r"House prices has no test rows.*zoo validate"):
        HousePrices(synthetic=True).setup("test")


# The command


def replaced(line: int, column: str, cell: str):
    """Puts a cell into the row on a line of train.csv."""

    def spoil(folder):
        rows = table(folder / "train.csv")
        rows[line - 1][rows[0].index(column)] = cell
        (folder / "train.csv").write_text("\n".join(",".join(row) for row in rows) + "\n")

    return spoil


def changed(old: bytes, new: bytes):
    def spoil(folder):
        content = (folder / "train.csv").read_bytes()
        assert old in content
        (folder / "train.csv").write_bytes(content.replace(old, new, 1))

    return spoil


def content(new: bytes):
    return lambda folder: (folder / "train.csv").write_bytes(new)


def headed(folder):
    lines = (folder / "train.csv").read_bytes().splitlines(keepends=True)
    (folder / "train.csv").write_bytes(lines[0])


BAD = {
    "empty": (content(b""), ": empty: there are no rows"),
    "header only": (headed, ": empty: there are no rows"),
    "short row": (
        changed(b"\n7,", b"\n6,1\n7,"),
        ", line 8: not 81 cells but 2: the row ends in column MSSubClass",
    ),
    "long row": (
        changed(b"\n7,", b",0\n7,"),
        ", line 7: not 81 cells but 82: the row goes on after column SalePrice",
    ),
    "text": (replaced(5, "LotArea", "large"), ", line 5, column LotArea: 'large' is not a number"),
    "after a quoted line break": (
        replaced(3, "LotArea", '"1\n2"\n'),
        ", line 3: not 81 cells but 5: the row ends in column LotArea",
    ),
    "nan": (replaced(41, "LotArea", "nan"), ", line 41, column LotArea: 'nan' is not a number"),
    "inf": (replaced(2, "PoolArea", "-inf"), ", line 2, column PoolArea: '-inf' is not a number"),
    "overflow": (replaced(2, "YrSold", "1e999"), ", line 2, column YrSold: '1e999' is not"),
    "price": (replaced(4, "SalePrice", "0"), ", line 4, column SalePrice: '0' is not a number ov"),
    "no price": (replaced(4, "SalePrice", "NA"), ", line 4, column SalePrice: 'NA' is not a numb"),
    "missing column": (changed(b"LotArea", b"Lot_Area"), ": the column LotArea is missing; there"),
    "doubled column": (changed(b"Alley", b"Street"), ": the column Street is there twice"),
    "not UTF-8": (changed(b"\n9,", b"\n\xff,"), ", line 10: not UTF-8 text"),
    "NUL": (changed(b"\n9,", b"\n\0,"), ", line 10: not text: there is a NUL byte"),
    "unclosed quote": (changed(b"\n9,", b'\n"9,'), ", line 10: not a table (unexpected end of"),
}


@pytest.mark.parametrize(("spoil", "words"), BAD.values(), ids=BAD)
def test_a_bad_file_gets_one_line(spoil, words, here, capsys):
    spoil(here)
    line = fails(capsys, *FIT, "--data.root", "here")
    assert line.startswith(f"zoo: here/{FOLDER}/train.csv{words}")


def test_a_right_file_is_trained_on(here, capsys):
    assert main([*FIT, "--data.root", "here"]) == 0
    assert "House prices, 36 train + 4 val rows" in capsys.readouterr().out


@pytest.mark.parametrize("instead", ["nothing", "a folder"])
def test_offline_and_absent_names_files_and_both_ways_out(instead, here, capsys, monkeypatch):
    files = [
        type(file)(file.name, ("http://127.0.0.1:9/x",), file.sha256, file.size)
        for file in HousePrices.files
    ]
    monkeypatch.setattr(HousePrices, "files", tuple(files))
    for name in contents(here):
        (here / name).unlink()
        if instead == "a folder":
            (here / name).mkdir()
    assert main([*FIT, "--data.root", "here"]) == 2
    line = capsys.readouterr().err
    assert line.count("\n") == 1
    assert line.startswith("zoo: House prices is not under here and could not be downloaded")
    assert f"wanted in here/{FOLDER}: train.csv, test.csv" in line
    assert "zoo prepare HousePrices --from" in line
    assert "--data.synthetic true" in line
    assert not Path("runs").exists()


def test_training_takes_no_more_than_the_rows_with_prices(here, capsys):
    (here / "test.csv").unlink()
    assert main([*FIT, "--data.root", "here"]) == 0
    assert "36 train + 4 val rows" in capsys.readouterr().out


def test_more_folds_than_rows(capsys):
    argv = ["cross-validate", RECIPE, "--data.synthetic", "true", "--folds"]
    line = fails(capsys, *argv, "5000")
    assert "House prices: 5,000 folds of 600 rows: choose at most as many folds as there" in line
    assert "num_folds must be at least 2, not 1" in fails(capsys, *argv, "1")


def test_cross_validation_measures_every_row_once(here, capsys):
    options = ["--data.root", "here", "--trainer.max_epochs", "1", "--trainer.accelerator", "cpu"]
    assert main(["cross-validate", RECIPE, *options, "--folds", "2"]) == 0
    kept = json.loads(Path(f"runs/{RECIPE}/1/cross_validation.json").read_text())
    assert len({fold["val/rmse"] for fold in kept["folds"]}) == 2
    assert kept["synthetic"] is False


@pytest.mark.parametrize("name", ["HousePrices", "houseprices"])
def test_prepare_writes_the_stand_in(name, capsys):
    assert main(["prepare", name, "--synthetic"]) == 0
    out = capsys.readouterr().out
    assert "House prices, synthetic stand-in, 540 train + 60 val rows: ready in" in out


def test_prepare_reads_what_is_there(here, capsys):
    assert main(["prepare", "HousePrices", "--root", "here"]) == 0
    assert "House prices, 36 train + 4 val rows: ready in here" in capsys.readouterr().out
    (here / "train.csv").write_text("Id\n1\n")
    line = fails(capsys, "prepare", "HousePrices", "--root", "here")
    assert line.startswith("zoo: here/kaggle_house/train.csv: the column LotFrontage is missing")
    line = fails(capsys, "prepare", "HousePrices", "--root", "new", "--from", "here")
    assert "here holds none of train.csv, test.csv" in line
    line = fails(capsys, "prepare", "HousePrices", "--root", "new", "--from", f"here/{FOLDER}")
    assert f"here/{FOLDER}/train.csv: not train.csv: its sha256 is" in line
    assert "cannot be imported" in fails(capsys, "prepare", "datamodules.house_prices.Houses")


def test_predict_fills_in_the_rows_without_prices(trained, capsys):
    assert main(["predict", "--ckpt_path", trained]) == 0
    assert "written: predictions/submission-1.csv" in capsys.readouterr().out
    header, *rows = table(Path("predictions/submission-1.csv"))
    assert header == ["Id", "SalePrice"]
    assert [row[0] for row in rows] == [str(i) for i in range(601, 801)]
    prices = np.array([float(price) for _, price in rows])
    assert np.isfinite(prices).all()
    assert prices.min() > 1000
    assert len(set(prices)) > 190
    assert main(["predict", "--ckpt_path", trained, "--output", "mine.csv"]) == 0
    assert table(Path("mine.csv"))[1:] == rows


def test_predictions_are_those_of_the_model(trained, written):
    """The same numbers by another way: the corpus's own rows through the module."""
    import zoo

    assert main(["predict", "--ckpt_path", trained, str(written / "train.csv"),
                 "--output", "own.csv"]) == 0  # fmt: skip
    corpus = HousePrices(synthetic=True, split_seed=None)
    features, logs = corpus.rows(torch.arange(600)).tensors
    with torch.no_grad():
        wanted = zoo.load(trained).predict_step((features, None), 0).exp()
    prices = torch.tensor([float(price) for _, price in table(Path("own.csv"))[1:]])
    torch.testing.assert_close(prices, wanted, rtol=1e-5, atol=0)
    error = (prices.log() - logs).square().mean().sqrt()
    assert error < 0.8 * logs.std()


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        (r"(?s).*", "", ": empty: there are no rows"),
        (r"(?s)\n.*", "\n", ": empty: there are no rows"),
        (r"^Id,", "Number,", ": the column Id is missing; there are: Number, MSSubClass,"),
        (r"YrSold", "Year", ": the column YrSold is missing; there are: Id, MSSubClass,"),
        (r"\n605,(\w+),(\w+),", r"\n605,\1,\2,wide", ", line 6, column LotFrontage: 'wide"),
        (r"\n$", "\n1,2\n", ", line 12: not 80 cells but 2: the row ends in column MSSubClass"),
        (r"\n602,", "\n\0,", ", line 3: not text: there is a NUL byte"),
    ],
)
def test_predict_names_what_is_no_table_of_houses(old, new, words, trained, here, capsys):
    text = (here / "test.csv").read_text()
    bad, count = re.subn(old, new, text, count=1)
    assert count == 1
    Path("bad.csv").write_text(bad)
    line = fails(capsys, "predict", "--ckpt_path", trained, str(here / "test.csv"), "bad.csv")
    assert line.startswith(f"zoo: bad.csv{words}")


def test_a_prediction_that_is_not_finite_is_refused(trained, here, capsys):
    header, first, *_ = (here / "test.csv").read_text().splitlines()
    cells = dict(zip(header.split(","), first.split(","), strict=True)) | {"LotArea": "1e30"}
    Path("bad.csv").write_text(f"{header}\n{','.join(cells.values())}\n")
    line = fails(capsys, "predict", "--ckpt_path", trained, "bad.csv")
    assert f"row {cells['Id']}: no finite prediction" in line


def test_predict_names_what_is_not_there(trained, capsys):
    line = fails(capsys, "predict", "--ckpt_path", trained, "absent.csv")
    assert line.startswith("zoo: absent.csv: cannot be read (No such file")
    line = fails(capsys, "predict", "--ckpt_path", trained, ".")
    assert line == "zoo: .: cannot be read (Is a directory)"


# The real files


@pytest.mark.real
def test_the_real_files_are_what_the_stand_in_imitates(real_data):
    folder = real_data / FOLDER
    train = read_table(folder / "train.csv", Layout(), houses.COLUMNS)
    test = read_table(folder / "test.csv", Layout(), houses.COLUMNS[:-1])
    assert tuple(train.columns) == houses.COLUMNS
    assert tuple(test.columns) == houses.COLUMNS[:-1]
    assert (len(train), len(test)) == (1460, 1459)
    for read in (train, test):
        for name in HousePrices.numeric:
            assert np.isfinite(numbers(read, name)).mean() > 0.8, name
    for name in set(HousePrices.categorical) - {"MSSubClass"}:
        with pytest.raises(CorpusError, match="is not a number"):
            numbers(train, name)
    assert train.lines == list(range(2, 1462))


@pytest.mark.real
def test_the_real_corpus_is_whole(real_data):
    corpus = HousePrices(root=real_data, split_seed=None, validation_fraction=0)
    corpus.setup("fit")
    features, logs = corpus.data["train"].tensors
    assert features.shape == (1460, corpus.in_features)
    assert features.isfinite().all()
    numeric = features[:, :35]
    torch.testing.assert_close(numeric.mean(0), torch.zeros(35), rtol=0, atol=1e-5)
    assert (numeric.square().mean(0) < 1 + 1e-4).all()
    assert (features[:, 35:].sum(1) == 44).all()
    prices = logs.double().exp()
    assert prices.median().item() == pytest.approx(163_000, rel=1e-5)
    assert prices.min().item() == pytest.approx(34_900, rel=1e-5)
    assert prices.max().item() == pytest.approx(755_000, rel=1e-5)
    (path,) = corpus.files_to_predict()
    assert corpus._encoder(read_table(path, Layout(), [])).isfinite().all()


@pytest.mark.real
def test_real_folds_are_contiguous(real_data):
    for fold in range(1, 6):
        corpus = HousePrices(root=real_data, split_seed=None, fold=fold, logarithms=fold == 1)
        corpus.setup("fit")
        held_out = corpus._division[1].tolist()
        assert held_out == list(range(292 * (fold - 1), 292 * fold))
        assert [len(rows) for rows in corpus.data.values()] == [1168, 292]
        for rows in corpus.data.values():
            assert rows.tensors[0].isfinite().all()


@pytest.mark.real
def test_a_straight_line_learns_the_real_corpus(real_data):
    corpus = HousePrices(root=real_data, logarithms=True)
    corpus.setup("fit")
    (features, targets), (held_out, wanted) = (
        [tensor.double() for tensor in corpus.data[split].tensors] for split in ("train", "val")
    )
    weights, bias = least_squares(features, targets, weight_decay=0.01)
    assert (held_out @ weights + bias - wanted).square().mean().sqrt() < 0.13


@pytest.mark.real
def test_prepare_takes_over_files_fetched_by_hand(real_data, capsys):
    argv = ["prepare", "HousePrices", "--from", str(real_data / FOLDER), "--root", "root"]
    assert main(argv) == 0
    out = capsys.readouterr().out
    assert out.count("verified: ") == 2
    assert "House prices, 1,314 train + 146 val rows: ready in root" in out
    shutil.rmtree("root")


@pytest.mark.real
def test_a_real_submission_is_what_kaggle_takes(real_data):
    assert main([*FIT, "--data.root", str(real_data)]) == 0
    path = f"runs/{RECIPE}/1/checkpoints/best.ckpt"
    assert main(["predict", "--ckpt_path", path, "--data.root", str(real_data)]) == 0
    header, *rows = table(Path("predictions/submission-1.csv"))
    sample, *others = table(real_data / FOLDER / "sample_submission.csv")
    assert header == sample
    assert [row[0] for row in rows] == [row[0] for row in others]
    assert all(1000 < float(price) < math.inf for _, price in rows)
