"""Pictures of one's own: folders, zips and lists, what is wrong with them, and from Python."""

import json
import shutil
import zipfile
from pathlib import Path

import pytest
import torch

from datamodules import PictureFolder
from datamodules.files.errors import CorpusError
from tests.conftest import fails, quiet_trainer, refused
from tests.corpora.conftest import encoded, prepared
from zoo.cli.main import main
from zoo.image_classification.softmax_regression import SoftmaxRegression

SMALL = {"size": 8, "batch_size": 4}


def write(root: Path, *names: str) -> Path:
    for seed, name in enumerate(names):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(encoded(seed=seed))
    return root


def classes(counts: dict[str, int], start: str = "") -> list[str]:
    return [f"{start}{name}/{n}.png" for name, count in counts.items() for n in range(count)]


def zipped(root: Path, path: Path) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted(root.rglob("*.png")):
            archive.write(file, file.relative_to(root))
    return path


def sizes(corpus) -> dict[str, list[int]]:
    """The number of rows of each class, of each split."""
    found = prepared(corpus).data
    return {
        split: rows.tensors[1].bincount(minlength=corpus.num_classes).tolist()
        for split, rows in found.items()
    }


# Folders


def test_a_folder_a_class(tmp_path):
    write(tmp_path, *classes({"dog": 20, "cat": 40}))
    corpus = PictureFolder(path=tmp_path, **SMALL)
    assert sizes(corpus) == {"train": [36, 18], "val": [4, 2]}
    assert (corpus.labels, corpus.num_classes, corpus.image_size) == (("cat", "dog"), 2, 8)
    assert corpus.described == f"Picture folder {tmp_path.name}, 54 train + 6 val rows"


@pytest.mark.parametrize("names", [("train", "val", "test"), ("Training", "valid", "testing")])
def test_parts_have_folders(names, tmp_path):
    for part, count in zip(names, (6, 2, 3), strict=True):
        write(tmp_path, *classes({"cat": count, "dog": count}, f"{part}/"))
    assert sizes(PictureFolder(path=tmp_path, **SMALL)) == {
        "train": [6, 6],
        "val": [2, 2],
        "test": [3, 3],
    }
    folds = PictureFolder(path=tmp_path, fold=1, num_folds=3, **SMALL)
    assert sizes(folds)["val"] == [2, 2]
    assert sizes(folds)["train"] == [4, 4]


@pytest.mark.parametrize("start", ["", "pets/", "a/b/"])
@pytest.mark.parametrize("part", ["", "train/"])
@pytest.mark.parametrize("below", ["", "2024/"])
def test_zips_and_folders_around_are_looked_through(start, part, below, tmp_path):
    names = [f"{start}{part}{name}/{below}{n}.png" for name in ("cat", "dog") for n in range(10)]
    write(tmp_path / "made", *names, *["__MACOSX/cat/._1.png"][: bool(start)])
    for path in (tmp_path / "made", zipped(tmp_path / "made", tmp_path / "made.zip")):
        corpus = PictureFolder(path=path, **SMALL)
        assert corpus.labels == ("cat", "dog")
        assert sizes(corpus)["train"] == [9, 9]


def test_imbalance_is_said(tmp_path):
    write(tmp_path, *classes({"dog": 2, "cat": 12, "cow": 4}))
    described = prepared(PictureFolder(path=tmp_path, **SMALL)).described
    assert described.endswith("; from 2 (dog) to 12 (cat) a class")


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (["1.png", "cat/2.png"], "1.png: it lies in no folder of a class; wanted "),
        (["train/1.png", "train/cat/2.png"], "train/1.png: it lies in no folder of a class"),
        (classes({"cat": 3}), "two classes are needed, and cat is one"),
        (
            [*classes({"cat": 3, "dog": 3}, "train/"), "test/cow/1.png"],
            "train has no pictures of cow",
        ),
        (
            [*classes({"cat": 3, "dog": 3}, "train/"), "more/cow/1.png"],
            "in none of the folders train",
        ),
        (["notes/a.txt"], "there are no pictures in it"),
        (classes({"cat": 3, "dog": 3}, "test/"), "there are no pictures of train"),
    ],
)
def test_other_folders_are_refused(names, said, tmp_path):
    write(tmp_path, *names)
    assert said in refused(prepared, PictureFolder(path=tmp_path, **SMALL))


def test_other_files_are_refused(tmp_path):
    (tmp_path / "a.txt").write_text("a")
    assert "a.txt: wanted a folder or a file in .zip, .csv" in refused(
        prepared, PictureFolder(path=tmp_path / "a.txt", **SMALL)
    )
    assert "nowhere: there is no such file" in refused(
        prepared, PictureFolder(path=tmp_path / "nowhere", **SMALL)
    )
    assert "name it by --data.path" in refused(prepared, PictureFolder(**SMALL))


# Lists


def rows(head=("file", "label"), folder="", ending=".png"):
    """A list of ten pictures each of two classes, which lie in `all/`."""
    return [
        {head[0]: f"{folder}{name}{n}{ending}", head[1]: name}
        for name in ("cat", "dog")
        for n in range(10)
    ]


def write_list(path: Path, entries: list[dict]) -> Path:
    if path.suffix == ".jsonl":
        text = "\n".join(map(json.dumps, entries)) + "\n"
    elif path.suffix == ".json":
        text = json.dumps(entries)
    else:
        mark = "\t" if path.suffix == ".tsv" else ","
        text = "\n".join(mark.join(row) for row in [entries[0], *(row.values() for row in entries)])
    path.write_text(text)
    return path


@pytest.fixture
def listed(tmp_path):
    write(tmp_path, *(f"all/{name}{n}.png" for name in ("cat", "dog") for n in range(10)))
    return tmp_path


@pytest.mark.parametrize("ending", [".csv", ".tsv", ".json", ".jsonl"])
@pytest.mark.parametrize(
    ("folder", "picture"), [("all/", ".png"), ("", ".png"), ("", ""), ("D:\\old\\", ".png")]
)
def test_a_list_of_files_and_labels(ending, folder, picture, listed):
    path = write_list(listed / f"list{ending}", rows(folder=folder, ending=picture))
    corpus = PictureFolder(path=path, **SMALL)
    assert sizes(corpus) == {"train": [9, 9], "val": [1, 1]}
    by_folder = {p.name: label for p, label in zip(*corpus.pictures("train"), strict=True)}
    assert all(corpus.labels[label] == name[:3] for name, label in by_folder.items())


def test_a_json_object_of_files(listed):
    content = {f"all/{name}{n}.png": name for name in ("cat", "dog") for n in range(10)}
    (listed / "a.json").write_text(json.dumps(content))
    assert sizes(PictureFolder(path=listed / "a.json", **SMALL))["val"] == [1, 1]


def test_pictures_lie_elsewhere_and_in_zips(listed, tmp_path):
    path = tmp_path / "lists" / "a.csv"
    path.parent.mkdir()
    write_list(path, rows(folder="all/"))
    archive = zipped(listed, tmp_path / "pictures.zip")
    shutil.rmtree(listed / "all")
    corpus = PictureFolder(path=path, pictures=archive, **SMALL)
    assert sizes(corpus)["train"] == [9, 9]


def test_columns_and_parts_of_a_list(listed):
    entries = [{"n": "1", **row, "w": "2"} for row in rows(("where", "what"), "all/")]
    path = write_list(listed / "a.csv", entries)
    assert "which of its columns is meant? --data.file_column" in refused(
        prepared, PictureFolder(path=path, **SMALL)
    )
    columns = {"file_column": "where", "label_column": "what"}
    assert sizes(PictureFolder(path=path, **columns, **SMALL))["val"] == [1, 1]
    assert "no column 'x'; there are: n, where, what, w" in refused(
        prepared, PictureFolder(path=path, file_column="x", **SMALL)
    )
    parts = ["train"] * 6 + ["valid"] * 2 + ["test"] * 2
    entries = [{**row, "split": parts[n % 10]} for n, row in enumerate(rows(folder="all/"))]
    path = write_list(listed / "b.csv", entries)
    assert sizes(PictureFolder(path=path, **SMALL)) == {
        "train": [6, 6],
        "val": [2, 2],
        "test": [2, 2],
    }


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (
            {"file": "cat1.png", "label": "cat|dog"},
            "line 2: several labels, 'cat|dog': a picture has",
        ),
        ({"file": "cat1.png", "label": ["cat", "dog"]}, "row 1: several labels, ['cat', 'dog']"),
        ({"file": "dog1.png", "label": "cat"}, "as 'cat' too: a picture has one class here"),
        ({"file": "dog1.png", "label": "dog"}, "dog1.png is in line 2 already, twice"),
        ({"file": "none.png", "label": "cat"}, "line 2: there is no picture 'none.png' in"),
        ({"file": "", "label": "cat"}, "line 2: it names no file"),
        ({"file": "cat1.png", "label": " "}, "is no label"),
        ({"file": "cat1.png", "label": 0.5}, "0.5 is no label"),
        ({"file": "cat1.png", "label": "cat", "split": "x"}, "split is 'x'; wanted train, val or"),
    ],
)
def test_a_wrong_row_is_named(row, said, listed):
    others = [{**each, "split": "train"} if "split" in row else each for each in rows()]
    others = [each for each in others if each["file"] != "cat1.png"]
    texts = all(isinstance(value, str) for value in row.values())
    path = write_list(listed / ("a.csv" if texts else "a.json"), [row, *others])
    message = refused(prepared, PictureFolder(path=path, **SMALL))
    assert said in message
    assert path.name in message


def test_labels_that_are_several_and_a_list_without_names_of_its_columns(listed):
    entries = rows()
    entries[3]["label"] = '"cat,dog"'
    path = write_list(listed / "a.csv", entries)
    message = refused(prepared, PictureFolder(path=path, **SMALL))
    assert "a.csv, line 5: several labels, 'cat,dog': a picture has one class here" in message
    text = write_list(listed / "b.csv", rows()).read_text()
    Path(listed / "b.csv").write_text(text.partition("\n")[2])
    message = refused(prepared, PictureFolder(path=listed / "b.csv", **SMALL))
    assert "its first line has to name the columns (file,label), not cat0.png" in message


@pytest.mark.parametrize("start", ["C:\\x\\all\\", "/home/o/all/", "ALL/"])
def test_paths_of_other_machines_are_found_by_their_ends(listed, start):
    write(listed, *(f"other/{name}{n}.png" for name in ("cat", "dog") for n in range(10)))
    path = write_list(listed / "a.csv", rows(folder=start, ending=".PNG"))
    assert sizes(PictureFolder(path=path, **SMALL)) == {"train": [9, 9], "val": [1, 1]}


def test_a_name_that_two_pictures_have(listed):
    write(listed, "more/cat1.png")
    path = write_list(listed / "a.csv", rows())
    message = refused(prepared, PictureFolder(path=path, **SMALL))
    assert "line 3: there are " in message
    assert "for 'cat1.png'" in message


# Training, resuming, testing, predicting


def test_a_part_of_the_classes_is_tested_as_they_were_trained(tmp_path):
    write(tmp_path / "all", *classes({"ant": 10, "bee": 10, "cow": 10}))
    model = SoftmaxRegression(192, 3)
    trainer = quiet_trainer(max_epochs=1)
    trainer.fit(model, PictureFolder(path=tmp_path / "all", **SMALL))
    trainer.save_checkpoint(tmp_path / "a.ckpt")
    write(tmp_path / "some", *classes({"bee": 2, "cow": 3}, "test/"))
    corpus = PictureFolder(path=tmp_path / "some", **SMALL)
    quiet_trainer().test(model, corpus, ckpt_path=tmp_path / "a.ckpt", verbose=False)
    assert corpus.labels == ("ant", "bee", "cow")
    assert corpus.data["test"].tensors[1].tolist() == [1, 1, 2, 2, 2]
    write(tmp_path / "other", *classes({"bee": 2, "elk": 3}, "test/"))
    other = PictureFolder(path=tmp_path / "other", **SMALL)
    with pytest.raises(Exception, match="was trained on the classes ant, bee, cow"):
        quiet_trainer().test(model, other, ckpt_path=tmp_path / "a.ckpt", verbose=False)
    with pytest.raises(CorpusError, match="ant, bee, cow; Picture folder other has elk as well"):
        other.complete({"labels": ["ant", "bee", "cow"]})


def test_from_nothing_to_predictions(tmp_path, capsys):
    write(Path("pets"), *classes({"dog": 10, "cat": 10}))
    trained = ["--model", "MLP", "--data", "PictureFolder", "--data.path", "pets"]
    assert main(["fit", *trained, "--data.size", "8", "--trainer.max_epochs", "1"]) == 0
    printed = capsys.readouterr().out
    (line,) = [line for line in printed.splitlines() if "zoo validate" in line]
    words = line.partition("zoo ")[2].split()
    assert main(words) == 0
    assert main(["predict", "pets/cat", *words[1:3]]) == 0
    assert "pets/cat/0.png" in capsys.readouterr().out


def test_a_folder_that_is_not_there(capsys):
    options = ["--model", "MLP", "--data", "PictureFolder"]
    assert "nowhere: there is no such" in fails(capsys, "fit", *options, "--data.path", "nowhere")


def test_the_rows_of_each_class_are_held_out_in_turn(tmp_path):
    write(tmp_path, *classes({"cat": 9, "dog": 6}))
    held = []
    for fold in (1, 2, 3):
        corpus = PictureFolder(path=tmp_path, fold=fold, num_folds=3, **SMALL)
        assert sizes(corpus)["val"] == [3, 2]
        held.append(corpus.divided(corpus.pictures("train")[1])[1])
    assert torch.cat(held).sort().values.tolist() == list(range(15))
