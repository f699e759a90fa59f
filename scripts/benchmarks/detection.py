"""How fast are anchors told what to find, boxes found and detectors trained: the course, the zoo?

    ZOO_DATA=... .venv/bin/python -m scripts.benchmarks.detection [--json FILE]

One process does each piece of work in turn, the course's way and the zoo's, comparing the medians
of all turns but the first; the order swaps with each turn. All work is on the CPU and for TinySSD,
which has 5,444 anchors on pictures of 256 x 256. The course's way is the published procedure (d2l
14.4 and 14.7), written afresh:

targets      what anchors are to say, in 32 pictures with 1 box each and in 32 with 5
  course     a picture at a time: overlaps, a threshold, for each box the best pair that is left;
             offsets of all anchors, a mask, classes
  zoo        `targets_of` for the batch, and `encode` for the anchors that are to find a box
detections   the boxes found in held-out pictures of Pikachu, or of its stand-in, by a TinySSD of
             half the width, which this script trains for some epochs (--epochs), and by one that
             learned nothing, whose candidates are many
  course     a picture at a time: the boxes of all anchors, cut off at the picture's edges (as by
             MXNet's function of that name, and by the zoo), each against all that are left, best
             first, in a Python loop; then those of low scores become nothing, too
  zoo        `detect`: of the 400 best boxes of a picture those over the score, all pictures at once
training     pictures/s of the whole TinySSD in batches of 32, --steps of them a turn
  course     pictures read once, which a DataLoader stacks one by one; anchors made anew for each
             batch; targets as above; cross-entropy and L1 as means over all anchors; plain SGD;
             hits and errors taken from the device at each step
  zoo        the same model, losses and SGD under a Trainer with everything switched off: the second
             epoch of a fit, with the corpus in memory, normalised batch by batch

Before counting, both ways have to give the same: classes and masks exactly, offsets to 1e-4; the
boxes over a score of 0.01, of the best 400 boxes of a picture, with their scores (by the trained
network: of one that learned nothing, equal scores come in any order); the loss of a batch and its
gradient.

The defaults take some 7 minutes on a core that others use, too. Exits with 1 when a bar is not met.
"""

import sys
from collections.abc import Iterator, Sequence
from copy import deepcopy
from functools import partial
from time import perf_counter
from typing import Any

import torch
from lightning.pytorch import seed_everything
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, l1_loss
from torch.utils.data import DataLoader, TensorDataset

from datamodules.batches.in_memory import Rows
from datamodules.pikachu import Pikachu
from scripts.benchmarks.measuring import (
    Report,
    Way,
    alternately,
    benchmark_parser,
    lean_fit,
    lean_trainer,
    parsed,
    repeated,
)
from scripts.corpora import ready
from zoo.object_detection.anchors import encode, targets_of
from zoo.object_detection.detections import CANDIDATES, Detections, detect
from zoo.object_detection.task import RATIOS, SIZES
from zoo.object_detection.tiny_ssd import TinySSD

BATCH, SIDE, CHANNELS, CLASSES = 32, 256, 3, 1
OVERLAP, LEAST_SCORE = 0.5, 0.01
BARS: dict[str, float | None] = {
    "targets, 1 box": 6.0,
    "targets, 5 boxes": 1.5,
    "detections": 40.0,
    "detections, untrained": 4.0,
    "training": None,  # the network itself takes nearly all of it
}
sgd = partial(torch.optim.SGD, lr=0.2, weight_decay=5e-4)
adam = partial(torch.optim.Adam, lr=0.003)
Sides = dict[str, Way]  # pictures/s


# The course's way: anchors and targets


def course_anchors(
    height: int, width: int, sizes: Sequence[float], ratios: Sequence[float]
) -> Tensor:
    """Anchors around the centres of a map's pixels, (anchors, 4)."""
    y = (torch.arange(height) + 0.5) / height
    x = (torch.arange(width) + 0.5) / width
    rows, columns = torch.meshgrid(y, x, indexing="ij")
    rows, columns = rows.reshape(-1), columns.reshape(-1)
    scales, shapes = torch.tensor(sizes), torch.tensor(ratios)
    wide = torch.cat([scales * shapes[0].sqrt(), scales[0] * shapes[1:].sqrt()]) * height / width
    high = torch.cat([scales / shapes[0].sqrt(), scales[0] / shapes[1:].sqrt()])
    moves = torch.stack([-wide, -high, wide, high]).T.repeat(height * width, 1) / 2
    centres = torch.stack([columns, rows, columns, rows], dim=1)
    return centres.repeat_interleave(len(wide), dim=0) + moves


def course_overlaps(boxes: Tensor, others: Tensor) -> Tensor:
    """The IoU of each with each, (boxes, others)."""
    areas, other_areas = (
        (each[:, 2] - each[:, 0]) * (each[:, 3] - each[:, 1]) for each in (boxes, others)
    )
    corner = torch.max(boxes[:, None, :2], others[:, :2])
    end = torch.min(boxes[:, None, 2:], others[:, 2:])
    sides = (end - corner).clamp(min=0)
    common = sides[:, :, 0] * sides[:, :, 1]
    return common / (areas[:, None] + other_areas - common)


def course_owners(boxes: Tensor, anchors: Tensor) -> Tensor:
    """The box of each anchor of a picture, -1 for none."""
    overlaps = course_overlaps(anchors, boxes)
    owners = torch.full((len(anchors),), -1, dtype=torch.long)
    no_anchor, no_box = torch.full((len(anchors),), -1), torch.full((len(boxes),), -1)
    best, box = overlaps.max(dim=1)
    some = torch.nonzero(best >= OVERLAP).reshape(-1)
    owners[some] = box[best >= OVERLAP]
    for _ in range(len(boxes)):
        place = torch.argmax(overlaps)
        row, column = place // len(boxes), place % len(boxes)
        owners[row] = column
        overlaps[:, column] = no_anchor
        overlaps[row, :] = no_box
    return owners


def course_centred(boxes: Tensor) -> Tensor:
    """Corners to centres and sides, (boxes, 4)."""
    left, top, right, bottom = boxes[:, 0], boxes[:, 1], boxes[:, 2], boxes[:, 3]
    return torch.stack([(left + right) / 2, (top + bottom) / 2, right - left, bottom - top], dim=-1)


def course_offsets(anchors: Tensor, boxes: Tensor) -> Tensor:
    """Of boxes from anchors, one each, (anchors, 4)."""
    origins, places = course_centred(anchors), course_centred(boxes)
    moved = 10 * (places[:, :2] - origins[:, :2]) / origins[:, 2:]
    scaled = 5 * torch.log(1e-6 + places[:, 2:] / origins[:, 2:])
    return torch.cat([moved, scaled], dim=1)


def course_targets(anchors: Tensor, labels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Offsets and masks (batch, 4 x anchors) and classes (batch, anchors).

    Args:
        anchors: (anchors, 4).
        labels: Class and box, (batch, boxes, 5).
    """
    offsets, masks, classes = [], [], []
    for label in labels:
        owners = course_owners(label[:, 1:], anchors)
        mask = (owners >= 0).float().unsqueeze(-1).repeat(1, 4)
        kinds = torch.zeros(len(anchors), dtype=torch.long)
        boxes = torch.zeros(len(anchors), 4)
        matched = torch.nonzero(owners >= 0)
        kinds[matched] = label[owners[matched], 0].long() + 1
        boxes[matched] = label[owners[matched], 1:]
        offsets.append((course_offsets(anchors, boxes) * mask).reshape(-1))
        masks.append(mask.reshape(-1))
        classes.append(kinds)
    return torch.stack(offsets), torch.stack(masks), torch.stack(classes)


# The course's way: detections


def course_boxes(anchors: Tensor, offsets: Tensor) -> Tensor:
    """The boxes at these offsets from anchors, (anchors, 4), within the picture."""
    origins = course_centred(anchors)
    centres = offsets[:, :2] * origins[:, 2:] / 10 + origins[:, :2]
    lengths = torch.exp(offsets[:, 2:] / 5) * origins[:, 2:]
    return torch.cat([centres - lengths / 2, centres + lengths / 2], dim=1).clamp(0, 1)


def course_kept(boxes: Tensor, scores: Tensor) -> Tensor:
    """The boxes that overlap no better one that is kept, best first."""
    left, kept = torch.argsort(scores, dim=-1, descending=True), []
    while left.numel() > 0:
        best = left[0]
        kept.append(best)
        if left.numel() == 1:
            break
        overlaps = course_overlaps(boxes[best].reshape(-1, 4), boxes[left[1:]]).reshape(-1)
        left = left[torch.nonzero(overlaps <= OVERLAP).reshape(-1) + 1]
    return torch.tensor(kept)


def course_detections(logits: Tensor, offsets: Tensor, anchors: Tensor) -> Tensor:
    """Of all anchors the class (-1 for nothing), the score and the box: (batch, anchors, 6)."""
    found = []
    for chances, moved in zip(logits.softmax(2).permute(0, 2, 1), offsets, strict=True):
        scores, kinds = chances[1:].max(0)
        boxes = course_boxes(anchors, moved)
        kept = course_kept(boxes, scores)
        both = torch.cat([kept, torch.arange(len(anchors))])
        values, counts = both.unique(return_counts=True)
        gone = values[counts == 1]
        order = torch.cat([kept, gone])
        kinds[gone] = -1
        kinds, scores, boxes = kinds[order], scores[order], boxes[order]
        low = scores < LEAST_SCORE
        kinds[low] = -1
        scores[low] = 1 - scores[low]
        found.append(torch.cat([kinds[:, None], scores[:, None], boxes], dim=1))
    return torch.stack(found)


# The course's way: training


class CourseNetwork(nn.Module):
    """TinySSD as the course builds it: classes and boxes told apart, anchors with each batch.

    Args:
        zoo: Whose weights it has.
    """

    def __init__(self, zoo: TinySSD) -> None:
        super().__init__()
        self.stages, outputs = deepcopy(zoo.stages), zoo.head.outputs
        parts = [_parts(layer, outputs) for layer in zoo.head.layers]
        self.classes = nn.ModuleList(kinds for kinds, _ in parts)
        self.boxes = nn.ModuleList(offsets for _, offsets in parts)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Anchors (anchors, 4), logits (batch, anchors, classes), offsets (batch, 4 x anchors)."""
        x, anchors, logits, offsets = images, [], [], []
        for stage, kinds, boxes, sizes in zip(
            self.stages, self.classes, self.boxes, SIZES, strict=True
        ):
            x = stage(x)
            anchors.append(course_anchors(x.shape[2], x.shape[3], sizes, RATIOS))
            logits.append(kinds(x).permute(0, 2, 3, 1).flatten(1))
            offsets.append(boxes(x).permute(0, 2, 3, 1).flatten(1))
        class_logits = torch.cat(logits, dim=1).reshape(len(images), -1, CLASSES + 1)
        return torch.cat(anchors), class_logits, torch.cat(offsets, dim=1)


def _parts(layer: Any, outputs: int) -> list[nn.Conv2d]:
    """The convolutions for classes and for boxes that do what one for both does."""
    rows = torch.arange(layer.out_channels).view(-1, outputs)
    found = []
    for chosen in (rows[:, : CLASSES + 1].flatten(), rows[:, CLASSES + 1 :].flatten()):
        part = nn.Conv2d(layer.in_channels, len(chosen), kernel_size=3, padding=1)
        part.load_state_dict({"weight": layer.weight[chosen], "bias": layer.bias[chosen]})
        found.append(part)
    return found


def course_loss(outputs: Sequence[Tensor], targets: Sequence[Tensor]) -> Tensor:
    """Cross-entropy and L1 of each picture, as means over anchors: (batch)."""
    (logits, offsets), (wanted, masks, classes) = outputs, targets
    losses = cross_entropy(logits.reshape(-1, CLASSES + 1), classes.reshape(-1), reduction="none")
    off = l1_loss(offsets * masks, wanted * masks, reduction="none").mean(dim=1)
    return losses.reshape(len(logits), -1).mean(dim=1) + off


class Course:
    """The course's loop.

    Args:
        zoo: Whose weights it begins with.
        corpus: Whose pictures it reads, once.
        steps: Most of a turn.
    """

    def __init__(self, zoo: TinySSD, corpus: Pikachu, steps: int) -> None:
        self.network, self.steps = CourseNetwork(zoo), steps
        self.optimizer = sgd(self.network.parameters())
        images, boxes, labels = whole(corpus)
        rows = TensorDataset(images, torch.cat([labels[:, :, None].float(), boxes], dim=2))
        self.loader = DataLoader(rows, BATCH, shuffle=True)

    def __call__(self) -> float:
        """Trains; pictures/s."""
        start, seen, metrics = perf_counter(), 0, torch.zeros(4)
        for step, (images, labels) in enumerate(self.loader, start=1):
            self.optimizer.zero_grad()
            anchors, *outputs = self.network(images.float())
            targets = course_targets(anchors, labels)
            course_loss(outputs, targets).mean().backward()
            self.optimizer.step()
            (logits, offsets), (wanted, masks, classes) = outputs, targets
            hits = float((logits.argmax(dim=-1) == classes).sum())
            off = float(((wanted - offsets.detach()) * masks).abs().sum())
            metrics += torch.tensor([hits, classes.numel(), off, wanted.numel()])
            seen += len(images)
            if step == self.steps:
                break
        return seen / (perf_counter() - start)


# The zoo


def built(width_ratio: float = 1.0, optimizer: Any = sgd) -> TinySSD:
    """The module with the course's losses, untrained."""
    seed_everything(0, verbose=False)
    return TinySSD(
        CHANNELS,
        CLASSES,
        width_ratio,
        negative_ratio=None,
        box_loss="l1",
        optimizer=optimizer,
    )


def whole(corpus: Pikachu, split: str = "train") -> tuple[Tensor, ...]:
    """All pictures of a split as bytes, their boxes and their labels."""
    rows: Any = corpus.data[split]
    return rows[Rows(0, torch.arange(len(rows)))]


def learned(corpus: Pikachu, epochs: int) -> TinySSD:
    """One of half the width, trained by Adam."""
    network = built(0.5, adam)
    lean_trainer(max_epochs=epochs).fit(network, corpus)
    return network


@torch.no_grad()
def outputs_of(network: TinySSD, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Logits (batch, anchors, classes), offsets (batch, anchors, 4) and anchors (anchors, 4)."""
    network.eval()
    logits, offsets = network(images).split((CLASSES + 1, 4), 2)
    return logits, offsets, network.anchors(network.maps(images), images)


def zoo_targets(anchors: Tensor, labels: Tensor) -> tuple[Any, Tensor]:
    """Targets, and the offsets of the anchors that are to find a box."""
    found = targets_of(anchors, labels[:, :, 1:], labels[:, :, 0].long())
    return found, encode(anchors[found.anchor], found.boxes)


def train_zoo(network: TinySSD, corpus: Pikachu, steps: int) -> float:
    """Trains; pictures/s of the second epoch."""
    clock = lean_fit(network, corpus, limit_train_batches=steps)
    return min(steps * BATCH, len(corpus.data["train"])) / clock.training


# Whether both ways give the same


def check_targets(anchors: Tensor, labels: Tensor) -> None:
    """Raises where classes, masks or offsets differ."""
    offsets, masks, classes = course_targets(anchors, labels)
    found, moved = zoo_targets(anchors, labels)
    ours, inside = torch.zeros(2, len(labels), len(anchors), 4)
    ours[found.picture, found.anchor], inside[found.picture, found.anchor] = moved, 1.0
    torch.testing.assert_close(found.classes, classes, rtol=0, atol=0)
    torch.testing.assert_close(inside.flatten(1), masks, rtol=0, atol=0)
    torch.testing.assert_close(ours.flatten(1), offsets, rtol=0, atol=1e-4)


def check_detections(found: list[Detections], logits: Tensor, theirs: Tensor, most: int) -> None:
    """Raises where boxes or their scores differ: those of the best 400, of which most are kept."""
    scores = logits.softmax(2)[:, :, 1]
    least = scores.topk(min(CANDIDATES, scores.shape[1]), 1).values[:, -1]
    for ours, rows, score in zip(found, theirs, least, strict=True):
        kept = rows[(rows[:, 0] >= 0) & (rows[:, 1] >= score)][:most]
        torch.testing.assert_close(ours.scores, kept[:, 1])
        torch.testing.assert_close(ours.boxes, kept[:, 2:], rtol=0, atol=1e-5)
        torch.testing.assert_close(ours.labels, kept[:, 0].long())


def check_training(network: TinySSD, batch: tuple[Tensor, Tensor, Tensor]) -> None:
    """Raises where the losses of a batch or their gradients differ."""
    images, boxes, labels = batch
    course = CourseNetwork(network)
    anchors, *outputs = course(images)
    targets = course_targets(anchors, torch.cat([labels[:, :, None].float(), boxes], dim=2))
    theirs = course_loss(outputs, targets).mean()
    twin = deepcopy(network)
    ours = twin.step(batch).loss
    torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=0)
    for loss in (ours, theirs):
        loss.backward()
    for one, other in zip(twin.stages.parameters(), course.stages.parameters(), strict=True):
        torch.testing.assert_close(one.grad, other.grad, rtol=1e-3, atol=1e-5)


# What is measured


def random_labels(boxes: int) -> Tensor:
    """Class and box of objects in 32 pictures, (32, boxes, 5)."""
    generator = torch.Generator().manual_seed(boxes)
    sides = 0.15 + 0.45 * torch.rand(BATCH, boxes, 2, generator=generator)
    corner = torch.rand(BATCH, boxes, 2, generator=generator) * (1 - sides)
    kinds = torch.zeros(BATCH, boxes, 1)
    return torch.cat([kinds, corner, corner + sides], dim=2)


def sides(corpus: Pikachu, seconds: float, epochs: int, steps: int) -> Iterator[tuple[str, Sides]]:
    """Yields every piece of work and both ways to do it, once they have been seen to agree.

    Args:
        corpus: Pictures of training and the held-out ones.
        seconds: Least duration of a turn.
        epochs: Epochs of training before boxes are found.
        steps: Steps of training in a turn.
    """

    def both(pictures: int, course: Any, zoo: Any, *given: Any) -> Sides:
        ways = {"course": partial(course, *given), "zoo": partial(zoo, *given)}
        return {name: repeated(work, pictures, seconds) for name, work in ways.items()}

    images = corpus.normalise(whole(corpus, "val")[0][:BATCH])
    trained, untrained = learned(corpus, epochs), built(0.5)
    outputs = outputs_of(trained, images)
    for boxes, name in ((1, "targets, 1 box"), (5, "targets, 5 boxes")):
        labels = random_labels(boxes)
        check_targets(outputs[2], labels)
        yield name, both(BATCH, course_targets, zoo_targets, outputs[2], labels)
    check_detections(
        detect(*outputs), outputs[0], course_detections(*outputs), trained.detections_per_img
    )
    for name, found in (
        ("detections", outputs),
        ("detections, untrained", outputs_of(untrained, images)),
    ):
        yield name, both(len(images), course_detections, detect, *found)
    network = built()
    few, boxes_of, labels = (part[:4] for part in whole(corpus))
    check_training(network, (corpus.normalise(few), boxes_of, labels))
    course, zoo = Course(network, corpus, steps), partial(train_zoo, network, corpus, steps)
    yield "training", {"course": course, "zoo": zoo}


def main() -> int:
    """Parses, measures, reports; 1 if a bar is not met."""
    parser = benchmark_parser(__doc__, torch.get_num_threads())
    parser.add_argument("--seconds", type=float, default=0.5, help="least duration of a turn")
    parser.add_argument("--epochs", type=int, default=6, help="epochs before boxes are found")
    parser.add_argument("--steps", type=int, default=3, help="steps of training in a turn")
    options = parsed(parser)
    corpus = ready(Pikachu, batch_size=BATCH, size=SIDE)
    report = Report(options, corpus.described)
    for work, ways in sides(corpus, options.seconds, options.epochs, options.steps):
        rates = alternately(ways, options.repeats)
        report.add(work, "pictures/s", rates, {("zoo", "course"): BARS[work]})
    return report.end()


if __name__ == "__main__":
    sys.exit(main())
