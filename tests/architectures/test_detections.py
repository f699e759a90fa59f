"""Boxes that a detector finds: those of a plain suppression, and the same in any batch."""

import pytest
import torch
from torchvision.ops import box_iou, nms

from zoo.object_detection.anchors import anchors_of, decode
from zoo.object_detection.detections import detect

NEAR = torch.tensor([[0.01, 0.01, 0.03, 0.03], [0.01, 0.01, 0.0299, 0.02009]])


def plainly_found(logits, offsets, anchors, least_score, overlap):
    """Picture by picture and class by class."""
    found = []
    for scores, moved in zip(logits.softmax(2)[:, :, 1:], offsets, strict=True):
        boxes, rows = decode(anchors, moved).clamp(0, 1), []
        for label in range(scores.shape[1]):
            over = scores[:, label] >= least_score
            kept = nms(boxes[over], scores[over, label], overlap)
            for place in kept.tolist():
                score = scores[over, label][place].item()
                rows.append((score, label, *boxes[over][place].tolist()))
        found.append(sorted(rows, reverse=True))
    return found


def test_boxes_are_found_as_picture_by_picture():
    torch.manual_seed(0)
    anchors = anchors_of(5, 5, [0.3, 0.5], [1.0, 2.0])
    logits, offsets = 2 * torch.randn(4, 75, 4), torch.randn(4, 75, 4)
    logits[2, :, 0] = 50  # nothing there
    found = detect(logits, offsets, anchors, 0.3, 0.4)
    wanted = plainly_found(logits, offsets, anchors, 0.3, 0.4)
    assert [len(each.scores) for each in found] == [len(rows) for rows in wanted]
    assert len(found[2].boxes) == 0
    for each, rows in zip(found, wanted, strict=True):
        ours = torch.cat([each.scores[:, None], each.labels[:, None], each.boxes], 1)
        torch.testing.assert_close(ours, torch.tensor(rows).view(-1, 6))
    outside = offsets + torch.tensor([99.0, 0, 0, 0])
    assert all(len(each.boxes) == 0 for each in detect(logits, outside, anchors, 0.3, 0.4))
    few = detect(logits, offsets, anchors, 0.3, 0.4, detections_per_img=2)
    for each, all_of_them in zip(few, found, strict=True):
        torch.testing.assert_close(each.boxes, all_of_them.boxes[:2])


@pytest.mark.parametrize("at", [0, 31, 400])
@pytest.mark.parametrize("label", [0, 19])
def test_two_boxes_are_told_apart_anywhere_in_a_batch(at, label):
    """Overlaps next to the threshold, on either side, in picture `at` and of class `label`."""
    overlap = box_iou(NEAR[:1].double(), NEAR[1:].double()).item()
    logits = torch.full((at + 1, 2, 21), -20.0)
    logits[:, :, 0] = 20.0
    logits[at, :, 0], logits[at, :, 1 + label] = -20.0, torch.tensor([9.0, 8.0])
    offsets = torch.zeros(at + 1, 2, 4)
    for moved, number in ((1e-6, 2), (-1e-6, 1)):
        found = detect(logits, offsets, NEAR, nms_thresh=overlap + moved)
        assert [len(each.boxes) for each in found] == [0] * at + [number]


@pytest.mark.parametrize("classes", [1, 3, 80])
@pytest.mark.parametrize(("rows", "least"), [(2, 0.01), (40, 0.01), (40, 0.3)])
def test_a_picture_has_the_same_boxes_in_any_batch(classes, rows, least):
    """Crowded ones, large and tiny boxes, equal scores; bit by bit."""
    generator = torch.Generator().manual_seed(classes)
    anchors = anchors_of(8, 8, [0.2, 0.02, 0.001], [1.0, 1.5])
    logits = 3 * torch.randn(rows, len(anchors), classes + 1, generator=generator).round()
    offsets = torch.randn(rows, len(anchors), 4, generator=generator) / 4
    together = detect(logits, offsets, anchors, least, 0.3)
    assert sum(len(each.boxes) for each in together) > rows
    for row, found in enumerate(together):
        (alone,) = detect(logits[[row]], offsets[[row]], anchors, least, 0.3)
        assert all(torch.equal(*pair) for pair in zip(found, alone, strict=True))
    half = detect(logits[rows // 2 :], offsets[rows // 2 :], anchors, least, 0.3)
    for found, other in zip(together[rows // 2 :], half, strict=True):
        assert all(torch.equal(*pair) for pair in zip(found, other, strict=True))


def test_the_courses_suppression():
    """d2l 14.4: four boxes, of which a dog and a cat are left."""
    anchors = torch.tensor(
        [[0.1, 0.08, 0.52, 0.92], [0.08, 0.2, 0.56, 0.95], [0.15, 0.3, 0.62, 0.91],
         [0.55, 0.2, 0.9, 0.88]]
    )  # fmt: skip
    chances = torch.tensor([[[0.1, 0.9, 0.1], [0.2, 0.8, 0.2], [0.3, 0.7, 0.3], [0.1, 0.1, 0.9]]])
    (found,) = detect(chances.log(), torch.zeros(1, 4, 4), anchors, score_thresh=0.5)
    assert found.labels.sort().values.tolist() == [0, 1]
    torch.testing.assert_close(found.boxes.sort(0).values, anchors[[0, 3]].sort(0).values)
