"""Boxes: padded rows, and how they move when pictures are changed."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torchvision import tv_tensors
from torchvision.transforms.v2 import functional as F

from datamodules import Pikachu
from datamodules.boxes.augmentation import CHANGES, BoxAugmentation
from datamodules.boxes.changes import color_jitter, crop, cut, flip, zoom_out
from datamodules.boxes.rows import Boxes, DetectionBatch
from datamodules.files.errors import CorpusError
from datamodules.pictures.changes import uniform
from tests.conftest import refused
from tests.corpora.conftest import keys, named, photographs

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
