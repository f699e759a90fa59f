"""Pikachu: files of records or JSON, what is wrong in them, the download."""

import hashlib
import json
import logging

import pytest
import torch

from datamodules import Pikachu
from datamodules.batches.in_memory import Rows
from datamodules.files.download import RemoteFile
from datamodules.files.errors import CorpusError
from datamodules.formats.record_io import packed, records, write_records
from tests.conftest import fails, one_line, refused
from tests.corpora.conftest import SMALL, encoded, prepared


def labels(*objects, head=(4, 5, 24, 16)):
    return [*head, *(value for thing in objects for value in thing)]


GOOD = (0, 0.25, 0.25, 0.75, 0.75)


def recorded(root, train=5, val=2, spoilt=None, form="PNG"):
    """A small, right corpus in two files of records, one of which may be spoilt."""
    (root / "pikachu").mkdir(parents=True, exist_ok=True)
    for name, count in (("train", train), ("val", val)):
        contents = [packed(labels(GOOD), encoded(seed=n, form=form), n) for n in range(count)]
        if spoilt is not None and name == "train":
            contents[2] = spoilt
        write_records(root / f"pikachu/{name}.rec", contents)
    return root


def test_records_with_boxes_are_read(tmp_path):
    made = prepared(Pikachu(root=recorded(tmp_path), **SMALL))
    assert made.described == (
        "Pikachu, 5 train + 0 val + 2 test rows (5 of 900 training rows, 2 of 100 test rows)"
    )
    batch = next(iter(made.test_dataloader()))
    assert batch[0].shape == (2, 3, 16, 16)
    assert batch[1].tolist() == [[[0.25, 0.25, 0.75, 0.75]]] * 2


@pytest.mark.parametrize("cut", [1, 4, 30, 200])
def test_a_truncated_file_of_records_is_named_with_the_record(tmp_path, cut):
    path = recorded(tmp_path) / "pikachu/train.rec"
    start = list(records(path))[-1].offset
    path.write_bytes(path.read_bytes()[:-cut])
    message = refused(prepared, Pikachu(root=tmp_path, **SMALL))
    place = f"{path}, record 4 at byte {start:,}: the file is cut off at byte"
    assert message.startswith(place)
    made = prepared(Pikachu(root=tmp_path, skip_bad=True, **SMALL))
    assert made.num_skipped == 1
    assert "4 of 900 training rows" in made.described
    assert made.described.endswith("; 1 bad records left out")


def test_a_file_of_records_cut_between_two_is_a_shorter_one(tmp_path):
    path = recorded(tmp_path) / "pikachu/train.rec"
    path.write_bytes(path.read_bytes()[: list(records(path))[3].offset])
    assert "3 of 900" in prepared(Pikachu(root=tmp_path, **SMALL)).described


def test_a_wrong_magic_number_is_named_with_the_record(tmp_path):
    path = recorded(tmp_path) / "pikachu/train.rec"
    offset = list(records(path))[3].offset
    content = bytearray(path.read_bytes())
    content[offset] ^= 1
    path.write_bytes(content)
    message = refused(prepared, Pikachu(root=tmp_path, **SMALL))
    assert f"train.rec, record 3 at byte {offset:,}: no part of a record begins at byte" in message
    path.write_bytes(b"PK\3\4" + bytes(40))
    assert "record 0 at byte 0: no part" in refused(prepared, Pikachu(root=tmp_path, **SMALL))
    path.write_bytes(b"")
    assert "no picture to train on" in refused(prepared, Pikachu(root=tmp_path, **SMALL))


@pytest.mark.parametrize(
    ("spoilt", "words"),
    [
        (packed(labels((0, 0.25, 0.25, 1.5, 0.75)), encoded(), 2), "is not within the picture"),
        (packed(labels((0, -0.1, 0.25, 0.5, 0.75)), encoded(), 2), "is not within the picture"),
        (packed(labels((0, 0.5, 0.25, 0.5, 0.75)), encoded(), 2), "has no area"),
        (packed(labels((0, 0.6, 0.25, 0.5, 0.75)), encoded(), 2), "has no area"),
        (packed(labels((0, float("nan"), 0, 1, 1)), encoded(), 2), "is not of finite numbers"),
        (packed(labels((0, 0, 0, 1, float("inf"))), encoded(), 2), "is not of finite numbers"),
        (packed(labels((1, 0, 0, 1, 1)), encoded(), 2), "there is no class 1: the only one is 0"),
        (packed(labels((0.5, 0, 0, 1, 1)), encoded(), 2), "there is no class 0.5"),
        (packed(labels(GOOD[:4]), encoded(), 2), "its 8 labels are not those of objects"),
        (packed([2, 4, *GOOD[:4]], encoded(), 2), "its 6 labels are not those of objects"),
        (packed([3.0], encoded(), 2), "its 1 labels are not those of objects"),
        (b"short", "5 bytes are too few for a picture's header"),
        (packed([0] * 9, b"", 2)[:40], "40 bytes are too few for 9 labels"),
        (packed(labels(GOOD), b"no picture", 2), "not a picture that can be read"),
        (packed(labels(GOOD), encoded()[:300], 2), "cannot be read .*truncated"),
    ],
)
def test_a_bad_record_is_named_or_counted(tmp_path, spoilt, words):
    root = recorded(tmp_path, spoilt=spoilt)
    options = {**SMALL, "validation_fraction": 0.0}
    with one_line(CorpusError, match=rf"train\.rec, record 2 at byte [\d,]+: .*{words}"):
        prepared(Pikachu(root=root, **options))
    made = prepared(Pikachu(root=root, skip_bad=True, **options))
    assert (made.num_skipped, len(made.data["train"])) == (1, 4)
    assert made.described.endswith("; 1 bad records left out")


def test_objects_that_are_none_are_padding_and_pictures_may_be_empty(tmp_path):
    none = (-1, -1, -1, -1, -1)
    wide = [2, 6, *none, 0, *GOOD, 0.5, *none, 0]
    for name, values, wanted in (("empty", labels(none), -100), ("one", wide, 0)):
        root = recorded(tmp_path / name, spoilt=packed(values, encoded(), 2))
        made = prepared(Pikachu(root=root, validation_fraction=0.0, **SMALL), "fit")
        _, boxes, classes = made.data["train"][Rows(0, torch.tensor([2]))]
        assert classes.tolist() == [[wanted]]
        assert boxes.any() == (wanted == 0)


def listed(root, count=6, name="annotations.json", **changed):
    """A small corpus in the form of JSON; `changed` entries, or None to leave one out."""
    for part in ("train", "val"):
        folder = root / "pikachu" / part
        (folder / "images").mkdir(parents=True, exist_ok=True)
        entries = {}
        for number in range(1, count + 1):
            file = f"pikachu_{number}.png"
            (folder / "images" / file).write_bytes(encoded(seed=number))
            place = {"class": 0.0, "loc": [0.25, 0.25, 0.5, 0.75]}
            entries[f"data_{number}"] = {**place, "id": [number], "image": file}
        for key, entry in changed.items() if part == "train" else ():
            entries[key] = {**entries.get(key, {}), **entry} if isinstance(entry, dict) else entry
        (folder / name).write_text(json.dumps(entries))
    return root


@pytest.mark.parametrize("name", ["annotations.json", "label.json"])
def test_both_names_of_the_list_are_read(tmp_path, name):
    made = prepared(Pikachu(root=listed(tmp_path, name=name), **SMALL))
    assert "6 of 900 training rows, 6 of 100 test rows" in made.described
    assert (
        made.data["test"][Rows(0, torch.arange(6))][1].tolist() == [[[0.25, 0.25, 0.5, 0.75]]] * 6
    )


def test_a_list_by_the_names_of_the_pictures_is_read(tmp_path):
    root = listed(tmp_path)
    entries = {f"pikachu_{n}.png": {"class": 0, "loc": [0, 0, 1, 1]} for n in range(1, 7)}
    for part in ("train", "val"):
        (root / "pikachu" / part / "annotations.json").unlink()
        (root / "pikachu" / part / "label.json").write_text(json.dumps(entries))
    assert "6 of 900" in prepared(Pikachu(root=root, **SMALL)).described


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ({"loc": [0.1, 0.1, 1.1, 0.5]}, r"the box from \(0.1, 0.1\) to \(1.1, 0.5\) is not within"),
        ({"loc": [0.1, 0.1, 0.1, 0.5]}, "the box .* has no area"),
        ({"loc": [0.1, 0.1, float("nan"), 0.5]}, "the box .* is not of finite numbers"),
        ({"loc": [0.1, 0.1, 0.5]}, "the box .* is not of finite numbers"),
        ({"loc": "abcd"}, "the box .* is not of finite numbers"),
        ({"loc": [0.1, 0.1, "b", True]}, "the box .* is not of finite numbers"),
        ({"class": 1}, "there is no class 1: the only one is 0"),
        ({"class": "pikachu"}, "the class is not a number"),
        ({"image": "pikachu_99.png"}, "there is no picture pikachu_99.png in .*images"),
        ({"image": "pikachu_1.png"}, "the picture pikachu_1 is there twice"),
        (3, "wanted class and loc"),
    ],
)
def test_a_bad_entry_is_named_or_counted(tmp_path, entry, words):
    root = listed(tmp_path, data_3=entry)
    options = {**SMALL, "validation_fraction": 0.0}
    with one_line(CorpusError, match=rf"train/annotations\.json, data_3: {words}") as error:
        prepared(Pikachu(root=root, **options))
    assert str(error.value).endswith("; to leave out what is bad: --data.skip_bad true")
    made = prepared(Pikachu(root=root, skip_bad=True, **options))
    assert (made.num_skipped, len(made.data["train"]), len(made.data["test"])) == (1, 5, 6)


def test_what_was_left_out_is_said_once_and_named(tmp_path, caplog):
    root = listed(tmp_path, data_3={"class": 7}, data_4={"loc": [0, 0, 0, 0]})
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)  # as the command does
    made = prepared(Pikachu(root=root, skip_bad=True, **SMALL))
    (line,) = [r.getMessage() for r in caplog.records if "left out" in r.getMessage()]
    assert line.startswith("Pikachu: 2 bad records of train are left out, the first: ")
    assert "data_3: there is no class 7" in line
    assert made.described.endswith("; 2 bad records left out")


def test_rounding_may_carry_a_box_outside_by_a_thousandth(tmp_path):
    root = listed(tmp_path, data_3={"loc": [-0.0005, 0.5, 0.5, 1.0005]})
    made = prepared(Pikachu(root=root, validation_fraction=0.0, **SMALL))
    assert made.data["train"][Rows(0, torch.tensor([2]))][1].tolist() == [[[0, 0.5, 0.5, 1]]]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b'{"a": 1,\n"b": }', "annotations.json, line 2: not JSON"),
        (b"\xff\xfe", "not JSON"),
        (b"[1]", "wanted a JSON object, {...}, and found a list"),
        (b"3", "and found a single value"),
        (b'{"a": {}, "a": {}}', "annotations.json: 'a' is there twice"),
        (b"[" * 100_000, "not JSON"),
        (b"{}", "there is no picture to train on"),
    ],
)
def test_a_list_that_cannot_be_read_is_named(tmp_path, content, words):
    path = listed(tmp_path) / "pikachu/train/annotations.json"
    path.write_bytes(content)
    assert words in refused(prepared, Pikachu(root=tmp_path, skip_bad=True, **SMALL))


def test_a_missing_part_is_named(tmp_path):
    (listed(tmp_path) / "pikachu/val/annotations.json").unlink()
    message = refused(prepared, Pikachu(root=tmp_path, **SMALL))
    assert "val.rec: cannot be read (No such file" in message


def test_records_that_are_not_there_are_downloaded(server, tmp_path, monkeypatch):
    recorded(tmp_path / "source")
    files = []
    for file in Pikachu.files:
        body = (tmp_path / "source" / file.name).read_bytes()
        server.bodies[f"/{file.name}"] = body
        url = f"http://127.0.0.1:{server.server_port}/{file.name}"
        files.append(RemoteFile(file.name, (url,), sha1=hashlib.sha1(body).hexdigest(), most=10**6))
    monkeypatch.setattr(Pikachu, "files", tuple(files))
    for _ in range(2):
        made = prepared(Pikachu(root=tmp_path / "new", **SMALL))
        assert len(made.data["test"]) == 2
    assert server.requests == 2
    fetched = made.adopt(tmp_path / "source/pikachu")
    assert [path.name for path in fetched] == ["train.rec", "val.rec"]


def test_prepare_names_a_bad_box_in_one_line(tmp_path, capsys):
    listed(tmp_path, data_3={"loc": [0.1, 0.1, 1.1, 0.5]})
    root = str(tmp_path)
    assert "data_3: the box" in fails(capsys, "prepare", "Pikachu", "--root", root)


@pytest.mark.real
def test_the_real_corpus(real_data):
    made = prepared(Pikachu(root=real_data))
    assert [len(rows) for rows in made.data.values()] == [234, 26, 60]
    assert made.described.endswith("(260 of 900 training rows, 60 of 100 test rows)")
    for rows in made.data.values():
        images, boxes, classes = rows[Rows(0, torch.arange(len(rows)))]
        assert images.shape == (len(rows), 3, 256, 256)
        assert classes.tolist() == [[0]] * len(rows)
        sides = (boxes[..., 2:] - boxes[..., :2]).flatten()
        assert sides.min() > 0.05
        assert sides.max() < 0.4
