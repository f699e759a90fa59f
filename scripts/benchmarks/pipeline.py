"""How fast is training on Fashion-MNIST: the course's way, a bare loop, the zoo?

    ZOO_DATA=... .venv/bin/python scripts/benchmarks/pipeline.py [--json FILE]

One process trains softmax regression and LeNet (the zoo's classes, batch 256) in turns, one epoch
of each variant after the other, as often as `--repeats` says, and compares medians:

course   torchvision's dataset, ToTensor, a shuffling DataLoader with workers, a hand-written loop
         that adds up loss and hits with `.item()` at each step; plain SGD
bare     an eager loop over uint8 tensors in memory, the zoo's normalisation, sums on the device; SGD
lean     the zoo's module and corpus under a Trainer with everything switched off; SGD
shipped  `zoo fit RECIPE` as it is: Adam, schedule, W&B offline, CSV, checkpoints, pictures

Timed is the training part of an epoch: from asking for the first batch (the course starts its
workers then) to the end of the last step; for course and shipped also the whole epoch with its
evaluation. Of a fit, the second epoch counts; the first pass over all variants does not. Without
the corpus under $ZOO_DATA its stand-in is repeated to the same size. Runs on the CPU alone.
"""

import argparse
import json
import os
import platform
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from functools import partial
from itertools import count, islice
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any, NamedTuple

import lightning.pytorch as pl
import torch
import torchvision
import wandb
from rich.console import Console
from rich.table import Table
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.optim import SGD
from torch.utils.data import DataLoader

from datamodules.fashion_mnist import RAW, FashionMNIST
from datamodules.samplers import TrainBatches
from zoo.cli.experiment import compose
from zoo.cli.lightning import ZooCLI, quiet
from zoo.image_classification.lenet import LeNet
from zoo.image_classification.softmax_regression import SoftmaxRegression
from zoo.task import Task

BATCH = 256
ROWS, TEST_ROWS = 55_000, 10_000
sgd = partial(SGD, lr=0.1)


class Subject(NamedTuple):
    """A network, the recipe that ships it, and the ratios it must reach."""

    build: Callable[[], Task]
    recipe: str
    lean_of_bare: float
    shipped_of_course: float


SUBJECTS = {
    "softmax regression": Subject(
        lambda: SoftmaxRegression(in_features=784, num_classes=10, optimizer=sgd),
        *("softmax_regression-fashion_mnist", 0.55, 8),
    ),
    "LeNet": Subject(
        lambda: LeNet(in_channels=1, num_classes=10, optimizer=sgd),
        *("lenet-fashion_mnist", 0.88, 1.8),
    ),
}


class Seconds(NamedTuple):
    """What one epoch took: its training part, and all of it where it evaluates."""

    training: float
    whole: float | None = None


Variant = Callable[[], Seconds]


def course(network: nn.Module, corpus: FashionMNIST, workers: int) -> Variant:
    """Rows read, converted and collated one by one; evaluation on the test set each epoch."""
    convert = torchvision.transforms.ToTensor()
    train, test = (
        torchvision.datasets.FashionMNIST(corpus.root, train=part, transform=convert)
        for part in (True, False)
    )
    rows, _ = corpus.divide(len(train))
    train.data, train.targets = train.data[rows], train.targets[rows]  # what the zoo trains on
    train_batches = DataLoader(train, batch_size=BATCH, shuffle=True, num_workers=workers)
    test_batches = DataLoader(test, batch_size=BATCH, shuffle=False, num_workers=workers)
    loss_function = nn.CrossEntropyLoss()
    optimizer = sgd(network.parameters())

    def epoch() -> Seconds:
        start = perf_counter()
        loss_sum, hits, seen = 0.0, 0.0, 0
        for images, labels in train_batches:
            logits = network(images)
            loss = loss_function(logits, labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            loss_sum += loss.item()
            hits += (logits.argmax(dim=1) == labels).sum().item()
            seen += len(labels)
        trained = perf_counter()
        hits, seen = 0.0, 0
        network.eval()
        with torch.no_grad():
            for images, labels in test_batches:
                hits += (network(images).argmax(dim=1) == labels).float().sum().item()
                seen += len(labels)
        network.train()
        return Seconds(trained - start, perf_counter() - start)

    return epoch


def bare(network: nn.Module, corpus: FashionMNIST, steps: int | None = None) -> Variant:
    """Nothing that could be left out, given the zoo's batches in the zoo's order."""
    rows = corpus.data["train"]
    pixels, classes = rows.tensors
    scale = 1 / (255 * torch.tensor(corpus.std).view(-1, 1, 1))
    shift = -(torch.tensor(corpus.mean) / torch.tensor(corpus.std)).view(-1, 1, 1)
    optimizer = sgd(network.parameters())
    number = count()

    def epoch() -> Seconds:
        start = perf_counter()
        position = next(number), 0
        batches = TrainBatches(rows, BATCH, seed=corpus.seed, position=lambda _: position)
        loss_sum, hits = torch.zeros(()), torch.zeros((), dtype=torch.int64)
        for _, indices in islice(batches, steps):
            labels = classes.index_select(0, indices)
            images = torch.addcmul(shift, pixels.index_select(0, indices).float(), scale)
            logits = network(images)
            loss = cross_entropy(logits, labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            loss_sum += loss.detach()
            hits += (logits.argmax(dim=1) == labels).sum()
        return Seconds(perf_counter() - start)

    return epoch


class Clock(pl.Callback):
    """Times the last epoch of a fit."""

    start = training = whole = 0.0

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self.start, self.training = perf_counter(), 0.0

    def on_validation_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self.training = self.training or perf_counter() - self.start

    on_train_epoch_end = on_validation_start

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self.whole = perf_counter() - self.start


def lean(network: Task, corpus: FashionMNIST, **limit: int) -> Variant:
    """The zoo under a Trainer that only trains."""

    def epoch() -> Seconds:
        clock = Clock()
        trainer = pl.Trainer(
            **(limit or {"max_epochs": 2}),
            callbacks=[clock],
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            num_sanity_val_steps=0,
            limit_val_batches=0,
        )
        trainer.fit(network, corpus)
        return Seconds(clock.training)

    return epoch


def shipped(recipe: str, corpus: FashionMNIST, runs: Path) -> Variant:
    """What `zoo fit RECIPE` builds and runs, its output thrown away."""
    number = count(1)

    def epoch() -> Seconds:
        clock, run = Clock(), runs / recipe / str(next(number))
        run.mkdir(parents=True)
        experiment = compose(recipe, None, None, None, ["--trainer.max_epochs=2"])
        with Path(os.devnull).open("w") as null, redirect_stdout(null), redirect_stderr(null):
            cli = ZooCLI(experiment, run)
            cli.trainer.callbacks.insert(0, clock)
            cli.trainer.fit(cli.model, cli.datamodule)
            wandb.finish()
        assert cli.datamodule.described == corpus.described
        return Seconds(clock.training, clock.whole)

    return epoch


def check_equal(build: Callable[[], Task], corpus: FashionMNIST) -> None:
    """Asserts that bare and lean make the same weights out of the same five batches."""
    network, twin = build(), build()
    twin.load_state_dict(network.state_dict())
    bare(network, corpus, steps=5)()
    lean(twin, corpus, max_steps=5)()
    for one, other in zip(network.parameters(), twin.parameters(), strict=True):
        assert torch.allclose(one, other, rtol=1e-5), "bare and lean differ after five steps"


@contextmanager
def fashion_mnist(num_rows: int) -> Iterator[tuple[FashionMNIST, str]]:
    """The corpus in torchvision's form, unpacked in a temporary folder that $ZOO_DATA names.

    Yields:
        The corpus with `num_rows` to train on, other splits in proportion; and what it is.
    """
    source = FashionMNIST(validation_fraction=0)
    if not source.found:
        source = FashionMNIST(validation_fraction=0, synthetic=True)
        source.prepare_data()
    with tempfile.TemporaryDirectory() as folder:
        raw = Path(folder) / RAW
        raw.mkdir(parents=True)
        for split, name, size in (("train", "train", ROWS * 12 // 11), ("test", "t10k", TEST_ROWS)):
            rows = source.read(split)
            chosen = torch.arange(round(size * num_rows / ROWS)) % len(rows)
            images, labels = (tensor[chosen].to(torch.uint8) for tensor in rows.tensors)
            _write_idx(raw / f"{name}-images-idx3-ubyte", images.squeeze(1))
            _write_idx(raw / f"{name}-labels-idx1-ubyte", labels)
        os.environ["ZOO_DATA"] = folder
        corpus = FashionMNIST(batch_size=BATCH)
        corpus.setup("fit")
        kind = "synthetic stand-in, repeated" if source.synthetic else "real corpus"
        yield corpus, f"{kind}: {corpus.described}"


def _write_idx(path: Path, array: Tensor) -> None:
    sizes = b"".join(size.to_bytes(4, "big") for size in array.shape)
    path.write_bytes(bytes((0, 0, 8, array.ndim)) + sizes + array.numpy().tobytes())


def measure(variants: dict[str, Variant], repeats: int, rows: int) -> dict[str, dict[str, Any]]:
    """Samples a second of every variant; all take turns."""
    taken: dict[str, list[Seconds]] = {name: [] for name in variants}
    for repeat in range(repeats + 1):
        for name, epoch in variants.items():
            seconds = epoch()
            if repeat:
                taken[name].append(seconds)
    return {name: _summary(seconds, rows) for name, seconds in taken.items()}


def _summary(seconds: list[Seconds], rows: int) -> dict[str, Any]:
    rates = [rows / s.training for s in seconds]
    whole = [s.whole for s in seconds if s.whole]
    return {
        "samples_per_second": median(rates),
        "slowest": min(rates),
        "fastest": max(rates),
        "whole_epoch_seconds": median(whole) if whole else None,
    }


def report(title: str, subject: Subject, results: dict[str, Any], console: Console) -> list[Any]:
    """Prints a table and the ratios that matter.

    The course is taken at its best number of workers. Returns the ratios for `--json`.
    """
    rates = {name: result["samples_per_second"] for name, result in results.items()}
    best = max((name for name in rates if name.startswith("course")), key=lambda name: rates[name])
    columns = ("samples/s", "slowest - fastest", "of bare", f"of {best}", "whole epoch, s")
    table = Table("variant", *columns, title=title)
    for column in table.columns[1:]:
        column.justify = "right"
    for name, result in results.items():
        spread, whole = (result["slowest"], result["fastest"]), result["whole_epoch_seconds"]
        ratios = (f"{rates[name] / rates[other]:.3f}" for other in ("bare", best))
        rate, span = f"{rates[name]:,.0f}", " - ".join(f"{value:,.0f}" for value in spread)
        table.add_row(name, rate, span, *ratios, f"{whole:.2f}" if whole else "")
    console.print(table)
    bars = (("lean", "bare", subject.lean_of_bare), ("shipped", best, subject.shipped_of_course))
    ratios = []
    for name, other, bar in bars:
        ratio = rates[name] / rates[other]
        met = "met" if ratio >= bar else "NOT MET"
        console.print(f"{title}: {name} / {other} = {ratio:.3f}, wanted {bar}: {met}")
        ratios.append({"ratio": f"{name} / {other}", "value": ratio, "bar": bar, "met": met})
    return ratios


def _machine() -> dict[str, Any]:
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return {
        "torch": torch.__version__,
        "lightning": pl.__version__,
        "threads": torch.get_num_threads(),
        "cpu": f"{models[0] if models else platform.processor()} x {os.cpu_count()}",
        "load": [round(load, 2) for load in os.getloadavg()],
    }


def main() -> None:
    """Parses, measures, prints."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--repeats", type=int, default=7, help="counted epochs a variant")
    parser.add_argument("--rows", type=int, default=ROWS, help="training rows an epoch")
    parser.add_argument("--threads", type=int, default=2, help="of torch")
    parser.add_argument("--workers", type=int, nargs="+", default=[4], help="of the course")
    parser.add_argument("--json", type=Path, help="also write the results to this file")
    options = parser.parse_args()
    if os.environ.get("OMP_WAIT_POLICY", "").upper() == "PASSIVE":
        parser.error("OMP_WAIT_POLICY=PASSIVE slows a quiet machine down: unset it")
    if not 0 < options.rows <= ROWS or options.repeats < 1:
        parser.error(f"--rows is 1 to {ROWS}, --repeats at least 1")
    os.environ["CUDA_VISIBLE_DEVICES"] = ""
    os.environ.pop("WANDB_MODE", None)  # as shipped
    quiet()
    torch.set_num_threads(options.threads)
    console, record = Console(highlight=False), _machine()
    with fashion_mnist(options.rows) as (corpus, kind), tempfile.TemporaryDirectory() as runs:
        record |= {"corpus": kind, "repeats": options.repeats, "networks": {}}
        console.print(*(f"{name} {record[name]}" for name in record if name != "networks"), sep="; ")
        for title, subject in SUBJECTS.items():
            check_equal(subject.build, corpus)
            variants = {
                f"course, {workers} workers": course(subject.build(), corpus, workers)
                for workers in options.workers
            }
            variants["bare"] = bare(subject.build(), corpus)
            variants["lean"] = lean(subject.build(), corpus)
            variants["shipped"] = shipped(subject.recipe, corpus, Path(runs))
            results = measure(variants, options.repeats, len(corpus.data["train"]))
            ratios = report(title, subject, results, console)
            record["networks"][title] = {"variants": results, "ratios": ratios}
    if options.json:
        options.json.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
