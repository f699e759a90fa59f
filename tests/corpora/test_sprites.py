"""Synthetic pictures with boxes: the same each time, boxes around what is drawn."""

import numpy as np
import torch

from datamodules import COCOFormat
from datamodules.formats.record_io import records
from datamodules.synthetic import sprites
from datamodules.synthetic.canvas import OVERSAMPLING, Canvas
from tests.corpora.conftest import SMALL, prepared


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
