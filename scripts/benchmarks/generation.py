"""How many pictures DCGAN trains on in a second, beside the course's loop.

    .venv/bin/python -m scripts.benchmarks.generation [--threads N] [--json FILE]
    .venv/bin/python -m scripts.benchmarks.generation --features CLASSIFIER.ckpt

Both train the course's two networks with Adam on the same pictures. The course's loop is written
afresh from its published procedure: a sigmoid ends the discriminator, whose loss is a binary
cross-entropy against ones and zeros; the generator draws the samples once for each network, and the
discriminator's gradients of the generator's step are computed, too. Ours is `DCGAN` under a Trainer
with everything switched off.

A turn is some steps; the order of the two swaps with each turn, and the first turn does not count.

With the features of a classifier nothing is timed: it prints how far as many training pictures of
Fashion-MNIST are from its test pictures, for the Frechet distance of samples to be read beside.
"""

import sys
import warnings
from collections.abc import Callable
from functools import partial
from statistics import median
from time import perf_counter
from typing import Any

import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor, nn
from torch.optim import Adam
from torch.utils.data import DataLoader

from datamodules import FashionMNIST
from datamodules.batches.in_memory import Rows
from scripts.benchmarks.measuring import (
    Clock,
    alternately,
    benchmark_parser,
    header,
    lean_trainer,
    write_results,
)
from zoo.cli.lightning import quiet
from zoo.generation.dcgan import DCGAN
from zoo.generation.frechet import SampleQuality
from zoo.generation.picture_generator import in_unit_range
from zoo.pretrained.feature_network import FeatureNetwork

SIDES = (28, 64)
Trained = Callable[[int], float]  # steps -> seconds for each


class Course:
    """The course's loop over networks of the same form.

    Args:
        images: A batch, (batch, channels, side, side).
        device: cpu or cuda.
    """

    def __init__(self, images: Tensor, device: str) -> None:
        torch.manual_seed(0)
        model = DCGAN(in_channels=images.shape[1], image_size=images.shape[-1])
        self.generator = model.generator.to(device)
        self.discriminator = nn.Sequential(model.discriminator, nn.Sigmoid()).to(device)
        self.images, self.latent_dim = images.to(device), model.latent_dim
        self.loss = nn.BCELoss()
        self.adams = [
            Adam(network.parameters(), lr=2e-4, betas=(0.5, 0.999))
            for network in (self.discriminator, self.generator)
        ]

    def train(self, steps: int) -> float:
        """Seconds for each step."""
        start = perf_counter()
        for _ in range(steps):
            noise = torch.randn(len(self.images), self.latent_dim, device=self.images.device)
            self._update_discriminator(noise)
            self._update_generator(noise)
        if self.images.is_cuda:
            torch.cuda.synchronize()
        return (perf_counter() - start) / steps

    def _update_discriminator(self, noise: Tensor) -> None:
        self.adams[0].zero_grad()
        real = self.discriminator(self.images)
        fake = self.discriminator(self.generator(noise).detach())
        loss = self.loss(real, torch.ones_like(real)) + self.loss(fake, torch.zeros_like(fake))
        (loss / 2).backward()
        self.adams[0].step()

    def _update_generator(self, noise: Tensor) -> None:
        self.adams[1].zero_grad()
        fake = self.discriminator(self.generator(noise))
        self.loss(fake, torch.ones_like(fake)).backward()
        self.adams[1].step()


class Ours:
    """DCGAN under a Trainer.

    Args:
        images: A batch, (batch, channels, side, side).
        device: cpu or cuda.
    """

    def __init__(self, images: Tensor, device: str) -> None:
        torch.manual_seed(0)
        channels, side = images.shape[1], images.shape[-1]
        self.model = DCGAN(in_channels=channels, image_size=side, channels_last=True)
        self.batch, self.device = (images, torch.zeros(len(images))), device

    def train(self, steps: int) -> float:
        """Seconds for each step of a second epoch."""
        batches: Any = [self.batch] * steps
        loader: DataLoader = DataLoader(batches, batch_size=None)
        trainer = lean_trainer(accelerator=self.device, devices=1)
        clock = Clock(self.model)
        trainer.fit(self.model, loader)
        return clock.training / steps


def measure(side: int, rows: int, device: str, steps: int, repeats: int) -> dict[str, Any]:
    """Pictures a second in the counted turns."""
    generator = torch.Generator().manual_seed(0)
    images = torch.rand(rows, 1 if side == 28 else 3, side, side, generator=generator) * 2 - 1
    trained: dict[str, Trained] = {
        "ours": Ours(images, device).train,
        "course": Course(images, device).train,
    }
    turns = {name: partial(train, steps) for name, train in trained.items()}
    seconds = alternately(turns, repeats)
    rates = {name: [rows / each for each in values] for name, values in seconds.items()}
    middle = {name: median(values) for name, values in rates.items()}
    return {"median": middle, "ratio": middle["ours"] / middle["course"], "all": rates}


def distance_of_pictures(classifier: str) -> float:
    """Frechet distance between the test pictures and as many training pictures, drawn once."""
    corpus = FashionMNIST(scale="symmetric", batch_size=1000)
    corpus.prepare_data()
    quality = SampleQuality(FeatureNetwork(classifier))
    quality.reset(torch.device("cpu"))
    for stage, split in (("test", "test"), ("fit", "train")):
        corpus.setup(stage)
        rows = corpus.data[split]
        order = torch.randperm(len(rows), generator=torch.Generator().manual_seed(0))
        for part in order[: len(corpus.data["test"])].split(corpus.batch_size):
            images, _ = corpus.on_after_batch_transfer(rows[Rows(0, part)], 0)
            quality.update(in_unit_range(images), real=split == "test")
    return float(quality.distance.compute())


def report(results: dict[str, dict[str, Any]], console: Console) -> None:
    """Prints a row for each size."""
    table = Table(title="pictures a second", title_justify="left")
    for column in ("", "ours", "the course's", "ratio"):
        table.add_column(column, justify="right")
    for name, result in results.items():
        cells = [f"{rate:,.0f}" for rate in result["median"].values()]
        table.add_row(name, *cells, f"{result['ratio']:.2f}")
    console.print(table)


def main() -> int:
    """Parses, measures, reports."""
    parser = benchmark_parser(__doc__)
    parser.add_argument("--steps", type=int, default=3, help="of a turn")
    parser.add_argument("--batch", type=int, default=64, help="pictures of a step")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--features", metavar="CKPT", help="of an image classifier of the zoo")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    if options.features:
        print(f"Frechet distance of pictures: {distance_of_pictures(options.features):.4f}")
        return 0
    quiet()
    warnings.filterwarnings("ignore", ".*no `val_dataloader`.*")
    console = Console(highlight=False)
    title = (
        f"{header(options.threads)}; {options.device}, batches of {options.batch}; "
        f"{options.repeats} turns of {options.steps} steps"
    )
    console.print(title, soft_wrap=True)
    given = (options.batch, options.device, options.steps, options.repeats)
    results = {f"{side} x {side}": measure(side, *given) for side in SIDES}
    report(results, console)
    if options.json:
        write_results(options.json, title, results)
    return 0


if __name__ == "__main__":
    sys.exit(main())
