"""Boxes of one's own pictures as tools lay them out: COCO's, YOLO's and VOC's; what is wrong."""

import shutil
import zipfile

import pytest
import torch

from datamodules import COCOFormat, VOCFormat, YOLOFormat
from datamodules.boxes.own import part_named
from datamodules.files.errors import CorpusError
from tests.conftest import one_line, refused
from tests.corpora.conftest import (
    HEIGHT,
    SMALL,
    THINGS,
    WIDTH,
    coco,
    prepared,
    voc,
    whole,
    yolo,
)

PARTS = {"train": 0, "val": 10, "test": 20}
MANY = ("train", "valid", "test")


def kind(cls, write, pictures: str, boxes: str, *parts: str):
    """Where a tool puts pictures and boxes; {} stands for the part."""
    return (
        cls,
        parts or ("train",),
        lambda f, p, n: write(f, pictures.format(p), boxes.format(p), n),
    )


LAYOUTS = {
    "yolo, parts within": kind(YOLOFormat, yolo, "images/{}", "labels/{}", "train", "val"),
    "yolo, parts around": kind(YOLOFormat, yolo, "{}/images", "{}/labels", *MANY),
    "yolo, years": kind(YOLOFormat, yolo, "images/{}2017", "labels/{}2017", "train", "val"),
    "yolo, in capitals": kind(YOLOFormat, yolo, "Images/{}", "labels/{}", "Train", "Test"),
    "yolo, one part": kind(YOLOFormat, yolo, "images", "labels"),
    "yolo, beside": kind(YOLOFormat, yolo, "", ""),
    "voc": kind(VOCFormat, voc, "JPEGImages", "Annotations"),
    "voc, devkit": kind(VOCFormat, voc, "VOC2012/JPEGImages", "VOC2012/Annotations"),
    "voc, parts": kind(VOCFormat, voc, "{}", "{}", *MANY),
    "voc, beside": kind(VOCFormat, voc, "a", "a"),
    "coco, images": kind(COCOFormat, coco, "images", "result.json"),
    "coco, roboflow": kind(COCOFormat, coco, "{}", "{}/_annotations.coco.json", *MANY),
    "coco, its own": kind(
        COCOFormat, coco, "{}2017", "annotations/instances_{}2017.json", "train", "val"
    ),
    "coco, cvat": kind(
        COCOFormat, coco, "images/{}", "annotations/instances_{}.json", "train", "test"
    ),
}


def right(corpus, split: str) -> None:
    """The boxes are those of the things."""
    _, boxes, labels = whole(corpus, split)
    sides = torch.tensor([WIDTH, HEIGHT] * 2)
    for things, places, classes in zip(THINGS.values(), boxes, labels, strict=True):
        there = classes >= 0
        assert [corpus.labels[label] for label in classes[there].tolist()] == [t[0] for t in things]
        found = [list(map(round, row)) for row in (places[there] * sides).tolist()]
        assert found == [list(thing[1:]) for thing in things]


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("form", ["folder", "zip", "zip of a folder"])
def test_what_tools_write_is_read(tmp_path, layout, form):
    cls, parts, write = LAYOUTS[layout]
    folder = tmp_path / "made"
    for part in parts:
        write(folder, part, PARTS[{"valid": "val"}.get(part.lower(), part.lower())])
    path = folder
    if form != "folder":
        path = tmp_path / "made.zip"
        with zipfile.ZipFile(path, "w") as archive:
            for file in sorted(folder.rglob("*.*")):
                if file.is_file():
                    archive.write(file, file.relative_to(folder if form == "zip" else tmp_path))
    held_out = {"validation_fraction": 0.0} if len(parts) == 1 or parts[-1] != "val" else {}
    made = cls(path=path, **SMALL, **held_out)
    prepared(made)
    assert made.labels == ("cat", "dog")
    assert "path" not in made.state_dict()["arguments"]
    names = {"Train": "train", "valid": "val", "Test": "test"}
    for split in {names.get(part, part) for part in parts}:
        right(made, split)
    tests = parts[-1].lower() == "test"
    assert made.splits == (("train", "val", "test") if tests else ("train", "val"))
    assert made.described.startswith(f"{cls.title} {path.name}, 3 train + ")


# COCO


def test_a_list_finds_images_beside_it(tmp_path):
    coco(tmp_path, "images", "boxes.json")
    made = COCOFormat(path=tmp_path / "boxes.json", validation_fraction=0.0, **SMALL)
    right(prepared(made, "fit"), "train")
    coco(tmp_path, "images", "boxes.json", said="images\\{}")
    right(prepared(COCOFormat(path=tmp_path, validation_fraction=0.0, **SMALL), "fit"), "train")
    coco(tmp_path / "b", "images", "annotations/boxes.json")
    path = tmp_path / "b/annotations/boxes.json"
    right(prepared(COCOFormat(path=path, validation_fraction=0.0, **SMALL), "fit"), "train")


def test_captions_and_other_json_files_are_no_lists(tmp_path):
    coco(tmp_path, "images", "annotations/instances_train2017.json")
    for name in ("annotations/captions_train2017.json", "annotations/person_keypoints_val.json"):
        shutil.copy(tmp_path / "annotations/instances_train2017.json", tmp_path / name)
    (tmp_path / "notes.json").write_text("[]")
    right(prepared(COCOFormat(path=tmp_path, validation_fraction=0.0, **SMALL), "fit"), "train")
    coco(tmp_path / "two", "images", "a.json")
    coco(tmp_path / "two", "images", "b.json")
    message = refused(prepared, COCOFormat(path=tmp_path / "two", **SMALL))
    assert "is a list of train, too: name one of them by --data.path FILE" in message
    (tmp_path / "none").mkdir()
    message = refused(prepared, COCOFormat(path=tmp_path / "none", **SMALL))
    assert "there is no JSON list of images, boxes and categories" in message


# YOLO


@pytest.mark.parametrize(
    ("settings", "splits"),
    [
        ("path: .\ntrain: images/a\nval: images/b\n", {"train": 3, "val": 3}),
        ("path: /home/me/data\ntrain: images/a\nval: images/b\ntest:\n", {"train": 3, "val": 3}),
        ("train: ../images/a\nval: ../images/b\ntest: ../test/images\n", {"train": 3, "val": 3}),
        ("train: [images/a, images/b]\nval: images/b\n", {"train": 6, "val": 3}),
        ("train: a.txt\nval: b.txt\n", {"train": 3, "val": 3}),
        ("train: C:\\data\\images\\a\nval: C:\\data\\images\\b\n", {"train": 3, "val": 3}),
    ],
)
@pytest.mark.parametrize("named", [True, False])
def test_parts_are_where_the_yaml_says(tmp_path, settings, splits, named):
    names = "nc: 2\nnames:\n  0: cat\n  1: dog\n"
    tmp_path.joinpath("data.yaml").write_text(settings + names)
    for part, start in (("a", 0), ("b", 10)):
        yolo(tmp_path, f"images/{part}", f"labels/{part}", start)
        lines = [f"/home/me/images/{part}/{start + number}.jpg" for number in THINGS]
        tmp_path.joinpath(f"{part}.txt").write_text("\n".join(lines))
    made = YOLOFormat(path=tmp_path / "data.yaml" if named else tmp_path, **SMALL)
    prepared(made, "fit")
    assert {split: len(rows) for split, rows in made.data.items()} == splits
    right(made, "val")


def test_names_come_from_a_list_or_are_numbers(tmp_path):
    yolo(tmp_path, "images", "labels", names=False)
    assert YOLOFormat(path=tmp_path, **SMALL).labels == ("0", "1")
    (tmp_path / "classes.txt").write_text("cat\ndog\n\n")
    assert YOLOFormat(path=tmp_path, **SMALL).labels == ("cat", "dog")
    (tmp_path / "data.yaml").write_text("names: {1: dog, 0: cat}\n")
    assert YOLOFormat(path=tmp_path, **SMALL).labels == ("cat", "dog")


def test_polygons_have_boxes(tmp_path):
    yolo(tmp_path, "images", "labels")
    (tmp_path / "labels/1.txt").write_text("1 0 0 0.2 0 0.1 0.25 0 0.1\n")
    right(prepared(YOLOFormat(path=tmp_path, validation_fraction=0.0, **SMALL), "fit"), "train")


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("0 0.5 0.5 0.2", "wanted a class and 4 numbers, and found 4 numbers"),
        ("0 0.5 0.5 0.2 0.2 0.9", "wanted a class and 4 numbers, and found 6 numbers"),
        ("0 0.5 0.5 0 0.2", "has no area"),
        ("0 0.5 0.5 1.2 0.2", "is not within the picture"),
        ("2 0.5 0.5 0.2 0.2", "there is no class 2: they go from 0 to 1"),
        ("cat 0.5 0.5 0.2 0.2", "the class is not a number"),
        ("0 0.5 x 0.2 0.2", "is not of finite numbers"),
        ("0 40 20 10 10", "is not within the picture"),
    ],
)
def test_a_bad_line_is_named_or_counted(tmp_path, line, words):
    yolo(tmp_path, "images", "labels")
    (tmp_path / "labels/1.txt").write_text(f"\n{line}\n0 0.5 0.5 0.2 0.2\n")
    with one_line(CorpusError, match=rf"labels/1\.txt, line 2: .*{words}"):
        prepared(YOLOFormat(path=tmp_path, **SMALL), "fit")
    made = prepared(YOLOFormat(path=tmp_path, skip_bad=True, **SMALL), "fit")
    assert made.num_skipped == 1


def test_a_bad_yaml_is_named(tmp_path):
    yolo(tmp_path, "images", "labels")
    for text, words in (
        ("names: [cat\n", "data.yaml, line 2: not YAML"),
        ("- cat\n", "data.yaml: wanted names: and train:"),
        ("names: {0: cat, 2: dog}\n", "data.yaml: names are not numbered 0, 1, 2"),
    ):
        (tmp_path / "data.yaml").write_text(text)
        assert words in refused(lambda: YOLOFormat(path=tmp_path, **SMALL).labels)


# VOC


def test_the_lists_of_voc_say_which_part(tmp_path):
    voc(tmp_path, "JPEGImages", "Annotations")
    voc(tmp_path, "JPEGImages", "Annotations", 10)
    (tmp_path / "ImageSets/Main").mkdir(parents=True)
    for name, numbers in {"train": (0, 1, 2), "val": (10, 11, 12), "cat_train": (0,)}.items():
        lines = "".join(f"{number} 1\n" if "_" in name else f"{number}\n" for number in numbers)
        (tmp_path / f"ImageSets/Main/{name}.txt").write_text(lines)
    made = prepared(VOCFormat(path=tmp_path, **SMALL), "fit")
    right(made, "train")
    right(made, "val")


def test_pixels_count_from_one_unless_one_is_zero(tmp_path):
    voc(tmp_path, "a", "a", first=0)
    right(prepared(VOCFormat(path=tmp_path, validation_fraction=0.0, **SMALL), "fit"), "train")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("<annotation>", "<annotation"), "0.xml: not XML"),
        (("annotation>", "html>"), "0.xml: wanted an <annotation>, and found <html>"),
        (("<name>cat</name>", ""), "0.xml: an object has no name"),
        (("<annotation>", "<!DOCTYPE a><annotation>"), "0.xml: XML that defines names of its own"),
        (("<xmax>12</xmax>", "<xmax>99</xmax>"), "0.xml: the box from .* is not within"),
        (("<xmax>12</xmax>", ""), "0.xml: the box from .* is not of finite numbers"),
        (("<width>40", "<width>30"), "0.xml: .*0.jpg is 40 x 20, not 30 x 20"),
    ],
)
def test_a_bad_xml_is_named(tmp_path, change, words):
    voc(tmp_path, "JPEGImages", "Annotations")
    file = tmp_path / "Annotations/0.xml"
    file.write_text(file.read_text().replace(*change))
    with one_line(CorpusError, match=words):
        prepared(VOCFormat(path=tmp_path, **SMALL), "fit")


def test_a_size_that_is_missing_is_the_pictures(tmp_path):
    voc(tmp_path, "JPEGImages", "Annotations")
    for number, text in ((0, "<width>0</width><height>0</height>"), (1, "")):
        file = tmp_path / f"Annotations/{number}.xml"
        old = f"<width>{WIDTH}</width><height>{HEIGHT}</height>"
        file.write_text(file.read_text().replace(old, text))
    right(prepared(VOCFormat(path=tmp_path, validation_fraction=0.0, **SMALL), "fit"), "train")


# All


@pytest.mark.parametrize("cls", [COCOFormat, VOCFormat, YOLOFormat])
def test_what_is_missing_is_said(tmp_path, cls):
    assert "--data.synthetic true" in refused(cls(**SMALL).prepare_data)
    message = refused(cls(path=tmp_path / "none", **SMALL).prepare_data)
    assert "none: there is no such file" in message
    (tmp_path / "empty").mkdir()
    assert f"{tmp_path}/empty: there" in refused(prepared, cls(path=tmp_path / "empty", **SMALL))


@pytest.mark.parametrize("cls", [COCOFormat, VOCFormat, YOLOFormat])
def test_the_test_part_alone_has_the_classes_of_the_checkpoint(tmp_path, cls):
    write = {COCOFormat: coco, VOCFormat: voc, YOLOFormat: yolo}[cls]
    second = {COCOFormat: "test/a.json", VOCFormat: "test", YOLOFormat: "test/labels"}[cls]
    write(tmp_path, "test/images" if cls is YOLOFormat else "test", second)
    made = cls(path=tmp_path, **SMALL)
    prepared(made, "test")
    saved = made.state_dict() | {"labels": ["ant", "cat", "dog"], "category_ids": [1, 5, 6]}
    made.load_state_dict(saved)
    assert made.labels == ("ant", "cat", "dog")
    assert made.category_ids == ([1, 5, 6] if cls is COCOFormat else [0, 1, 2])
    right(made, "test")
    assert "there are no pictures of train" in refused(cls(path=tmp_path, **SMALL).setup, "fit")
    others = made.state_dict() | {"labels": ["ant", "cat"], "category_ids": [1, 5]}
    assert "trained on the classes ant, cat" in refused(made.load_state_dict, others)


@pytest.mark.parametrize(
    ("name", "part"),
    [
        ("images/train2017/1.jpg", "train"),
        ("VALID/a.jpg", "val"),
        ("my_test-set/a.jpg", "test"),
        ("instances_val2017.json", "val"),
        ("trainer/valley/contest.jpg", None),
    ],
)
def test_parts_are_known_by_their_names(name, part):
    assert part_named(name) == part


def test_voc_lists_of_names_with_blanks_and_flags(tmp_path):
    voc(tmp_path, "JPEGImages", "Annotations")
    for path in [*tmp_path.glob("*/*.jpg"), *tmp_path.glob("*/*.xml")]:
        path.rename(path.with_name(f"my pic {path.name}"))
    for path in tmp_path.glob("*/*.xml"):
        number = path.stem[-1]
        path.write_text(path.read_text().replace(f">{number}.jpg", f">my pic {number}.jpg"))
    lists = tmp_path / "ImageSets/Main"
    lists.mkdir(parents=True)
    (lists / "train.txt").write_text("my pic 0  1\nmy pic 1\n")
    (lists / "val.txt").write_text("my pic 2 -1\n")
    corpus = VOCFormat(path=tmp_path, **SMALL)
    assert {part: len(found) for part, found in corpus._found.items()} == {"train": 2, "val": 1}
    (lists / "val.txt").write_text("my pic 2\nghost\n")
    with one_line(CorpusError, match="lists 'ghost' for val, and there is no XML file"):
        prepared(VOCFormat(path=tmp_path, **SMALL), "fit")
    left = VOCFormat(path=tmp_path, skip_bad=True, **SMALL)
    assert {part: len(found) for part, found in left._found.items()} == {"train": 2, "val": 1}
