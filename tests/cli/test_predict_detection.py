"""predict, for pictures with things in them: what COCO's tools, tables and YOLO's take."""

import csv
import json
from pathlib import Path

import pytest
from PIL import Image

from datamodules.boxes.image_lists import ListedImage, listed_images
from datamodules.boxes.listed_sizes import moved
from datamodules.files.file_paths import FilePath
from tests.corpora.conftest import coco
from zoo.cli.main import main

FIT = [
    *("fit", "--model", "TinySSD", "--data", "COCOFormat", "--data.size", "64"),
    *("--model.width_ratio", "0.1", "--trainer.max_epochs", "1", "--trainer.accelerator", "cpu"),
    *("--data.batch_size", "3", "--data.validation_fraction", "0"),
]


@pytest.fixture
def trained(tmp_path):
    """A detector trained for a step on three pictures, whose ids are 0, 1 and 2."""
    coco(tmp_path / "own", "images", "boxes.json")
    assert main([*FIT, "--data.path", str(tmp_path / "own")]) == 0
    return "runs/tiny_ssd-coco_format/1/checkpoints/last.ckpt"


def predicted(checkpoint, *inputs, output="found"):
    assert main(["predict", *map(str, inputs), "--ckpt_path", checkpoint, "--output", output]) == 0
    return json.loads(Path(output, "detections.json").read_text())


def test_results_have_the_ids_of_the_list_near_the_pictures(trained, tmp_path, capsys):
    rows = predicted(trained, tmp_path / "own/images")
    assert {row["image_id"] for row in rows} <= {0, 1, 2}
    assert {row["category_id"] for row in rows} <= {5, 6}
    assert f"ids of images: those of {tmp_path}/own/boxes.json" in capsys.readouterr().out
    assert not Path("found/images.json").exists()
    tools = pytest.importorskip("pycocotools.coco")
    loaded = tools.COCO(str(tmp_path / "own/boxes.json")).loadRes("found/detections.json")
    assert len(loaded.anns) == len(rows) > 0


def test_pictures_of_no_list_are_numbered_and_listed(trained, tmp_path, capsys):
    (tmp_path / "new").mkdir()
    for name, size in (("a.png", (90, 40)), ("b.png", (31, 64))):
        Image.new("RGB", size, "grey").save(tmp_path / "new" / name)
    rows = predicted(trained, tmp_path / "new", output="other")
    assert {row["image_id"] for row in rows} <= {1, 2}
    content = json.loads(Path("other/images.json").read_text())
    assert content["images"][1] == {"id": 2, "file_name": "b.png", "width": 31, "height": 64}
    assert content["categories"] == [{"id": 5, "name": "cat"}, {"id": 6, "name": "dog"}]
    assert "ids of images: those of other/images.json" in capsys.readouterr().out
    tools = pytest.importorskip("pycocotools.coco")
    loaded = tools.COCO("other/images.json").loadRes("other/detections.json")
    assert len(loaded.anns) == len(rows) > 0


def test_a_table_and_yolos_lines_say_the_same(trained, tmp_path):
    rows = predicted(trained, tmp_path / "own/images")
    with Path("found/detections.csv").open() as file:
        table = list(csv.DictReader(file))
    assert len(table) == len(rows)
    for row, cells in zip(rows, table, strict=True):
        assert int(cells["image_id"]) == row["image_id"]
        assert cells["label"] == {5: "cat", 6: "dog"}[row["category_id"]]
        box = [float(cells[name]) for name in ("left", "top", "width", "height")]
        assert box == pytest.approx(row["bbox"])
        assert Path(cells["file"]).name == f"{row['image_id']}.jpg"
    for number in range(3):
        wanted = [row for row in rows if row["image_id"] == number]
        lines = Path(f"found/labels/{number}.txt").read_text().splitlines()
        assert len(lines) == len(wanted)
        for line, row in zip(lines, wanted, strict=True):
            label, x, y, width, height, score = map(float, line.split())
            left, top = (x - width / 2) * 40, (y - height / 2) * 20
            place = [left, top, 40 * width, 20 * height]
            assert place == pytest.approx(row["bbox"], abs=0.02)
            assert (label, score) == pytest.approx((row["category_id"] - 5, row["score"]), abs=1e-4)


# Lists


def near(folder: Path, path: str, images: list[dict]) -> None:
    (folder / path).parent.mkdir(parents=True, exist_ok=True)
    (folder / path).write_text(json.dumps({"images": images}))


@pytest.mark.parametrize(
    "path", ["val/a.json", "a.json", "annotations/instances_val.json", "val/annotations/a.json"]
)
@pytest.mark.parametrize("name", ["a.png", "val/a.png", "D:\\x\\val\\a.png", "A.PNG"])
def test_a_list_is_found_near_the_pictures(tmp_path, path, name):
    (tmp_path / "val").mkdir()
    Image.new("L", (30, 20)).save(tmp_path / "val/a.png")
    near(tmp_path, path, [{"id": 17, "file_name": name, "width": 30, "height": 20}])
    images, source = listed_images([FilePath(tmp_path / "val/a.png")])
    assert (images[0].id, source.name) == (17, Path(path).name)


@pytest.mark.parametrize(
    "changed", [{"width": 31}, {"file_name": "b.png"}, {"id": None}, {"height": "x"}]
)
def test_a_list_of_others_is_none(tmp_path, changed):
    Image.new("L", (30, 20)).save(tmp_path / "a.png")
    entry = {"id": 17, "file_name": "a.png", "width": 30, "height": 20} | changed
    near(tmp_path, "a.json", [entry, 3])
    images, source = listed_images([FilePath(tmp_path / "a.png")])
    assert (images, source) == ([ListedImage(1, "a.png", 30, 20)], None)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_boxes_are_given_on_the_picture_that_was_listed(tmp_path, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.new("L", (30, 20)).save(tmp_path / "a.png", exif=exif)
    near(tmp_path, "a.json", [{"id": 17, "file_name": "a.png", "width": 30, "height": 20}])
    ((image,), _) = listed_images([FilePath(tmp_path / "a.png")])
    stored = (3.0, 4.0, 9.0, 16.0)
    if orientation < 5:  # which the size does not tell: as it is shown
        assert image.box([0.1, 0.2, 0.3, 0.8]) == [3, 4, 6, 12]
        return
    left, top, right, bottom = moved(stored, 30, 20, orientation)
    assert image.box([left / 20, top / 30, right / 20, bottom / 30]) == [3, 4, 6, 12]
