"""Corpora with boxes: the forms they are read from, what is wrong in them, and how boxes move."""

import hashlib
import io
import json
import logging
import struct
import tempfile
import threading
import zipfile
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from lightning.pytorch import LightningModule, Trainer
from PIL import Image
from torch import nn
from torchvision import tv_tensors
from torchvision.transforms.v2 import functional as F

from datamodules import Bananas, COCOFormat, Pikachu
from datamodules.batches.in_memory import Rows
from datamodules.boxes.augmentation import CHANGES, BoxAugmentation
from datamodules.boxes.changes import color_jitter, crop, cut, flip, zoom_out
from datamodules.boxes.rows import Boxes, DetectionBatch
from datamodules.files.download import RemoteFile
from datamodules.files.errors import CorpusError
from datamodules.files.places import Place
from datamodules.formats.record_io import MARK, packed, records, write_records
from datamodules.pictures.changes import uniform
from datamodules.pictures.rows import picture_size, read_picture
from datamodules.pictures.to_predict import PictureFiles
from datamodules.synthetic import sprites
from datamodules.synthetic.canvas import OVERSAMPLING, Canvas
from tests.conftest import fails, refused
from zoo.cli.main import main

CORPORA = (Pikachu, Bananas, COCOFormat)
SMALL = {"size": 16, "batch_size": 4}


def encoded(width=24, height=16, seed=0, form="PNG") -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, form)
    return file.getvalue()


def prepared(corpus, *stages):
    corpus.prepare_data()
    for stage in stages or ("fit", "test"):
        corpus.setup(stage)
    return corpus


def transferred(corpus, batch) -> DetectionBatch:
    return corpus.on_after_batch_transfer(batch, 0)


def by_name(cls) -> str:
    return cls.__name__


# The contract


@pytest.mark.parametrize("cls", CORPORA, ids=by_name)
def test_a_batch_is_as_the_two_sides_agreed(cls):
    made = prepared(cls(synthetic=True, size=32, batch_size=8, augment=["flip", "crop"]))
    for loader in (made.train_dataloader(), made.val_dataloader(), made.test_dataloader()):
        for raw in loader:
            assert raw[0].dtype == torch.uint8
            batch = transferred(made, raw)
            assert isinstance(batch, DetectionBatch)
            images, boxes, labels = batch
            assert images.shape == (len(labels), 3, 32, 32)
            assert (images.dtype, boxes.dtype, labels.dtype) == (
                *(torch.float32, torch.float32),
                torch.int64,
            )
            assert boxes.shape == (*labels.shape, 4)
            assert labels.shape[1] >= 1
            present = labels >= 0
            assert ((labels < made.num_classes) & ((labels == -100) | present)).all()
            assert (boxes[~present] == 0).all()
            assert (present.int().diff(dim=1) <= 0).all(), "what pads comes last"
            there = boxes[present]
            assert ((there >= 0) & (there <= 1)).all()
            assert (there[:, :2] < there[:, 2:]).all()


@pytest.mark.parametrize("cls", CORPORA, ids=by_name)
def test_facts_and_what_a_checkpoint_keeps(cls):
    made = prepared(cls(synthetic=True, **SMALL))
    assert (made.in_channels, made.image_size) == (3, 16)
    assert made.num_classes == len(made.labels)
    assert made.predicts == "PICTURE ..."
    assert made.described == f"{made.title}, synthetic stand-in, 86 train + 10 val + 24 test rows"
    state = made.state_dict()
    assert state["class_path"].endswith(cls.__name__)
    assert "root" not in state["arguments"]
    assert state["labels"] == list(made.labels)
    assert (state["size"], state["crop_size"], state["resize"]) == (16, None, None)
    assert (state["mean"], state["std"]) == (list(made.mean), list(made.std))
    assert len(state["category_ids"]) == made.num_classes
    made.load_state_dict(state)
    message = refused(made.load_state_dict, {**state, "labels": ["dog"]})
    assert "trained on the classes dog" in message


def test_pixels_are_normalised_and_come_back():
    made = prepared(Pikachu(synthetic=True, **SMALL), "test")
    raw = next(iter(made.test_dataloader()))
    images = transferred(made, raw).images
    mean, std = (torch.tensor(values).view(-1, 1, 1) for values in (made.mean, made.std))
    torch.testing.assert_close(images, (raw[0] / 255 - mean) / std, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(made.denormalise(images) * 255, raw[0].float(), rtol=0, atol=0.01)


def test_the_whole_picture_is_squeezed_into_the_square(tmp_path):
    left = np.zeros((10, 40, 3), dtype=np.uint8)
    left[:, :10] = 255  # the middle square is black
    Image.fromarray(left).save(tmp_path / "a.png")
    arguments = {"labels": ["a"], "mean": [0.0] * 3, "std": [1.0] * 3, "size": 8}
    for whole, wanted in ((False, 0), (True, 255)):
        files = PictureFiles([str(tmp_path / "a.png")], whole=whole, **arguments)
        assert files.rows[Rows(0, torch.tensor([0]))][0][0, 0, 4, 0] == wanted
    assert picture_size(Place(tmp_path / "a.png")) == (40, 10)
    as_it_is = read_picture(Place(tmp_path / "a.png"), 3)
    assert torch.equal(as_it_is.movedim(0, -1), torch.from_numpy(left))


def test_rows_that_do_not_fit_into_memory_are_the_same(monkeypatch):
    kept = prepared(COCOFormat(synthetic=True, **SMALL), "test")
    monkeypatch.setattr("datamodules.pictures.rows.IN_MEMORY", 1)
    decoded = prepared(COCOFormat(synthetic=True, **SMALL), "test")
    for one, other in zip(kept.test_dataloader(), decoded.test_dataloader(), strict=True):
        assert all(map(torch.equal, one, other))
    moved, rows = decoded.data["test"].to("cpu"), Rows(3, torch.tensor([5, 4]))
    assert all(map(torch.equal, moved[rows], kept.data["test"][rows]))


def test_a_process_without_rows_gets_an_empty_batch():
    made = prepared(COCOFormat(synthetic=True, **SMALL), "test")
    empty = made.data["test"][Rows(0, torch.arange(0))]
    assert [tuple(part.shape) for part in empty] == [(0, 3, 16, 16), (0, 1, 4), (0, 1)]
    assert transferred(made, empty).images.shape == (0, 3, 16, 16)


# Boxes, padded


@given(st.lists(st.integers(0, 4), min_size=1, max_size=8), st.data())
def test_boxes_are_gathered_as_one_by_one(counts, data):
    rows = data.draw(st.lists(st.integers(0, len(counts) - 1), max_size=6))
    total = sum(counts)
    flat = torch.arange(4 * total).view(-1, 4).float() + 1
    boxes = Boxes(flat, torch.arange(total), torch.tensor(counts))
    found, labels = boxes.padded(torch.tensor(rows, dtype=torch.long))
    most = max([1, *(counts[row] for row in rows)])
    assert found.shape == (len(rows), most, 4)
    starts = np.cumsum([0, *counts])
    for row, place, label in zip(rows, found, labels, strict=True):
        own = slice(starts[row], starts[row + 1])
        assert place.tolist() == flat[own].tolist() + [[0] * 4] * (most - counts[row])
        assert label.tolist() == list(range(total))[own] + [-100] * (most - counts[row])


# Changes


def photographs(n, side=32):
    generator = torch.Generator().manual_seed(0)
    coarse = torch.randint(0, 256, (n, 3, 4, 4), generator=generator, dtype=torch.uint8)
    return F.resize(coarse, [side, side], antialias=True)


def keys(n, epoch=0):
    return (epoch << 32) + torch.arange(n)


def boxed(n, most=3, side=32, seed=0) -> DetectionBatch:
    """Pictures with 0 to `most` boxes, whose corners are at pixels."""
    rng = np.random.default_rng(seed)
    boxes, labels = torch.zeros(n, most, 4), torch.full((n, most), -100)
    for row in range(n):
        for place in range(int(rng.integers(0, most + 1))):
            left, top = rng.integers(0, side - 2, 2)
            right, bottom = rng.integers(left + 1, side), rng.integers(top + 1, side)
            boxes[row, place] = torch.tensor([left, top, right, bottom]) / side
            labels[row, place] = int(rng.integers(5))
    return DetectionBatch(photographs(n, side), boxes, labels)


EVERY = [
    *("flip", "crop", {"zoom_out": {"p": 0.8}}),
    {"color_jitter": {"brightness": 0.5, "contrast": 0.5, "saturation": 0.5, "hue": 0.1}},
]


def named(entry):
    return entry if isinstance(entry, str) else next(iter(entry))


def test_every_change_has_a_test_here():
    assert {named(entry) for entry in EVERY} == set(CHANGES)


@pytest.mark.parametrize("entry", EVERY, ids=named)
def test_a_picture_is_changed_by_its_own_key_alone(entry):
    batch = boxed(32)
    before = DetectionBatch(*(part.clone() for part in batch))
    change = BoxAugmentation([entry], 32, Pikachu.mean).change
    whole = change(batch, keys(32))
    assert whole.images.dtype == torch.uint8
    for part, old, new in zip(batch, before, whole, strict=True):
        assert torch.equal(part, old)
        assert part.shape == new.shape
        assert part.dtype == new.dtype
    some = change(DetectionBatch(*(part[5:9] for part in batch)), keys(32)[5:9])
    for one, other in zip(some, whole, strict=True):
        torch.testing.assert_close(one, other[5:9], rtol=0, atol=0)
    assert not torch.equal(change(batch, keys(32, epoch=1)).images, whole.images)
    assert (whole.images != batch.images).flatten(1).any(1).float().mean() > 0.3
    present = whole.labels >= 0
    assert (whole.boxes[~present] == 0).all()
    assert (whole.boxes[present][:, :2] < whole.boxes[present][:, 2:]).all()


@given(st.integers(0, 2**40), st.integers(0, 1000))
def test_flip_is_torchvisions_of_each_picture(key, seed):
    batch = boxed(6, seed=seed)
    given_keys = key + torch.arange(6)
    result = flip(batch, given_keys)
    for row, mirrored in enumerate((uniform(given_keys, 0) < 0.5).tolist()):
        present = batch.labels[row] >= 0
        boxes = tv_tensors.BoundingBoxes(
            32 * batch.boxes[row][present], format="XYXY", canvas_size=(32, 32)
        )
        image = tv_tensors.Image(batch.images[row])
        if mirrored:
            boxes, image = F.horizontal_flip(boxes), F.horizontal_flip(image)
        torch.testing.assert_close(32 * result.boxes[row][present], torch.as_tensor(boxes))
        assert torch.equal(result.images[row], torch.as_tensor(image))
    assert torch.equal(result.labels, batch.labels)
    assert (result.boxes[batch.labels < 0] == 0).all()


@given(st.integers(0, 1000))
def test_cut_is_torchvisions_of_each_picture(seed):
    """The boxes, and away from the edge of the window the pixels too."""
    side, rng = 32, np.random.default_rng(seed)
    batch = boxed(6, side=side, seed=seed)
    corner = rng.integers(0, side // 2, (6, 2))
    sides = rng.integers(side // 4, side // 2, (6, 2))
    windows = torch.from_numpy(np.concatenate([corner, corner + sides], axis=1)) / side
    result = cut(batch, windows.float())
    for row in range(6):
        (left, top), (width, height) = corner[row].tolist(), sides[row].tolist()
        present = batch.labels[row] >= 0
        old = side * batch.boxes[row][present]
        boxes = tv_tensors.BoundingBoxes(old, format="XYXY", canvas_size=(side, side))
        window = (top, left, height, width, [side, side])
        boxes = F.clamp_bounding_boxes(F.resized_crop(boxes, *window))
        middle = (old[:, :2] + old[:, 2:]) / 2 - torch.tensor([left, top])
        kept = ((middle > 0) & (middle < torch.tensor([width, height]))).all(1)
        count = int(kept.sum())
        if present.any() and not count:
            assert torch.equal(result.images[row], batch.images[row])
            assert torch.equal(result.boxes[row], batch.boxes[row])
            assert torch.equal(result.labels[row], batch.labels[row])
            continue
        found = side * result.boxes[row]
        torch.testing.assert_close(found[:count], torch.as_tensor(boxes)[kept], atol=1e-3, rtol=0)
        assert (found[count:] == 0).all()
        wanted = batch.labels[row][present][kept].tolist()
        assert result.labels[row].tolist() == wanted + [-100] * (3 - count)
        pixels = F.resized_crop(batch.images[row], *window, antialias=False)
        edge = slice(side // 6, -(side // 6))
        difference = (result.images[row].int() - pixels.int())[:, edge, edge].abs()
        assert difference.max() <= 1


def test_windows_have_the_areas_and_shapes_asked_for():
    """A box that fills its picture says, by how it is cut, nothing; what is in it does."""
    count, side = 400, 64
    across = torch.arange(side).expand(side, side) * 4
    images = torch.stack([across, across.T, across]).byte().expand(count, -1, -1, -1)
    batch = DetectionBatch(images, torch.zeros(count, 1, 4), torch.full((count, 1), -100))
    seen = crop(batch, keys(count), scale=(0.25, 0.64), ratio=(0.5, 2.0)).images.float()
    spans = torch.stack(
        [seen[:, 0, 0, -1] - seen[:, 0, 0, 0], seen[:, 1, -1, 0] - seen[:, 1, 0, 0]]
    )
    spans = spans / 4 / side + 0.01
    area, shape = spans.prod(0), spans[0] / spans[1]
    assert 0.2 < area.min() < 0.3
    assert 0.55 < area.max() < 0.68
    assert 0.45 < shape.min() < 0.6
    assert 1.7 < shape.max() < 2.2
    assert abs(shape.log().mean()) < 0.06


def test_no_picture_loses_all_its_boxes_and_some_lose_one():
    batch = boxed(200)
    cropped = crop(batch, keys(200))
    before, after = ((part >= 0).sum(1) for part in (batch.labels, cropped.labels))
    assert ((after > 0) == (before > 0)).all()
    assert (after <= before).all()
    assert (after < before).any()
    empty = before == 0
    assert (cropped.images[empty] != batch.images[empty]).flatten(1).any(1).float().mean() > 0.9


def test_zoom_out_moves_the_boxes_with_what_they_are_around():
    count, side = 64, 64
    images = torch.zeros(count, 3, side, side, dtype=torch.uint8)
    images[:, :, 16:40, 8:48] = 255
    boxes = torch.tensor([8, 16, 48, 40]).div(side).repeat(count, 1, 1)
    batch = DetectionBatch(images, boxes, torch.zeros(count, 1, dtype=torch.long))
    fill = torch.tensor([10.0, 20.0, 30.0])
    result = zoom_out(batch, keys(count), fill, side_range=(1.0, 3.0), p=0.75)
    drawn = uniform(keys(count), 37) < 0.75
    assert 0 < drawn.sum() < count
    assert torch.equal(result.images[~drawn], images[~drawn])
    assert torch.equal(result.boxes[~drawn], boxes[~drawn])
    for image, (left, top, right, bottom) in zip(
        result.images[drawn], side * result.boxes[drawn][:, 0], strict=True
    ):
        rows, columns = (image[0] > 127).nonzero(as_tuple=True)
        bright = torch.stack([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1])
        wanted = torch.stack([left, top, right, bottom])
        torch.testing.assert_close(bright.float(), wanted, atol=1.01, rtol=0)
    grounds = (result.images[drawn] == fill.view(-1, 1, 1)).all(1).flatten(1).any(1)
    assert grounds.float().mean() > 0.9


def test_colours_change_and_boxes_stay():
    batch = boxed(8)
    result = color_jitter(batch, keys(8), brightness=0.5)
    assert not torch.equal(result.images, batch.images)
    assert torch.equal(result.boxes, batch.boxes)
    assert torch.equal(result.labels, batch.labels)


def test_the_order_of_the_list_is_that_of_the_changes():
    batch = boxed(16)
    fill = 255 * torch.tensor(Pikachu.mean)
    listed = BoxAugmentation(["crop", "zoom_out"], 32, Pikachu.mean).change(batch, keys(16))
    for one, other in zip(listed, zoom_out(crop(batch, keys(16)), keys(16), fill), strict=True):
        assert torch.equal(one, other)


@pytest.mark.parametrize(
    ("augment", "words"),
    [
        (["flop"], "no change is called flop; there are: flip, crop, zoom_out, color_jitter"),
        (["mixup"], "no change is called mixup"),
        ([{"crop": {"scael": [0.5, 1]}}], "augment, crop: there is no option scael; there are"),
        ([{"zoom_out": {"fill": 3}}], "zoom_out: there is no option fill; .*: side_range, p"),
        ([{"crop": {"scale": [0, 1]}}], "augment, crop: scale has to be within 0 and 1"),
        ([{"crop": {"ratio": [2, 1]}}], "augment, crop: ratio has to be above 0, ascending"),
        ([{"zoom_out": {"side_range": [0.5, 1]}}], "zoom_out: side_range has to be from 1 on"),
        ([{"color_jitter": {"hue": 0.7}}], "color_jitter: hue has to be from 0 to 0.5"),
        ([{"flip": 3}], "augment, flip: wanted {option: value}"),
        ([["flip"]], "wanted a name or"),
    ],
)
def test_what_cannot_be_done_is_said_at_once(augment, words):
    with pytest.raises(CorpusError, match=words):
        Pikachu(augment=augment)


def test_a_size_that_is_none_is_refused():
    assert "size must be at least 1" in refused(Pikachu, size=0)


# Workers and resumes


class OneBox(LightningModule):
    """As small as a detector can be; writes down the batches that it sees."""

    def __init__(self, folder=None):
        super().__init__()
        self.head = nn.Linear(3, 4)
        self.folder = folder
        self.seen = []

    def training_step(self, batch, batch_idx):
        self.seen.append([part.clone() for part in batch])
        return (self.head(batch.images.mean((2, 3))) - batch.boxes[:, 0]).square().mean()

    def on_train_batch_end(self, *_):
        if self.folder:
            self.trainer.save_checkpoint(self.folder / f"{len(self.seen)}.ckpt")

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), 0.1)


def seen(folder=None, ckpt_path=None, workers=0):
    data = COCOFormat(
        synthetic=True, size=16, batch_size=20, num_workers=workers, augment=["flip", "crop"]
    )
    quiet = {"enable_progress_bar": False, "enable_model_summary": False, "logger": False}
    model = OneBox(folder)
    trainer = Trainer(accelerator="cpu", max_epochs=2, enable_checkpointing=False, **quiet)
    trainer.fit(model, data, ckpt_path=ckpt_path)
    return model.seen


def test_a_resume_and_workers_see_the_same_batches(tmp_path):
    whole = seen(tmp_path)
    assert len(whole) == 10
    assert not torch.equal(whole[0][0], whole[5][0])
    rest = seen(ckpt_path=tmp_path / "3.ckpt")
    for wanted, found in ((whole[3:], rest), (whole, seen(workers=2))):
        for one, other in zip(wanted, found, strict=True):
            assert all(map(torch.equal, one, other))


# RecordIO

WORDS = st.sampled_from([MARK, b"\0" * 4, b"abcd", MARK[:2], b"x"])
CONTENTS = st.lists(WORDS, max_size=12).map(b"".join)


@given(st.lists(CONTENTS, max_size=6))
def test_records_come_back_with_the_magic_in_them_or_without(contents):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.rec"
        write_records(path, contents)
        found = list(records(path))
        assert [record.read() for record in found] == contents
        assert [record.number for record in found] == list(range(len(contents)))
        size = path.stat().st_size
        assert size % 4 == 0
        # As dmlc-core writes it: whole records are not parted, and the magic begins each part.
        words = path.read_bytes()
        marks = sum(words[at : at + 4] == MARK for at in range(0, size, 4))
        aligned = sum(
            content[at : at + 4] == MARK
            for content in contents
            for at in range(0, len(content) - 3, 4)
        )
        assert marks == len(contents) + aligned


def test_a_record_is_read_as_mxnet_writes_it(tmp_path):
    """Bytes laid out by hand, by the description in dmlc-core."""
    picture = encoded()
    header = struct.pack("<IfQQ", 9, 0.0, 7, 0)
    labels = struct.pack("<9f", 4, 5, 24, 16, 0, 0.25, 0.5, 0.75, 1)
    content = header + labels + picture
    padding = bytes(-len(content) % 4)
    single = struct.pack("<IfQQ", 0, 3.5, 8, 0) + picture
    parts = struct.pack("<II", 0xCED7230A, 1 << 29 | 4) + b"abcd"
    parts += struct.pack("<II", 0xCED7230A, 2 << 29 | 0)
    parts += struct.pack("<II", 0xCED7230A, 3 << 29 | 2) + b"ef\0\0"
    path = tmp_path / "a.rec"
    path.write_bytes(
        struct.pack("<II", 0xCED7230A, len(content)) + content + padding + parts
        + struct.pack("<II", 0xCED7230A, len(single)) + single
    )  # fmt: skip
    one, two, three = records(path)
    assert one.labels().tolist() == [4, 5, 24, 16, 0, 0.25, 0.5, 0.75, 1]
    assert one.open().read() == picture
    assert two.read() == b"abcd" + MARK + MARK + b"ef"
    assert three.labels().tolist() == [3.5]
    assert three.offset == 8 + len(content + padding + parts)
    assert packed([4, 5, 24, 16, 0, 0.25, 0.5, 0.75, 1], picture, 7) == content


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
    with pytest.raises(CorpusError, match=rf"train\.rec, record 2 at byte [\d,]+: .*{words}") as e:
        prepared(Pikachu(root=root, **options))
    assert "\n" not in str(e.value)
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


# Pikachu as JSON


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
    with pytest.raises(CorpusError, match=rf"train/annotations\.json, data_3: {words}") as error:
        prepared(Pikachu(root=root, **options))
    assert "\n" not in str(error.value)
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


# Bananas


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
    with pytest.raises(CorpusError, match=rf"bananas_train/label\.csv, line 4: .*{words}") as error:
        prepared(Bananas(root=root, **options))
    assert "\n" not in str(error.value)
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


# COCO


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
        (first("images", file_name="../pictures/a.png"), "image 7: there is no picture", 3),
        (first("images", file_name="b.png"), "image 8: the picture b is there twice", 3),
        (first("images", width=0), "image 7: no picture is 0 x 16", 3),
        (first("images", height="a"), "image 7: no picture is 24 x a", 3),
        (first("images", width=16, height=24), "image 7: .*a.png is 24 x 16, not 16 x 24", 3),
        (again("images"), "image 7: the id is there twice", 4),
    ],
)
def test_a_bad_entry_of_coco_is_named_or_counted(tmp_path, spoil, words, left):
    coco(tmp_path, spoil)
    with pytest.raises(CorpusError, match=rf"train\.json, .*{words}") as error:
        prepared(own(tmp_path), "fit")
    assert "\n" not in str(error.value)
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
    assert "--data.annotations FILE" in message
    assert "--data.synthetic true" in message
    assert "--data.annotations FILE" in refused(lambda: COCOFormat(**SMALL).num_classes)
    assert "train.json: there is no such file, here or under" in refused(own(tmp_path).prepare_data)
    coco(tmp_path)
    made = own(tmp_path, test_annotations=tmp_path / "t.json")
    assert "t.json: there is no such file" in refused(made.prepare_data)
    message = refused(prepared, own(tmp_path, pictures=tmp_path / "none"))
    assert "none: cannot be read as a folder or a zip" in message
    assert "--data.annotations a.json" in refused(own(tmp_path).adopt, Path("a.json"))


def test_ids_that_are_texts_are_ids_too(tmp_path):
    def spoil(content):
        for key, name in (("images", "id"), ("annotations", "image_id")):
            for entry in content[key]:
                entry[name] = f"n{entry[name]}"

    coco(tmp_path, spoil)
    assert len(prepared(own(tmp_path), "fit").data["train"]) == 4


# Download


@pytest.fixture
def server(monkeypatch):
    """Serves `bodies` by path."""
    monkeypatch.setenv("NO_PROXY", "*")

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            body = self.server.bodies[self.path]
            self.server.requests += 1
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            with suppress(ConnectionError):
                self.wfile.write(body)

        def log_message(self, *_):
            pass

    served = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    served.requests, served.bodies = 0, {}
    threading.Thread(target=served.serve_forever, args=(0.02,), daemon=True).start()
    yield served
    served.shutdown()
    served.server_close()


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


@pytest.mark.parametrize(
    ("cls", "digests"),
    [
        (
            Pikachu,
            {
                "train.rec": "e6bcb6ffba1ac04ff8a9b1115e650af56ee969c8",
                "val.rec": "d6c33f799b4d058e82f2cb5bd9a976f69d72d520",
            },
        ),
        (Bananas, {"banana-detection.zip": "5de26c8fce5ccdea9f91267273464dc968d20d72"}),
    ],
    ids=["Pikachu", "Bananas"],
)
def test_absent_and_offline_names_the_files_and_the_ways_out(tmp_path, monkeypatch, cls, digests):
    assert {Path(file.name).name: file.sha1 for file in cls.files} == digests
    offline = tuple(
        RemoteFile(file.name, ("http://127.0.0.1:9/x",), sha1=file.sha1, most=9)
        for file in cls.files
    )
    monkeypatch.setattr(cls, "files", offline)
    message = refused(cls(root=tmp_path).prepare_data)
    for words in (*digests, "--from", "synthetic"):
        assert words in message


# The stand-ins


def test_the_stand_ins_are_the_same_each_time_and_in_the_forms_of_the_corpora(tmp_path):
    writers = (sprites.write_records, sprites.write_table, sprites.write_coco)
    for writer in writers:
        one, two = (tmp_path / name / writer.__name__ for name in ("one", "two"))
        for folder in (one, two):
            writer(folder)
        files = [path for path in sorted(one.rglob("*")) if path.is_file()]
        assert files
        for file in files:
            assert file.read_bytes() == (two / file.relative_to(one)).read_bytes()
    assert len(list(records(tmp_path / "one/write_records/train.rec"))) == 96


def test_a_box_is_around_its_sprite(monkeypatch):
    """The same place without the sprite is the same picture outside, not along its edges."""
    monkeypatch.setattr(Canvas, "photographed", lambda self, _: self.picture)
    for seed in range(9):
        picture, (sprite,) = sprites.draw(np.random.default_rng(seed), [seed % 3])
        bare, none = sprites.draw(np.random.default_rng(seed), [])
        assert none == []
        rows, columns = (np.asarray(picture) != np.asarray(bare)).any(-1).nonzero()
        around = (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
        assert sprite.box == tuple(round(edge / OVERSAMPLING, 2) for edge in around)
        assert 10 < max(np.subtract(sprite.box[2:], sprite.box[:2])) < 64


def test_pictures_of_several_sprites_hide_none():
    counts = set()
    made = prepared(COCOFormat(synthetic=True, **SMALL), "fit")
    boxes, classes = made.data["train"].boxes.padded(torch.arange(96))
    for place, labels_of in zip(boxes, classes, strict=True):
        there = place[labels_of >= 0]
        counts.add(len(there))
        left_top = torch.maximum(there[:, None, :2], there[None, :, :2])
        right_bottom = torch.minimum(there[:, None, 2:], there[None, :, 2:])
        common = (right_bottom - left_top).clamp(min=0).prod(-1)
        areas = (there[:, 2:] - there[:, :2]).prod(-1)
        torch.testing.assert_close(common.diagonal(), areas)
        assert (common - common.diagonal().diag()).sum() <= 0.05 * areas.sum()
    assert counts == {0, 1, 2, 3}
    assert set(classes.unique().tolist()) == {-100, 0, 1, 2}


# The command


def test_the_command_knows_them(capsys):
    for cls in CORPORA:
        assert main(["show", cls.__name__]) in (0, None)
        shown = capsys.readouterr().out
        assert "skip_bad" in shown
        assert "(images, boxes, labels)" in shown


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
