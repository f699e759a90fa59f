"""How fast is training on Fashion-MNIST: the course's way, a bare loop, the zoo?

    ZOO_DATA=... .venv/bin/python -m scripts.benchmarks.pipeline [--json FILE]

One process trains softmax regression and LeNet (the zoo's classes, batch 256, on the CPU), an
epoch of each variant in turn, and compares the medians of all turns but the first:

course   torchvision's dataset, ToTensor, a shuffling DataLoader with workers, a hand-written loop
         that adds up loss and hits with `.item()` at each step; plain SGD
bare     an eager loop over bytes in memory, normalised as in the zoo, sums on the device; SGD
lean     the zoo's module and corpus under a Trainer with everything switched off; SGD
shipped  `zoo fit RECIPE` as it is: Adam, schedule, W&B offline, CSV, checkpoints, pictures

Timed is training, from asking for an epoch's first batch (the course starts its workers then) to
the end of its last step, and for course and shipped also the whole epoch with its evaluation, on
10,000 test and 5,000 validation rows. Of a fit of two epochs the second counts. Without the corpus
under $ZOO_DATA its stand-in is repeated to the same size. Exits with 1 when a bar is not met.
"""

import os
import struct
import sys
from argparse import Namespace
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from functools import partial
from itertools import count, islice
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any

import torch
import wandb
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.utils.data import DataLoader
from torchvision import datasets, transforms

from datamodules.batches.samplers import TrainBatches
from datamodules.fashion_mnist import RAW, FashionMNIST
from scripts.benchmarks.measuring import (
    Clock,
    Report,
    alternately,
    benchmark_parser,
    lean_fit,
    parsed,
)
from zoo.cli.compose import compose
from zoo.cli.lightning import ZooCLI
from zoo.image_classification.lenet import LeNet
from zoo.image_classification.softmax_regression import SoftmaxRegression
from zoo.task import Task

BATCH, ROWS, TEST_ROWS = 256, 55_000, 10_000
sgd = partial(torch.optim.SGD, lr=0.1)
NETWORKS: dict[str, Callable[[], Task]] = {
    "softmax_regression-fashion_mnist": lambda: SoftmaxRegression(784, 10, optimizer=sgd),
    "lenet-fashion_mnist": lambda: LeNet(1, 10, optimizer=sgd),
}
BARS = {  # lean / bare, shipped / course
    "softmax_regression-fashion_mnist": (0.55, 8.0),
    "lenet-fashion_mnist": (0.88, 1.8),
}
Seconds = tuple[float, float]  # of an epoch's training, and of all of it
Epoch = Callable[[], Seconds]


def step(network: nn.Module, optimizer: Any, images: Tensor, labels: Tensor) -> Any:
    """One step of the hand-written loops: the loss, and which rows were right."""
    logits = network(images)
    loss = cross_entropy(logits, labels)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss, logits.argmax(dim=1) == labels


def course(network: nn.Module, corpus: FashionMNIST, workers: int) -> Epoch:
    """Rows read, converted and collated one by one; after each epoch the test set."""
    train, test = (
        datasets.FashionMNIST(corpus.root, train=part, transform=transforms.ToTensor())
        for part in (True, False)
    )
    rows, _ = corpus.divide(len(train))
    train.data, train.targets = train.data[rows], train.targets[rows]  # those the zoo trains on
    train_batches = DataLoader(train, BATCH, shuffle=True, num_workers=workers)
    test_batches = DataLoader(test, BATCH, shuffle=False, num_workers=workers)
    optimizer = sgd(network.parameters())

    def epoch() -> Seconds:
        start = perf_counter()
        loss_sum, hits, seen = 0.0, 0.0, 0
        for images, labels in train_batches:
            loss, right = step(network, optimizer, images, labels)
            loss_sum += loss.item()
            hits += right.sum().item()
            seen += len(labels)
        trained = perf_counter()
        hits, seen = 0.0, 0
        network.eval()
        with torch.no_grad():
            for images, labels in test_batches:
                hits += (network(images).argmax(dim=1) == labels).float().sum().item()
                seen += len(labels)
        network.train()
        return trained - start, perf_counter() - start

    return epoch


def bare(network: nn.Module, corpus: FashionMNIST, steps: int | None = None) -> Epoch:
    """The zoo's batches in the zoo's order, and nothing that could be left out."""
    rows: Any = corpus.data["train"]
    pixels, classes = rows.tensors
    mean, std = (torch.tensor(value).view(-1, 1, 1) for value in (corpus.mean, corpus.std))
    scale, shift = 1 / (255 * std), -mean / std
    optimizer, number = sgd(network.parameters()), count()

    def epoch() -> Seconds:
        start, position = perf_counter(), (next(number), 0)
        batches = TrainBatches(rows, BATCH, seed=corpus.seed, position=lambda _: position)
        loss_sum, hits = torch.zeros(()), torch.zeros((), dtype=torch.int64)
        for _, indices in islice(batches, steps):
            labels = classes.index_select(0, indices)
            images = pixels.index_select(0, indices).float().mul_(scale).add_(shift)
            loss, right = step(network, optimizer, images, labels)
            loss_sum += loss.detach()
            hits += right.sum()
        return (perf_counter() - start,) * 2

    return epoch


def lean(network: Task, corpus: FashionMNIST, steps: int = -1) -> Seconds:
    """Trains the zoo's module under a Trainer that only trains."""
    clock = lean_fit(network, corpus, max_steps=steps)
    return clock.training, clock.whole


def shipped(recipe: str, folder: Path) -> Epoch:
    """What `zoo fit RECIPE` builds and runs; its output goes nowhere."""
    number = count(1)

    def epoch() -> Seconds:
        run = folder / "runs" / recipe / str(next(number))
        run.mkdir(parents=True)
        experiment = compose(recipe, None, None, None, ["--trainer.max_epochs=2"])
        with Path(os.devnull).open("w") as null, redirect_stdout(null), redirect_stderr(null):
            cli: Any = ZooCLI(experiment, run)
            cli.save_config()
            clock = Clock(cli.model)
            cli.trainer.fit(cli.model, cli.datamodule)
            wandb.finish()
        return clock.training, clock.whole

    return epoch


def check_equal(build: Callable[[], Task], corpus: FashionMNIST) -> None:
    """Asserts that bare and lean make the same weights out of the same five batches."""
    network, twin = build(), build()
    twin.load_state_dict(network.state_dict())
    bare(network, corpus, steps=5)()
    lean(twin, corpus, steps=5)
    for one, other in zip(network.parameters(), twin.parameters(), strict=True):
        assert torch.allclose(one, other, rtol=1e-5), "bare and lean differ after five steps"


def lay_out(num_rows: int, folder: Path) -> str:
    """Writes the corpus, or its stand-in over and over, as torchvision does; says which it was.

    There are `num_rows` to train on; the other splits are in proportion.
    """
    source = FashionMNIST(validation_fraction=0)
    if not source.files_exist:
        source = FashionMNIST(validation_fraction=0, synthetic=True)
        source.prepare_data()
    (folder / RAW).mkdir(parents=True)
    for split, name, size in (("train", "train", ROWS * 12 / 11), ("test", "t10k", TEST_ROWS)):
        rows = source.read(split)
        chosen = torch.arange(round(size * num_rows / ROWS)) % len(rows)
        images, labels = (tensor[chosen].byte() for tensor in rows.tensors)
        for kind, array in (("images-idx3", images.squeeze(1)), ("labels-idx1", labels)):
            header = struct.pack(f">{1 + array.ndim}I", 0x800 | array.ndim, *array.shape)
            (folder / RAW / f"{name}-{kind}-ubyte").write_bytes(header + array.numpy().tobytes())
    return "the synthetic stand-in, repeated" if source.synthetic else "the real corpus"


def measure(recipe: str, corpus: FashionMNIST, options: Namespace, report: Report) -> None:
    """Measures all variants of a recipe; the course is taken at its best setting."""
    build = NETWORKS[recipe]
    check_equal(build, corpus)
    variants = {f"course, w={w}": course(build(), corpus, w) for w in options.workers}
    variants |= {
        "bare": bare(build(), corpus),
        "lean": partial(lean, build(), corpus),
        "shipped": shipped(recipe, Path(corpus.root)),
    }
    seconds = alternately(variants, options.repeats)
    rows = len(corpus.data["train"])
    rates = {name: [rows / training for training, _ in each] for name, each in seconds.items()}
    courses = [name for name in rates if name.startswith("course")]
    best = max(courses, key=lambda name: median(rates[name]))
    pairs = (("lean", "bare"), ("shipped", best))
    report.add(recipe, "samples/s", rates, dict(zip(pairs, BARS[recipe], strict=True)))
    whole = {name: median(each for _, each in seconds[name]) for name in (*courses, "shipped")}
    for name, each in whole.items():
        report.check(f"{name}: {each:.2f} s an epoch with its evaluation", each, None)
    report.results[recipe]["whole_epoch_s"] = whole


def main() -> int:
    """Parses, measures, reports; 1 if a bar is not met."""
    parser = benchmark_parser(__doc__)
    parser.add_argument("--rows", type=int, default=ROWS, help="training rows an epoch")
    parser.add_argument("--workers", type=int, nargs="+", default=[4], help="the course's workers")
    options = parsed(parser)
    os.environ["CUDA_VISIBLE_DEVICES"] = ""
    os.environ.pop("WANDB_MODE", None)  # offline, as shipped
    with TemporaryDirectory() as folder:
        kind = lay_out(options.rows, Path(folder))
        os.environ["ZOO_DATA"] = folder
        corpus = FashionMNIST(batch_size=BATCH)
        corpus.setup("fit")
        report = Report(options, f"{kind} as {corpus.described}")
        for recipe in NETWORKS:
            measure(recipe, corpus, options, report)
    return report.end()


if __name__ == "__main__":
    sys.exit(main())
