"""Bananas: folder and zip, and what is wrong in them."""

import zipfile

import pytest
import torch

from datamodules import Bananas
from datamodules.batches.in_memory import Rows
from datamodules.files.errors import CorpusError
from tests.conftest import one_line, refused
from tests.corpora.conftest import SMALL, encoded, prepared


def tabled(root, *rows, count=5):
    place = root / "banana-detection"
    for part in ("bananas_train", "bananas_val"):
        folder = place / part
        (folder / "images").mkdir(parents=True, exist_ok=True)
        lines = [f"{number}.png,0,6,4,18,8" for number in range(count)]
        for number in range(count):
            (folder / f"images/{number}.png").write_bytes(encoded(seed=number))
        if rows and part == "bananas_train":
            lines = [*lines[:2], *rows, *lines[3:]]
        (folder / "label.csv").write_text(
            "\n".join(["img_name,label,xmin,ymin,xmax,ymax", *lines, ""])
        )
    return root


@pytest.mark.parametrize("name", [None, "banana-detection.zip", "banana-detection/x.zip"])
def test_boxes_in_pixels_become_fractions_in_a_folder_or_a_zip(tmp_path, name):
    root = tabled(tmp_path)
    if name:
        path = tmp_path / "x.zip"
        with zipfile.ZipFile(path, "w") as archive:
            for file in sorted((root / "banana-detection").rglob("*.*")):
                archive.write(file, file.relative_to(root))
        root = tmp_path / "new"
        target = root / name.replace("x.zip", "banana-detection.zip")
        target.parent.mkdir(parents=True)
        path.rename(target)
    made = prepared(Bananas(root=root, **SMALL))
    assert "5 of 1,000 training rows, 5 of 100 test rows" in made.described
    boxes = made.data["test"][Rows(0, torch.arange(5))][1]
    assert boxes.tolist() == [[[0.25, 0.25, 0.75, 0.5]]] * 5


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ("2.png,0,6,4,300,8", r"the box from \(6, 4\) to \(300, 8\) is not within the picture, "),
        ("2.png,0,6,4,25,8", "whose width and height are 24 x 16"),
        ("2.png,0,6,8,18,8", "has no area"),
        ("2.png,0,6,nan,18,8", "is not of finite numbers"),
        ("2.png,0,6,,18,8", "is not of finite numbers"),
        ("2.png,0,6,1_0,18,12", "is not of finite numbers"),
        ("2.png,1,6,4,18,8", "there is no class 1"),
        ("2.png,-1,6,4,18,8", "there is no class -1"),
        ("99.png,0,6,4,18,8", "there is no picture '99.png' in .*images"),
        ("1.png,0,6,4,18,8", "the picture 1 is there twice"),
    ],
)
def test_a_bad_row_is_named_or_counted(tmp_path, row, words):
    root = tabled(tmp_path, row)
    options = {**SMALL, "validation_fraction": 0.0}
    with one_line(CorpusError, match=rf"bananas_train/label\.csv, line 4: .*{words}"):
        prepared(Bananas(root=root, **options))
    made = prepared(Bananas(root=root, skip_bad=True, **options))
    assert (made.num_skipped, len(made.data["train"])) == (1, 4)


def test_a_ragged_table_and_a_bad_picture_are_named(tmp_path):
    root = tabled(tmp_path, "2.png,0,6,4,18")
    assert "label.csv, line 4: not 6 cells but 5" in refused(prepared, Bananas(root=root, **SMALL))
    root = tabled(tmp_path / "new")
    path = root / "banana-detection/bananas_train/images/2.png"
    for content in (b"no picture", encoded()[:200]):
        path.write_bytes(content)
        message = refused(prepared, Bananas(root=root, **SMALL))
        assert f"{path}: " in message
        made = prepared(Bananas(root=root, skip_bad=True, **SMALL))
        assert (made.num_skipped, made._num_divided) == (1, 4)
