"""The benchmark of detectors: the course's way is the course's, both ways agree, what is told."""

import json
import sys
from argparse import Namespace
from pathlib import Path

import pytest
import torch

from tests.conftest import ROOT

sys.path.insert(0, str(ROOT))  # scripts is not installed

from scripts.benchmarks import detection
from scripts.benchmarks.detection import (
    BARS,
    check_detections,
    check_targets,
    check_training,
    course_anchors,
    course_detections,
    course_kept,
    course_overlaps,
    course_targets,
    random_labels,
)
from scripts.benchmarks.measuring import Report, alternately, repeated
from scripts.corpora import ready
from scripts.figures.object_detection import CHANCES, FIVE, FOUND, THERE
from zoo.object_detection.anchors import anchors_of
from zoo.object_detection.detections import detect
from zoo.object_detection.tiny_ssd import TinySSD

LABELS = torch.cat([torch.tensor([[0.0], [1.0]]), THERE], 1)[None]


@pytest.fixture
def small(monkeypatch):
    """A network of a sixteenth of the width, for pictures of 64 x 64, and the corpus for it."""

    def built(width_ratio=1.0, optimizer=detection.sgd):
        torch.manual_seed(0)
        return TinySSD(
            3, 1, width_ratio / 16, negative_ratio=None, box_loss="l1", optimizer=optimizer
        )

    monkeypatch.setattr(detection, "built", built)
    monkeypatch.setattr(detection, "SIDE", 64)
    monkeypatch.setattr(detection, "BATCH", 4)
    return ready(detection.Pikachu, batch_size=4, size=64)


# The course's way


def test_the_courses_targets():
    """Topic 25."""
    overlaps = course_overlaps(FIVE, THERE).max(1).values
    wanted = torch.tensor([0.0536, 0.1417, 0.5657, 0.2059, 0.7459])
    torch.testing.assert_close(overlaps, wanted, rtol=0, atol=5e-5)
    offsets, masks, classes = course_targets(FIVE, LABELS)
    assert classes.tolist() == [[0, 1, 2, 0, 2]]
    assert masks.view(5, 4).tolist() == [[float(kind > 0)] * 4 for kind in classes[0]]
    wanted = torch.tensor(
        [
            [1.4, 10, 2.594, 7.1754],
            [-1.2, 0.2688, 1.6824, -1.5655],
            [-0.5714, -1, 4.17e-6, 0.6258],
        ]
    )
    torch.testing.assert_close(offsets.view(5, 4)[[1, 2, 4]], wanted, rtol=0, atol=1e-4)


def test_the_courses_detections():
    assert course_kept(FOUND, CHANCES[:, 1:].max(1).values).sort().values.tolist() == [0, 3]
    found = course_detections(CHANCES.log()[None], torch.zeros(1, 4, 4), FOUND)[0]
    wanted = torch.tensor([[0, 0.9], [1, 0.9]])
    torch.testing.assert_close(found[:2, :2].sort(0).values, wanted)
    assert (found[2:, 0] == -1).all()


@pytest.mark.parametrize(("height", "width"), [(4, 4), (3, 5)])
def test_anchors_are_the_zoos(height, width):
    sizes, ratios = [0.3, 0.5], [1.0, 2.0, 0.5]
    ours = anchors_of(height, width, sizes, ratios, aspect=width / height)
    theirs = course_anchors(height, width, sizes, ratios)
    torch.testing.assert_close(theirs, ours, rtol=0, atol=1e-6)


# Both ways


@pytest.mark.parametrize("boxes", [1, 2, 5])
def test_targets_agree(boxes):
    maps = ((8, [0.2, 0.3]), (4, [0.4, 0.5]), (1, [0.8, 0.9]))
    anchors = torch.cat([anchors_of(side, side, some, [1.0, 2.0, 0.5]) for side, some in maps])
    check_targets(anchors, random_labels(boxes))
    check_targets(FIVE, LABELS)


def scored(seed=0):
    generator = torch.Generator().manual_seed(seed)
    anchors = anchors_of(6, 6, [0.3, 0.5], [1.0, 2.0])
    logits = 3 * torch.randn(3, len(anchors), 2, generator=generator)
    return logits, torch.randn(3, len(anchors), 4, generator=generator), anchors


@pytest.mark.parametrize("most", [3, 100])
@pytest.mark.parametrize("candidates", [20, 400])
def test_detections_agree(candidates, most, monkeypatch):
    monkeypatch.setattr("zoo.object_detection.detections.CANDIDATES", candidates)
    monkeypatch.setattr(detection, "CANDIDATES", candidates)
    outputs = scored()
    theirs = course_detections(*outputs)
    assert not (theirs[:, :, 0] >= 0).all()
    check_detections(detect(*outputs, detections_per_img=most), outputs[0], theirs, most)


def test_detections_that_differ_are_told():
    outputs = scored()
    found = detect(*outputs)
    found[1].boxes[0] += 0.01
    with pytest.raises(AssertionError):
        check_detections(found, outputs[0], course_detections(*outputs), 100)


def test_losses_and_gradients_agree(small):
    network = detection.built()
    images, boxes, labels = (part[:3] for part in detection.whole(small))
    batch = small.normalise(images), boxes, labels
    check_training(network, batch)
    network.box_weight = 2.0
    with pytest.raises(AssertionError):
        check_training(network, batch)


# What is told


def test_the_benchmark_measures_both_ways_and_judges(small, monkeypatch, capsys):
    options = "--repeats 1 --threads 1 --seconds 0 --epochs 1 --steps 1 --json found.json"
    monkeypatch.setattr(sys, "argv", ["detection", *options.split()])
    monkeypatch.setattr(detection, "BARS", dict.fromkeys(BARS))
    assert detection.main() == 0
    monkeypatch.setattr(detection, "BARS", BARS | {"training": 1e9})
    assert detection.main() == 1
    out = capsys.readouterr().out
    assert "NOT MET" in out
    results = json.loads(Path("found.json").read_text())
    assert list(results["networks"]) == list(BARS)
    for result in results["networks"].values():
        assert [len(rates) for rates in result["all"].values()] == [1, 1]


def test_a_ratio_is_judged_by_medians(capsys):
    rates = {"course": [1.0, 2.0, 30.0], "zoo": [8.0, 11.0, 100.0]}
    report = Report(Namespace(threads=1, repeats=3, json=Path("found.json")), "a note")
    for work, bar in (("any", None), ("met", 5.5)):
        report.add(work, "pictures/s", rates, {("zoo", "course"): bar})
    assert report.end() == 0
    report.add("not met", "pictures/s", rates, {("zoo", "course"): 5.6})
    report.check("seconds", 2.0, 1.0, most=True)
    assert report.end() == 1
    out = capsys.readouterr().out
    assert "zoo / course: 5.500, turn by turn 5.500\n" in out
    assert "zoo / course: 5.500, turn by turn 5.500, wanted 5.6: NOT MET\n" in out
    assert "seconds, wanted 1 at most: NOT MET\n" in out
    found = json.loads(Path("found.json").read_text())
    assert found["header"] == report.title
    verdicts = [each["ratios"]["zoo / course"]["met"] for each in found["networks"].values()]
    assert verdicts == [True, True, False]


def test_turns_swap_and_the_first_does_not_count():
    called = []
    ways = {name: lambda name=name: called.append(name) or len(called) for name in "ab"}
    assert alternately(ways, 2) == {"a": [4, 5], "b": [3, 6]}
    assert "".join(called) == "abbaab"


def test_work_is_repeated_until_a_turn_is_filled():
    called = []
    assert repeated(lambda: called.append(1), 3)() > 0
    assert len(called) == 1
    assert repeated(lambda: called.append(1), 3, seconds=0.01)() > 0
    assert len(called) > 2
