"""predict, for every task: all predictions as rows of a file, or in a folder, as was asked."""

import csv
import io
import json
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image
from rich.cells import cell_len

from tests.conftest import fails
from zoo.checkpoints.checkpoint import read
from zoo.cli.main import main
from zoo.cli.report import ends, shortened

TEXT = "--text=a fine film"
ASKED = {  # of a checkpoint: what it is asked, names of its rows, and how many there are
    "LeNet": (["pictures"], ["file", "label", "probability"], 60),
    "TinySSD": (["pictures/1.png", "pictures/2.png", "--score", "0"], ["file", "image_id"], None),
    "MLPRegressor": ([], ["Id", "SalePrice"], None),
    "BidirectionalRNN": ([TEXT], ["text", "label", "probability"], 1),
    "Seq2Seq": (["--text=I won !", "--n_best=2"], ["text", "translation", "score"], 2),
    "GRU": (["--prompt=time", "--length=3"], ["prompt", "continuation", "text"], 1),
    "BidirectionalTagger": (["--prompt=time traveller"], ["prompt", "text"], 1),
    "FastText": (["--nearest=lantern", "--top=3"], ["query", "word", "cosine"], 3),
}


@pytest.fixture
def pictures() -> Path:
    folder = Path("pictures")
    folder.mkdir()
    rng = np.random.default_rng(0)
    for number in range(60):
        pixels = rng.integers(0, 256, (32, 32, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{number}.png")
    return folder


def rows_of(path: Path) -> list[dict]:
    if path.suffix == ".csv":
        with path.open() as file:
            return list(csv.DictReader(file))
    if path.suffix == ".json":
        return json.loads(path.read_text())
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.mark.parametrize("name", ASKED)
def test_every_task_writes_its_rows_as_the_ending_says(checkpoint, pictures, capsys, name):
    asked, names, number = ASKED[name]
    ask = ["predict", *asked, "--ckpt_path", str(checkpoint(name)), "--output"]
    found = {}
    for ending in (".csv", ".json", ".jsonl"):
        path = Path(f"new/rows{ending}")
        assert main([*ask, str(path)]) == 0
        assert f"written: {path}\n" in capsys.readouterr().out
        found[ending] = rows_of(path)
    table = found[".csv"]
    assert list(table[0])[: len(names)] == names
    assert number is None or len(table) == number
    assert len(table) == len(found[".jsonl"]) == len(found[".json"])
    last = found[".jsonl"][-1]
    for key in names:
        same = table[-1][key]
        assert float(same) == last[key] if isinstance(last[key], float) else same == str(last[key])
    if name != "TinySSD":  # whose JSON is COCO's list
        assert found[".json"] == found[".jsonl"]
    assert main([*ask, "folder"]) == 0
    assert any(path.suffix in (".csv", ".txt") for path in Path("folder").iterdir())


def test_of_many_pictures_all_are_written_and_the_first_are_drawn(checkpoint, pictures, capsys):
    ask = ["predict", "pictures", "--ckpt_path", str(checkpoint("LeNet"))]
    assert main(ask) == 0
    out = capsys.readouterr().out
    assert out.endswith("written: predictions/1.png and predictions/1.csv\n")
    assert "predictions/1.png shows the first 48 pictures" in out
    assert "12 more" in out
    assert [f"pictures/{number}.png" in out for number in (0, 23, 24, 35, 36, 59)] == [
        *(True, True, False, False, True, True),
    ]
    rows = rows_of(Path("predictions/1.csv"))
    assert [row["file"] for row in rows] == [f"pictures/{number}.png" for number in range(60)]
    for row in rows[:3]:
        shares = {key[2:-1]: float(value) for key, value in row.items() if key.startswith("p(")}
        assert sum(shares.values()) == pytest.approx(1, abs=1e-4)
        assert max(shares, key=shares.get) == row["label"]
        assert shares[row["label"]] == float(row["probability"])


def test_a_picture_and_rows_alone_or_both(checkpoint, pictures):
    ask = ["predict", "pictures/1.png", "--ckpt_path", str(checkpoint("LeNet"))]
    assert main([*ask, "--output", "only.png"]) == 0
    assert Image.open("only.png").format == "PNG"
    assert not Path("only.csv").exists()
    assert main([*ask, "--output", "both"]) == 0
    assert {path.name for path in Path("both").iterdir()} == {"predictions.csv", "predictions.png"}


@pytest.mark.parametrize(
    ("name", "inputs", "ending", "wanted"),
    [
        ("LeNet", ["pictures"], "xlsx", "a file that ends with .csv, .json, .jsonl or .png"),
        ("TinySSD", ["pictures"], "png", "a file that ends with .csv, .json or .jsonl"),
        ("GRU", ["--prompt=time"], "parquet", ".csv, .json, .jsonl or .txt"),
        ("DCGAN", ["--num=2"], "gif", ".png, .csv, .json or .jsonl"),
        ("DCGAN", ["--num=2"], "csv", "pictures are no rows: ask for FILE.png, or for a folder"),
        ("FastStyle", ["pictures/1.png"], "csv", "into a folder or a file that ends with .png"),
        ("FastStyle", ["pictures/1.png", "pictures/2.png"], "png", "pictures go into a folder"),
    ],
)
def test_other_endings_are_refused(checkpoint, pictures, capsys, name, inputs, ending, wanted):
    ask = ["predict", *inputs, "--ckpt_path", str(checkpoint(name)), "--output", f"out.{ending}"]
    line = fails(capsys, *ask)
    assert f"out.{ending}" in line
    assert wanted in line


def test_a_generator_writes_its_pictures_one_by_one_into_a_folder(checkpoint, capsys):
    ask = ["predict", "--ckpt_path", str(checkpoint("DCGAN")), "--num", "11", "--output", "made"]
    assert main(ask) == 0
    names = {path.name for path in Path("made").iterdir()}
    assert names == {*(f"{number:02}.png" for number in range(11)), "predictions.png"}
    shapes = {Image.open(f"made/{number:02}.png").size for number in range(11)}
    assert len(shapes) == 1


def test_boxes_are_those_that_score_enough(checkpoint, pictures):
    ask = ["predict", "pictures/1.png", "--ckpt_path", str(checkpoint("TinySSD")), "--output"]
    assert main([*ask, "all.csv"]) == 0
    scores = [float(row["score"]) for row in rows_of(Path("all.csv"))]
    least = sum(scores) / len(scores)
    assert main([*ask, "some.csv", "--score", str(least)]) == 0
    some = [float(row["score"]) for row in rows_of(Path("some.csv"))]
    assert 0 < len(some) < len(scores)
    assert some == [score for score in scores if score >= least]
    assert main([*ask, "none.json", "--score", "1"]) == 0
    assert rows_of(Path("none.json")) == []


@pytest.mark.parametrize("score", ["-0.1", "1.5", "nan"])
def test_a_score_is_a_share(checkpoint, pictures, capsys, score):
    ask = ["predict", "pictures/1.png", "--ckpt_path", str(checkpoint("TinySSD"))]
    assert f"score is {score}" in fails(capsys, *ask, f"--score={score}")


@pytest.mark.parametrize(
    ("name", "inputs", "output"),
    [
        ("TinySSD", "pictures/1.png", "pictures"),
        ("TinySSD", "pictures", "pictures"),
        ("FastStyle", "pictures", "pictures/"),
        ("FastStyle", "pictures/1.png", "pictures/1.png"),
        ("LeNet", "pictures/0.png", "pictures/../pictures/0.png"),
    ],
)
def test_nothing_that_is_predicted_is_written_over(
    checkpoint, pictures, capsys, name, inputs, output
):
    before = {path: path.read_bytes() for path in pictures.iterdir()}
    line = fails(
        capsys, "predict", inputs, "--ckpt_path", str(checkpoint(name)), "--output", output
    )
    assert "is predicted, and would be written over" in line
    assert {path: path.read_bytes() for path in pictures.iterdir()} == before


def test_a_folder_has_a_slash_or_no_ending(checkpoint, pictures, capsys):
    ask = ["predict", "pictures/1.png", "--ckpt_path", str(checkpoint("LeNet")), "--output"]
    assert main([*ask, "results/2024.12.01/"]) == 0
    assert Path("results/2024.12.01/predictions.csv").is_file()
    assert main([*ask, "results/2024.12.01"]) == 0  # it is there now
    Path("plain").write_text("mine")
    assert "plain is a file without an ending" in fails(capsys, *ask, "plain")
    assert "write a file, and upload it" in fails(capsys, *ask, "s3://bucket/a.csv")
    fails(capsys, *ask, "v1.5")
    for text in ("", "-", ".csv"):
        assert "wanted the name of a file or a folder" in fails(
            capsys, *ask[:-1], f"--output={text}"
        )


def test_a_table_without_boxes_has_its_header(checkpoint, pictures):
    ask = ["predict", "pictures/1.png", "--ckpt_path", str(checkpoint("TinySSD"))]
    assert main([*ask, "--score", "1", "--output", "none.csv"]) == 0
    assert Path("none.csv").read_text().startswith("file,image_id,label")


def test_a_list_of_other_predictions_gives_no_ids(checkpoint, pictures):
    for folder in ("p1", "p2"):
        Path(folder).mkdir()
        (Path(folder) / "a.png").write_bytes((pictures / "1.png").read_bytes())
    (Path("p2") / "b.png").write_bytes((pictures / "2.png").read_bytes())
    ask = ["predict", "--ckpt_path", str(checkpoint("TinySSD")), "--score", "0", "--output"]
    assert main([*ask, "first.json", "p2/b.png", "p2/a.png"]) == 0
    assert main([*ask, "second.json", "p1/a.png"]) == 0
    assert {row["image_id"] for row in rows_of(Path("second.json"))} == {1}
    assert Path("second-images.json").is_file()


@pytest.mark.parametrize("name", ["LeNet", "BidirectionalRNN"])
def test_what_is_no_number_is_refused(checkpoint, pictures, capsys, name):
    held = read(checkpoint(name))
    for value in held["state_dict"].values():
        if value.is_floating_point():
            value.fill_(float("nan"))
    torch.save(held, "nan.ckpt")
    given = ["pictures/1.png"] if name == "LeNet" else [TEXT]
    ask = ["predict", *given, "--ckpt_path", "nan.ckpt", "--output", "a.json"]
    assert "a probability is not a number" in fails(capsys, *ask)


# Inputs


@pytest.mark.parametrize("name", ["LeNet", "TinySSD", "FastStyle"])
def test_a_picture_comes_by_standard_input(checkpoint, pictures, capsys, monkeypatch, name):
    content = io.BytesIO((pictures / "3.png").read_bytes())
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=content))
    ask = ["predict", "-", "pictures/3.png", "--ckpt_path", str(checkpoint(name))]
    assert main([*ask, "--output", "out"]) == 0
    if name == "LeNet":
        first, second = rows_of(Path("out/predictions.csv"))
        assert (first.pop("file"), second.pop("file")) == ("-", "pictures/3.png")
        assert first == second
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(b"no picture")))
    line = fails(capsys, "predict", "-", *ask[3:])
    assert "zoo: -: not a picture" in line


def test_standard_input_has_its_name_in_every_task(checkpoint, capsys, monkeypatch):
    for name in ("BidirectionalRNN", "MLPRegressor"):
        content = io.BytesIO(b"a fine film")
        monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=content))
        code = main(["predict", "-", "--ckpt_path", str(checkpoint(name)), "--output", "a.json"])
        said = capsys.readouterr()
        assert "/stdin" not in said.out + said.err
        assert code == (0 if name == "BidirectionalRNN" else 2)
    assert rows_of(Path("a.json"))[0]["file"] == "-"


@pytest.mark.parametrize("address", ["https://x.org/a.png", "s3://b/a.png", "HTTP://x/a"])
def test_addresses_are_refused_in_words(checkpoint, capsys, address):
    line = fails(capsys, "predict", address, "--ckpt_path", str(checkpoint("LeNet")))
    assert f"{address} is an address: download it first" in line
    ask = ["--ckpt_path", str(checkpoint("BidirectionalRNN")), "--file", address]
    assert "is an address" in fails(capsys, "predict", *ask)
    assert "is an address" in fails(capsys, "predict", "a.png", "--ckpt_path", address)
    assert "is an address" in fails(capsys, "fit", "--config", address)
    own = ["fit", "--model", "LeNet", "--data"]
    assert "is an address" in fails(capsys, *own, "PictureFolder", f"--data.path={address}")
    assert "is an address" in fails(capsys, *own, address)


# What fits on a screen


@pytest.mark.parametrize("width", [2, 3, 5, 10, 16, 27])
def test_a_path_that_is_too_long_loses_its_middle(width):
    path = "photographs/of/a/very/long/journey/0123.png"
    assert shortened(path, len(path)) == path
    cut = shortened(path, width)
    assert cell_len(cut) <= width
    head, _, tail = cut.partition("…")
    assert path.startswith(head)
    assert path.endswith(tail)
    assert width < 10 or tail.endswith(".png")


def test_wide_letters_take_two_cells():
    path = "写真/" * 9 + "猫.png"
    for width in range(3, 40):
        assert cell_len(shortened(path, width)) <= width
    assert shortened(path, 12).endswith("猫.png")


def test_of_many_rows_the_ends_are_shown():
    assert ends([1, 2, 3], 4) == [1, 2, 3]
    assert ends(list(range(9)), 4) == [0, 1, None, 7, 8]
