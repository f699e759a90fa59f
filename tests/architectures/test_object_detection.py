"""Detectors: anchors, matches, offsets, losses, boxes that are found, learning, backbones."""

import json
import math
from itertools import pairwise
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from torch.nn.functional import cross_entropy
from torch.utils.data import DataLoader
from torchvision.models.detection.anchor_utils import DefaultBoxGenerator
from torchvision.models.detection.image_list import ImageList
from torchvision.ops import box_iou, generalized_box_iou, sigmoid_focal_loss

import zoo
from tests.conftest import fails, quiet_trainer
from zoo.cli.main import main
from zoo.errors import InputError
from zoo.image_classification.vgg import VGG
from zoo.object_detection.anchors import (
    anchors_of,
    decode,
    encode,
    match,
    overlaps_of,
    targets_of,
)
from zoo.object_detection.losses import box_losses, class_losses, hardest
from zoo.object_detection.ssd import SSD
from zoo.object_detection.tiny_ssd import TinySSD
from zoo.shapes import IGNORED

# d2l 14.4: a dog and a cat, and five anchors
THERE = torch.tensor([[[0.1, 0.08, 0.52, 0.92], [0.55, 0.2, 0.9, 0.88]]])
FIVE = torch.tensor(
    [
        [0.0, 0.1, 0.2, 0.3],
        [0.15, 0.2, 0.4, 0.4],
        [0.63, 0.05, 0.88, 0.98],
        [0.66, 0.45, 0.8, 0.8],
        [0.57, 0.3, 0.92, 0.9],
    ]
)


@st.composite
def some_boxes(draw, most=6):
    """Boxes on a coarse grid, so that many overlap equally."""
    number = draw(st.integers(1, most))
    corner, side = st.integers(0, 6), st.integers(1, 4)
    rows = [[draw(corner), draw(corner), draw(side), draw(side)] for _ in range(number)]
    left, top, width, height = torch.tensor(rows, dtype=torch.float32).T / 10
    return torch.stack([left, top, left + width, top + height], 1)


# Anchors


def test_the_courses_anchors():
    """Topic 25: 561 x 728 pixels, 5 anchors each, around their corners."""
    found = anchors_of(561, 728, [0.75, 0.5, 0.25], [1.0, 2.0, 0.5], placement="corner")
    assert found.shape == (2_042_040, 4)
    wanted = torch.tensor([-0.0316, 0.0706, 0.7184, 0.8206])
    torch.testing.assert_close(found.view(561, 728, 5, 4)[250, 250, 0], wanted, rtol=0, atol=5e-5)


def test_anchors_are_around_the_centres_of_pixels():
    found = anchors_of(2, 4, [0.5, 0.25], [1.0, 4.0]).view(2, 4, 3, 4)
    centres = (found[..., :2] + found[..., 2:]) / 2
    torch.testing.assert_close(centres[1, 2], torch.tensor([[0.625, 0.75]]).expand(3, 2))
    sides = found[..., 2:] - found[..., :2]
    wanted = torch.tensor([[0.5, 0.5], [0.25, 0.25], [1.0, 0.25]])
    torch.testing.assert_close(sides, wanted.expand(2, 4, 3, 2))


@given(aspect=st.floats(0.3, 3), size=st.floats(0.05, 0.9), ratio=st.floats(0.2, 5))
def test_the_ratio_is_that_in_pixels(aspect, size, ratio):
    width, height = 1000 * aspect, 1000
    found = anchors_of(3, 3, [size], [ratio], aspect=aspect)[4]
    sides = (found[2:] - found[:2]) * torch.tensor([width, height])
    assert sides[0] / sides[1] == pytest.approx(ratio, rel=1e-3)
    assert sides.prod().sqrt() == pytest.approx(size * height, rel=1e-3)


def test_anchors_are_torchvisions():
    theirs = DefaultBoxGenerator([[2.0]], min_ratio=20, max_ratio=40, scales=[0.2, 0.3], clip=False)
    images = ImageList(torch.zeros(1, 3, 60, 60), [(60, 60)])
    (found,) = theirs(images, [torch.zeros(1, 3, 5, 5)])
    ours = anchors_of(5, 5, [0.2, math.sqrt(0.2 * 0.3)], [1.0, 2.0, 0.5])
    torch.testing.assert_close(ours, found / 60, rtol=0, atol=1e-5)


# Matches and offsets


@given(boxes=some_boxes(), others=some_boxes())
def test_overlaps_are_torchvisions(boxes, others):
    found = overlaps_of(torch.stack([boxes, boxes / 2]), others)
    torch.testing.assert_close(found[0], box_iou(boxes, others))
    torch.testing.assert_close(found[1], box_iou(boxes / 2, others))
    nothing = overlaps_of(torch.zeros(1, 2, 4), torch.zeros(3, 4))
    assert (nothing == 0).all()


def test_the_courses_targets():
    """Topic 25: overlaps, classes and offsets (whose third one is 0 but for the course's eps)."""
    wanted = torch.tensor([0.0536, 0.1417, 0.5657, 0.2059, 0.7459])
    torch.testing.assert_close(box_iou(FIVE, THERE[0]).max(1).values, wanted, rtol=0, atol=5e-5)
    found = targets_of(FIVE, THERE, torch.tensor([[0, 1]]))
    assert found.classes.tolist() == [[0, 1, 2, 0, 2]]
    offsets = encode(FIVE[found.anchor], found.boxes)
    wanted = torch.tensor(
        [
            [1.4, 10, 2.594, 7.1754],
            [-1.2, 0.2688, 1.6824, -1.5655],
            [-0.5714, -1, 4.17e-6, 0.6258],
        ]
    )
    torch.testing.assert_close(offsets, wanted, rtol=0, atol=1e-4)


def plainly_matched(anchors, boxes, threshold):
    """As Liu et al. describe it, pair by pair."""
    overlaps = box_iou(anchors, boxes)
    found = [-1] * len(anchors)
    for anchor, row in enumerate(overlaps.tolist()):
        if max(row) >= threshold:
            found[anchor] = row.index(max(row))
    pairs = [(-v, a, b) for a, row in enumerate(overlaps.tolist()) for b, v in enumerate(row)]
    pairs.sort()
    anchors_left, boxes_left = set(range(len(anchors))), set(range(len(boxes)))
    for _, anchor, box in pairs:
        if anchor in anchors_left and box in boxes_left:
            found[anchor] = box
            anchors_left.remove(anchor)
            boxes_left.remove(box)
    return found


@settings(max_examples=200)
@given(pictures=st.lists(some_boxes(), min_size=1, max_size=4), threshold=st.floats(0.05, 0.95))
def test_matches_are_those_of_a_loop(pictures, threshold):
    anchors = anchors_of(4, 4, [0.3, 0.5], [1.0, 2.0])
    most = max(map(len, pictures))
    boxes, labels = torch.zeros(len(pictures), most, 4), torch.full((len(pictures), most), IGNORED)
    for row, some in enumerate(pictures):
        boxes[row, : len(some)], labels[row, : len(some)] = some, 0
    found = match(anchors, boxes, labels, threshold)
    for row, some in zip(found.tolist(), pictures, strict=True):
        assert row == plainly_matched(anchors, some, threshold)
        assert set(range(len(some))) <= set(row)  # every box has an anchor


def test_boxes_that_overlap_nothing_get_anchors_too():
    anchors = torch.tensor([[0.0, 0, 0.1, 0.1], [0.2, 0.2, 0.3, 0.3], [0.4, 0.4, 0.5, 0.5]])
    boxes = torch.tensor([[[0.8, 0.8, 0.9, 0.9], [0.9, 0.9, 1, 1], [0, 0, 0, 0]]])
    found = match(anchors, boxes, torch.tensor([[0, 0, IGNORED]]))
    assert sorted(found[0].tolist()) == [-1, 0, 1]


@given(boxes=some_boxes(), others=some_boxes())
def test_decoding_is_the_inverse_of_encoding(boxes, others):
    some = min(len(boxes), len(others))
    boxes, anchors = boxes[:some], others[:some]
    torch.testing.assert_close(decode(anchors, encode(anchors, boxes)), boxes, rtol=0, atol=1e-5)


# Losses


def test_classes_cost_their_cross_entropy_and_easy_ones_less():
    logits, classes = torch.randn(3, 7, 4), torch.randint(4, (3, 7))
    plain = class_losses(logits, classes)
    wanted = cross_entropy(logits.flatten(0, 1), classes.flatten(), reduction="none")
    torch.testing.assert_close(plain.flatten(), wanted)
    chances = logits.softmax(2).gather(2, classes[:, :, None])[:, :, 0]
    torch.testing.assert_close(class_losses(logits, classes, 2.0), plain * (1 - chances) ** 2)


def test_the_focal_loss_of_two_classes_is_torchvisions():
    logit, classes = torch.randn(5, 9), torch.randint(2, (5, 9))
    two = torch.stack([torch.zeros_like(logit), logit], 2)
    theirs = sigmoid_focal_loss(logit, classes.float(), alpha=-1, gamma=2)
    torch.testing.assert_close(class_losses(two, classes, 2.0), theirs)


def test_the_worst_of_the_others_count():
    losses = torch.tensor([[0.1, 0.9, 0.5, 0.7, 0.2], [0.3, 0.1, 0.2, 0.5, 0.4]])
    classes = torch.tensor([[1, 0, 0, 0, 0], [0, 0, 0, 0, 0]])
    found = hardest(losses, classes, 2.0).int().tolist()
    assert found == [[1, 1, 0, 1, 0], [0, 0, 0, 1, 1]]
    losses, classes = (
        torch.rand(4, 12),
        (torch.rand(4, 12) * torch.arange(1, 5)[:, None] / 2).long(),
    )
    for row, of, found in zip(losses, classes, hardest(losses, classes, 1.5), strict=True):
        there = [place for place in range(12) if of[place]]
        others = sorted(set(range(12)) - set(there), key=lambda place: -row[place])
        count = int(1.5 * max(1, len(there)))
        assert found.nonzero().flatten().tolist() == sorted(there + others[:count])


def test_boxes_cost_what_they_are_off():
    anchors, boxes = FIVE[:2], THERE[0]
    offsets = encode(anchors, boxes) + torch.tensor([0.5, -2, 0, 0])
    assert box_losses("l1", anchors, offsets, boxes).tolist() == pytest.approx([2.5] * 2)
    smooth = [0.125 + 1.5] * 2
    assert box_losses("smooth_l1", anchors, offsets, boxes).tolist() == pytest.approx(smooth, 1e-4)
    overlap = generalized_box_iou(decode(anchors, offsets), boxes).diagonal()
    torch.testing.assert_close(box_losses("giou", anchors, offsets, boxes), 1 - overlap)
    assert (box_losses("ciou", anchors, encode(anchors, boxes), boxes).abs() < 1e-5).all()


# Detectors


def drawn(rows=4, side=64, seed=0):
    """Pictures of noise with a bright square in each but the last, and its box."""
    generator = torch.Generator().manual_seed(seed)
    images = torch.randn(rows, 3, side, side, generator=generator) * 0.3
    boxes, labels = torch.zeros(rows, 1, 4), torch.zeros(rows, 1, dtype=torch.int64)
    for row in range(rows - 1):
        left, top = torch.randint(4, side // 2, (2,), generator=generator).tolist()
        extent = 16 + 4 * row
        images[row, :, top : top + extent, left : left + extent] += 2
        boxes[row, 0] = torch.tensor([left, top, left + extent, top + extent]) / side
    labels[-1] = IGNORED
    return images, boxes, labels


def test_tiny_ssd_is_the_courses():
    assert TinySSD(3, 1)(torch.zeros(1, 3, 256, 256)).shape == (1, 5444, 6)
    model = TinySSD(3, 1, negative_ratio=None, box_loss="l1", placement="corner")
    images, boxes, labels = drawn(side=128)
    outputs = model(images)
    maps = model.maps(images)
    assert [tuple(each.shape[1:]) for each in maps] == [
        *((64, 16, 16), (128, 8, 8), (128, 4, 4), (128, 2, 2), (128, 1, 1)),
    ]
    anchors = model.anchors(maps, images)
    assert model.anchors(maps, images) is anchors
    targets = targets_of(anchors, boxes, labels)
    offsets, masks = torch.zeros(4, len(anchors), 4), torch.zeros(4, len(anchors), 4)
    offsets[targets.picture, targets.anchor] = encode(anchors[targets.anchor], targets.boxes)
    masks[targets.picture, targets.anchor] = 1
    classes = cross_entropy(outputs[..., :2].transpose(1, 2), targets.classes)
    off = ((outputs[..., 2:] - offsets) * masks).abs().mean()
    step = model.step((images, boxes, labels))
    torch.testing.assert_close(step.loss, classes + off)
    assert step.sums["box_mae"].item() == pytest.approx(off.item() * 4, rel=1e-4)
    wrong = (outputs[..., :2].argmax(2) != targets.classes).float().mean()
    assert step.sums["class_error"].item() == pytest.approx(wrong.item() * 4, rel=1e-4)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"gamma": 2.0, "negative_ratio": None, "box_loss": "giou"},
        {"negative_ratio": None, "box_loss": "l1", "box_weight": 5.0},
    ],
)
def test_a_detector_learns_what_is_there_and_that_nothing_is(options):
    torch.manual_seed(0)
    sizes = [[0.25, 0.35], [0.5], [0.7], [0.8], [0.9]]
    model = TinySSD(3, 1, width_ratio=0.25, sizes=sizes, ratios=[1.0], **options)
    optimizer, rows = torch.optim.Adam(model.parameters(), lr=0.01), drawn()
    for _ in range(150):
        optimizer.zero_grad()
        model.step(rows).loss.backward()
        optimizer.step()
    model.train()  # the statistics of four pictures are no running ones
    with torch.no_grad():
        maps = model.maps(rows[0])
        logits, offsets = model.head(maps).split((2, 4), 2)
        found = model.detect(logits, offsets, model.anchors(maps, rows[0]))
    for each, boxes in zip(found[:-1], rows[1], strict=False):
        assert each.scores[0] > 0.5
        assert box_iou(each.boxes[:1], boxes).item() > 0.7
    assert not (found[-1].scores > 0.5).any()


def test_pictures_without_boxes_train():
    model = TinySSD(3, 2, width_ratio=0.25)
    images, boxes, labels = drawn()
    step = model.step((images, boxes, torch.full_like(labels, IGNORED)))
    step.loss.backward()
    assert step.loss > 0
    assert all(p.grad.isfinite().all() for p in model.parameters() if p.grad is not None)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"sizes": [[0.2], [0.4]]}, "sizes are given for 2"),
        ({"ratios": []}, "have to be above 0"),
        ({"iou_thresh": 0.0}, "iou_thresh is 0"),
        ({"negative_ratio": -1.0}, "negative_ratio is -1"),
        ({"detections_per_img": 0}, "detections_per_img has to be 1 or more, not 0"),
    ],
)
def test_options_that_cannot_be(options, words):
    with pytest.raises(InputError, match=words):
        TinySSD(3, 1, **options)


# Backbones


@pytest.mark.parametrize(
    ("backbone", "arguments"),
    [
        ("resnet.ResNet", {"width_ratio": 1 / 8}),
        ("vgg.VGG", {"width_ratio": 1 / 16}),
        ("densenet.DenseNet", {"width_ratio": 1 / 8}),
        ("googlenet.GoogLeNet", {"width_ratio": 1 / 8}),
        ("nin.NiN", {"width_ratio": 1 / 8}),
        ("alexnet.AlexNet", {"width_ratio": 1 / 8}),
    ],
)
def test_any_body_of_the_zoo_is_a_backbone(backbone, arguments):
    model = SSD(
        3, 2, image_size=128, backbone=f"zoo.image_classification.{backbone}",
        backbone_args=arguments, width=16,
    )  # fmt: skip
    images = torch.randn(2, 3, 128, 128)
    maps = model.maps(images)
    sides = [each.shape[-1] for each in maps]
    assert len(sides) == 5
    assert sides[0] <= 16
    assert all(a >= b for a, b in pairwise(sides))
    boxes, labels = torch.tensor([[[0.2, 0.2, 0.5, 0.5]]] * 2), torch.zeros(2, 1, dtype=torch.int64)
    model.step((images, boxes, labels)).loss.backward()


def test_a_backbone_brings_what_its_checkpoint_learned(tmp_path):
    network = VGG(3, 10, image_size=32, width_ratio=1 / 16, batch_norm=True)
    trainer = quiet_trainer(max_steps=1)
    rows = torch.randn(2, 3, 32, 32), torch.tensor([1, 2])
    trainer.fit(network, DataLoader([rows], batch_size=None, collate_fn=tuple))
    trainer.save_checkpoint(tmp_path / "vgg.ckpt")
    model = SSD(3, 1, image_size=64, backbone=str(tmp_path / "vgg.ckpt"))
    assert model.hparams.backbone == "zoo.image_classification.vgg.VGG"
    assert model.hparams.backbone_args["width_ratio"] == 1 / 16
    for ours, theirs in zip(model.body, network.features, strict=False):
        for one, other in zip(ours.parameters(), theirs.parameters(), strict=True):
            torch.testing.assert_close(one, other)
    again = SSD(**{k: v for k, v in model.hparams.items() if not k.startswith("_")})
    again.load_state_dict(model.state_dict())


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"backbone": "os.path.join"}, "below zoo.image_classification"),
        ({"backbone": "zoo.image_classification.resnet.Net"}, "a backbone is a class"),
        ({"backbone": "none.ckpt"}, "no such file"),
        ({"backbone": "zoo.image_classification.mlp.MLP"}, "in_features"),
        ({"backbone_args": {"depht": 18}}, "depht"),
        ({"sizes": [[0.3]]}, "sizes are given for 1 maps"),
        ({"body_lr_ratio": 0.0}, "body_lr_ratio is 0"),
    ],
)
def test_backbones_that_cannot_be(options, words):
    with pytest.raises(InputError, match=words):
        SSD(3, 1, image_size=64, **options)


# The command


@pytest.fixture
def trained():
    """A checkpoint of a small detector, trained for two steps on the stand-in."""
    fit = [
        *("fit", "ssd-pikachu", "--data.synthetic", "true", "--data.size", "64"),
        *("--model.backbone_args", "{depth: 18, width_ratio: 0.1}", "--trainer.max_epochs", "1"),
        *("--trainer.limit_train_batches", "2", "--trainer.accelerator", "cpu"),
    ]
    assert main(fit) == 0
    return "runs/ssd-pikachu/1/checkpoints/last.ckpt"


def test_pictures_of_any_size_come_back_with_boxes(trained, tmp_path, capsys):
    (tmp_path / "a").mkdir()
    for path, size in (("one.png", (90, 40)), ("a/one.png", (31, 64)), ("grey.png", (50, 50))):
        Image.new("L" if path == "grey.png" else "RGB", size, 128).save(tmp_path / path)
    paths = [str(tmp_path / name) for name in ("one.png", "a/one.png", "grey.png")]
    assert main(["predict", "--ckpt_path", trained, *paths, "--output", "found"]) == 0
    for name, size in (("one", (90, 40)), ("one-2", (31, 64)), ("grey", (50, 50))):
        assert Image.open(f"found/{name}.png").size == size
    rows = json.loads(Path("found/detections.json").read_text())
    assert {row["image_id"] for row in rows} <= {1, 2, 3}
    assert len(rows) > 0
    for row in rows:
        left, top, width, height = row["bbox"]
        whole = {1: (90, 40), 2: (31, 64), 3: (50, 50)}[row["image_id"]]
        assert 0 <= left <= left + width <= whole[0] + 0.01
        assert 0 <= top <= top + height <= whole[1] + 0.01
        assert row["category_id"] == 0
        assert 0 <= row["score"] <= 1
    out = capsys.readouterr().out
    assert "written: found" in out


def test_what_cannot_be_predicted_is_said_in_one_line(trained, tmp_path, capsys):
    assert "name the pictures" in fails(capsys, "predict", "--ckpt_path", trained)
    (tmp_path / "text.png").write_text("no picture")
    bad = fails(capsys, "predict", "--ckpt_path", trained, str(tmp_path / "text.png"))
    assert "not a picture that can be read" in bad
    assert "--beam is not for that" in fails(
        capsys, "predict", "--ckpt_path", trained, str(tmp_path / "text.png"), "--beam", "2"
    )


def test_the_measured_precision_is_that_of_the_boxes(trained):
    """On the run's own validation rows: perfect boxes are worth 1, none are worth 0."""
    model = zoo.load(trained)
    _, boxes, labels = drawn()
    for found, worth in ((True, 1.0), (False, 0.0)):
        model.on_validation_epoch_start()
        for corners, classes in zip(boxes, labels, strict=True):
            there = classes >= 0
            one = {"boxes": corners[there], "labels": classes[there]}
            scored = one | {"scores": torch.ones(int(there.sum()))}
            nothing = {name: tensor[:0] for name, tensor in scored.items()}
            model._found.append((scored if found else nothing, one))
        assert model.precisions()["map"].item() == pytest.approx(worth)
