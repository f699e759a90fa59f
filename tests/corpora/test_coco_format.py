"""One's own pictures in COCO's format, and what is wrong in them."""

import json
import zipfile
from pathlib import Path

import pytest
import torch
from PIL import Image, ImageOps

from datamodules import COCOFormat
from datamodules.batches.in_memory import Rows
from datamodules.files.errors import CorpusError
from tests.conftest import one_line, refused
from tests.corpora.conftest import SMALL, encoded, prepared, whole


def coco(folder, spoil=lambda content: None, name="train.json") -> Path:
    """Four pictures with 2, 1, 0 and 1 boxes and a crowd; `spoil` changes what is written."""
    (folder / "pictures/deep").mkdir(parents=True, exist_ok=True)
    files = ("a.png", "b.png", "deep/c.png", "d.png")
    for number, file in enumerate(files):
        (folder / "pictures" / file).write_bytes(encoded(seed=number))
    boxes = ((7, 9, [6, 4, 12, 8]), (7, 2, [0, 0, 24, 16]), (8, 2, [1, 1, 2, 2]), (11, 9, [3] * 4))
    content = {
        "images": [
            {"id": number, "file_name": file, "width": 24, "height": 16}
            for number, file in zip((7, 8, 10, 11), files, strict=True)
        ],
        "annotations": [
            {"id": row, "image_id": image, "category_id": category, "bbox": box, "iscrowd": 0}
            for row, (image, category, box) in enumerate(boxes)
        ],
        "categories": [{"id": 9, "name": "cat"}, {"id": 2, "name": "dog"}],
    }
    crowd = {"id": 50, "image_id": 8, "category_id": 2, "bbox": [0, 0, 1, 1], "iscrowd": 1}
    content["annotations"].append(crowd)
    spoil(content)
    (folder / name).write_text(json.dumps(content))
    return folder / name


def own(folder, **options) -> COCOFormat:
    places = {"annotations": folder / "train.json", "pictures": folder / "pictures"}
    return COCOFormat(**{**places, "validation_fraction": 0.0, **SMALL, **options})


def test_ones_own_pictures_are_read(tmp_path):
    coco(tmp_path)
    made = own(tmp_path)
    assert made.labels == ("dog", "cat")
    assert made.category_ids == [2, 9]
    assert made.num_classes == 2
    assert made.splits == ("train", "val")
    prepared(made, "fit")
    assert made.described == ("COCO format train.json, 4 train + 0 val rows; 1 crowds left out")
    images, boxes, classes = made.data["train"][Rows(0, torch.arange(4))]
    assert images.shape == (4, 3, 16, 16)
    assert classes.tolist() == [[1, 0], [0, -100], [-100, -100], [1, -100]]
    assert boxes[0].tolist() == [[0.25, 0.25, 0.75, 0.75], [0, 0, 1, 1]]
    assert boxes[2].tolist() == [[0] * 4] * 2
    alone = made.data["train"][Rows(0, torch.tensor([2]))]
    assert (alone[1].shape, alone[2].tolist()) == ((1, 1, 4), [[-100]])
    arguments = made.state_dict()["arguments"]
    assert not {"annotations", "pictures", "test_annotations", "test_pictures"} & arguments.keys()
    assert "no test rows" in refused(made.setup, "test")


def test_a_test_file_a_zip_and_the_root(tmp_path):
    coco(tmp_path)
    coco(tmp_path, name="test.json")
    with zipfile.ZipFile(tmp_path / "p.zip", "w") as archive:
        for file in sorted((tmp_path / "pictures").rglob("*.png")):
            archive.write(file, file.relative_to(tmp_path / "pictures"))
    made = COCOFormat(
        root=tmp_path, annotations="train.json", test_annotations="test.json", pictures="p.zip",
        **SMALL,
    )  # fmt: skip
    prepared(made)
    assert made.splits == ("train", "val", "test")
    assert len(made.data["test"]) == 4
    beside = COCOFormat(annotations=tmp_path / "pictures/t.json", **SMALL)
    (tmp_path / "train.json").rename(tmp_path / "pictures/t.json")
    assert len(prepared(beside, "fit").data["train"]) == 4


def first(key, **changed):
    return lambda content: content[key][0].update(changed)


def without(key, name):
    return lambda content: content[key][0].pop(name)


def again(key):
    return lambda content: content[key].append({**content[key][0]})


@pytest.mark.parametrize(
    ("spoil", "words", "left"),
    [
        (first("annotations", bbox=[6, 4, 19, 8]), r"annotation 0: .*\(25, 12\) is not within", 4),
        (first("annotations", bbox=[-3, 4, 9, 8]), "annotation 0: .* is not within", 4),
        (first("annotations", bbox=[6, 4, 0, 8]), "annotation 0: .* has no area", 4),
        (first("annotations", bbox=[6, 4, -2, 8]), "annotation 0: .* has no area", 4),
        (first("annotations", bbox=[6, 4, float("nan"), 8]), "0: .* is not of finite numbers", 4),
        (first("annotations", bbox=None), "0: .* is not of finite numbers", 4),
        (first("annotations", image_id=99), "annotation 0: there is no image of the id 99", 4),
        (first("annotations", image_id=[7]), "annotation 0: an id is neither", 4),
        (first("annotations", category_id=5), "0: there is no category of the id 5", 4),
        (without("annotations", "bbox"), "annotation 0: it has no bbox", 4),
        (lambda c: c["annotations"].insert(0, 3), "annotation number 1: it has no image_id", 4),
        (lambda c: c["annotations"][2].update(category_id=5), "annotation 2: there is no cat", 3),
        (lambda c: c["annotations"][2].update(bbox=[1, 1, 0, 0]), "annotation 2: .* no area", 3),
        (first("images", file_name="z.png"), "image 7: there is no picture 'z.png' in .*res", 3),
        (first("images", width=24, height=18), "image 7: .*a.png is 24 x 16, not 24 x 18", 3),
        (first("annotations", bbox=[]), "annotation 0: its bbox is empty", 4),
        (first("images", file_name="b.png"), "image 8: the picture b is there twice", 3),
        (first("images", width=0), "image 7: no picture is 0 x 16", 3),
        (first("images", height="a"), "image 7: no picture is 24 x a", 3),
        (first("images", width=16, height=24), "image 7: .*a.png is 24 x 16, not 16 x 24", 3),
        (again("images"), "image 7: the id is there twice", 4),
    ],
)
def test_a_bad_entry_of_coco_is_named_or_counted(tmp_path, spoil, words, left):
    coco(tmp_path, spoil)
    with one_line(CorpusError, match=rf"train\.json, .*{words}"):
        prepared(own(tmp_path), "fit")
    made = prepared(own(tmp_path, skip_bad=True), "fit")
    assert (made.num_skipped, len(made.data["train"])) == (1, left)


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda c: c.pop("images"), "wanted a list of images; there are: annotations, categories"),
        (lambda c: c.update(annotations={}), "wanted a list of annotations"),
        (lambda c: c.update(categories=[]), "there are no categories"),
        (without("categories", "name"), "category 9: it has no name"),
        (again("categories"), "category 9: the id is there twice"),
        (lambda c: c.update(images=[], annotations=[]), "there is no picture to train on"),
    ],
)
def test_a_file_of_coco_that_is_none_is_refused(tmp_path, spoil, words):
    coco(tmp_path, spoil)
    assert words in refused(prepared, own(tmp_path, skip_bad=True), "fit")


def test_other_categories_in_the_test_file_are_refused(tmp_path):
    coco(tmp_path)
    coco(tmp_path, first("categories", name="cow"), name="test.json")
    made = own(tmp_path, test_annotations=tmp_path / "test.json")
    message = refused(prepared, made, "test")
    assert "test.json: category 9, 'cow', is none of" in message


def test_a_missing_file_of_ones_own_is_named(tmp_path):
    message = refused(COCOFormat(**SMALL).prepare_data)
    assert "--data.path FILE" in message
    assert "--data.synthetic true" in message
    assert "--data.path FILE" in refused(lambda: COCOFormat(**SMALL).num_classes)
    assert "train.json: there is no such file, here or under" in refused(own(tmp_path).prepare_data)
    coco(tmp_path)
    made = own(tmp_path, test_annotations=tmp_path / "t.json")
    assert "t.json: there is no such file" in refused(made.prepare_data)
    message = refused(prepared, own(tmp_path, pictures=tmp_path / "none"))
    assert "none: cannot be read as a folder or a zip" in message
    assert "--data.path a.json" in refused(own(tmp_path).adopt, Path("a.json"))


def test_ids_that_are_texts_are_ids_too(tmp_path):
    def spoil(content):
        for key, name in (("images", "id"), ("annotations", "image_id")):
            for entry in content[key]:
                entry[name] = f"n{entry[name]}"

    coco(tmp_path, spoil)
    assert len(prepared(own(tmp_path), "fit").data["train"]) == 4


# As tools write it


@pytest.mark.parametrize(
    ("flag", "is_crowd"),
    [
        *((flag, False) for flag in (0, "0", "false", "False", False, None, "", 0.0, "no")),
        *((flag, True) for flag in (1, "1", "true", "True", True, "yes")),
    ],
)
def test_crowds_are_what_is_said_to_be_one(tmp_path, flag, is_crowd):
    coco(tmp_path, first("annotations", iscrowd=flag))
    made = prepared(own(tmp_path), "fit")
    assert f"; {1 + is_crowd} crowds left out" in made.described
    assert whole(made, "train")[2][0].tolist() == ([0] if is_crowd else [1, 0])


def test_boxes_as_fractions_are_fractions(tmp_path):
    coco(tmp_path)
    wanted = whole(prepared(own(tmp_path), "fit"), "train")

    def spoil(content):
        for entry in content["annotations"]:
            left, top, width, height = entry["bbox"]
            entry["bbox"] = [left / 24, top / 16, width / 24, height / 16]

    coco(tmp_path, spoil)
    for one, other in zip(wanted, whole(prepared(own(tmp_path), "fit"), "train"), strict=True):
        torch.testing.assert_close(one, other)


def test_sizes_and_boxes_of_one_scale_are_right(tmp_path):
    coco(tmp_path)
    wanted = whole(prepared(own(tmp_path), "fit"), "train")

    def spoil(content):
        content["images"][0].update(width=48, height=32)
        for entry in content["annotations"][:2]:
            entry["bbox"] = [2 * edge for edge in entry["bbox"]]

    coco(tmp_path, spoil)
    for one, other in zip(wanted, whole(prepared(own(tmp_path), "fit"), "train"), strict=True):
        torch.testing.assert_close(one, other)


@pytest.mark.parametrize(
    "names",
    [
        ["A.PNG", "b.Png", "Deep/C.png", "d.png"],
        [".\\a.png", "b.png", "deep\\c.png", "d.png"],
        ["C:\\data\\pictures\\a.png", "D:\\b.png", "E:\\x\\deep\\c.png", "d.png"],
        ["/home/me/a.png", "x/b.png", "/home/me/deep/c.png", "../pictures/d.png"],
        ["./a.png", "b.png", "c.png", "/d.png"],
    ],
)
def test_pictures_are_found_by_the_names_of_other_machines(tmp_path, names):
    coco(tmp_path)
    wanted = whole(prepared(own(tmp_path), "fit"), "train")

    def spoil(content):
        for image, name in zip(content["images"], names, strict=True):
            image["file_name"] = name

    coco(tmp_path, spoil)
    found = whole(prepared(own(tmp_path), "fit"), "train")
    assert all(torch.equal(*pair) for pair in zip(wanted, found, strict=True))


def test_escaped_and_accented_names_are_found(tmp_path):
    composed, parted = "caf\u00e9 1.png", "cafe\u0301 1.png"
    coco(tmp_path, first("images", file_name=composed))
    (tmp_path / "pictures/a.png").rename(tmp_path / "pictures" / parted)
    assert len(prepared(own(tmp_path), "fit").data["train"]) == 4
    coco(tmp_path, first("images", file_name="upload/caf%C3%A9%201.png"))
    assert len(prepared(own(tmp_path), "fit").data["train"]) == 4


def test_a_name_of_two_pictures_is_none(tmp_path):
    coco(tmp_path, first("images", file_name="e.png"))
    for folder in ("one", "two"):
        (tmp_path / "pictures" / folder).mkdir()
        (tmp_path / "pictures" / folder / "e.png").write_bytes(encoded(seed=9))
    assert "there is no picture 'e.png'" in refused(prepared, own(tmp_path), "fit")
    coco(tmp_path, first("images", file_name="/home/me/TWO/e.png"))
    prepared(own(tmp_path), "fit")


def test_ids_as_numbers_and_texts_are_the_same(tmp_path):
    def spoil(content):
        content["annotations"][0].update(image_id="7", category_id="9")
        content["images"][1]["id"] = "8"
        content["annotations"][3].update(image_id=11.0)
        content["categories"][1]["id"] = "2"

    coco(tmp_path)
    wanted = whole(prepared(own(tmp_path), "fit"), "train")
    coco(tmp_path, spoil)
    made = prepared(own(tmp_path), "fit")
    assert made.labels == ("dog", "cat")
    found = whole(made, "train")
    assert all(torch.equal(*pair) for pair in zip(wanted, found, strict=True))


@pytest.mark.parametrize("options", [{}, {"skip_bad": True}])
def test_a_list_without_any_box_is_refused(tmp_path, options):
    coco(tmp_path, lambda content: content.update(annotations=content["annotations"][-1:]))
    assert "none of 4 pictures has a box to train on" in refused(
        prepared, own(tmp_path, **options), "fit"
    )
    coco(tmp_path)
    coco(tmp_path, lambda content: content.update(annotations=[]), name="test.json")
    made = own(tmp_path, test_annotations=tmp_path / "test.json", **options)
    assert "none of 4 pictures has a box to test on" in refused(prepared, made, "test")
    held_out = own(tmp_path, validation_fraction=0.25, split_seed=None, **options)
    prepared(held_out, "fit")
    coco(tmp_path, lambda content: content["images"].insert(0, content["images"].pop(2)))
    held_out = own(tmp_path, validation_fraction=0.25, split_seed=None, **options)
    message = refused(prepared, held_out, "fit")
    assert "no picture held out (1) has a box: hold out others: --data.split_seed 1" in message


# Turned by a camera


def turned(folder, orientations, heeded, squares=()):
    """Pictures that a camera turned, a bright thing in each, and its box on one side of that."""
    (folder / "pictures").mkdir(exist_ok=True)
    images, annotations = [], []
    for number, orientation in enumerate(orientations):
        width, height = (24, 24) if number in squares else (40, 24)
        thing = Image.new("RGB", (width, height))
        thing.paste("white", (2, 4, 12, 10))
        exif = Image.Exif()
        exif[0x0112] = orientation
        thing.save(folder / "pictures" / f"{number}.png", exif=exif)
        shown = ImageOps.exif_transpose(thing) if heeded[number] else thing
        if heeded[number]:
            with Image.open(folder / "pictures" / f"{number}.png") as saved:
                shown = ImageOps.exif_transpose(saved)
        left, top, right, bottom = shown.convert("L").getbbox()
        size = dict(zip(("width", "height"), shown.size, strict=True))
        images.append({"id": number, "file_name": f"{number}.png", **size})
        box = {
            "image_id": number,
            "category_id": 1,
            "bbox": [left, top, right - left, bottom - top],
        }
        annotations.append({"id": number, **box})
    categories = [{"id": 1, "name": "thing"}]
    content = {"images": images, "annotations": annotations, "categories": categories}
    (folder / "train.json").write_text(json.dumps(content))


@pytest.mark.parametrize("heeded", [True, False])
def test_boxes_lie_on_things_however_the_camera_lay(tmp_path, heeded, caplog):
    """Squares and pictures upside down go by the others."""
    orientations = [*range(1, 9), 6, 3]
    turned(tmp_path, orientations, [heeded] * 10, squares=[8])
    made = prepared(own(tmp_path, size=120), "fit")
    images, boxes, _ = whole(made, "train")
    for image, (box,) in zip(images, boxes, strict=True):
        left, top, right, bottom = (120 * box).round().int().tolist()
        assert image[:, top + 4 : bottom - 4, left + 4 : right - 4].min() > 250
        outside = image.clone()
        outside[:, top - 3 : bottom + 3, left - 3 : right + 3] = 0
        assert outside.max() < 10
    counts = (4, 0) if heeded else (0, 4)
    assert (
        "train.json: 9 pictures are turned by a note of the camera (EXIF); by the listed sizes, "
        "boxes lie on the turned picture in {}, on the unturned one in {}; in 5, whose sizes do "
        "not tell, as in most others".format(*counts)
    ) in caplog.text


def test_each_picture_goes_by_its_own_size(tmp_path, caplog):
    turned(tmp_path, [6, 6, 8, 1], [True, False, True, True])
    images, boxes, _ = whole(prepared(own(tmp_path, size=120), "fit"), "train")
    for image, (box,) in zip(images, boxes, strict=True):
        left, top, right, bottom = (120 * box).round().int().tolist()
        assert image[:, top + 4 : bottom - 4, left + 4 : right - 4].min() > 250
    assert "on the turned picture in 2, on the unturned one in 1" in caplog.text


def test_the_stand_in_numbers_from_one_as_coco_wants(tmp_path):
    made = prepared(COCOFormat(synthetic=True, **SMALL), "fit")
    for part in ("train", "test"):
        content = json.loads((made.folder / f"sprites/{part}.json").read_text())
        assert min(entry["id"] for entry in content["annotations"]) == 1
