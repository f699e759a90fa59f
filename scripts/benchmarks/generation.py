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
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Adam
from torch.utils.data import DataLoader

from datamodules import FashionMNIST
from datamodules.batches.in_memory import Rows
from scripts.benchmarks.measuring import (
    Report,
    Way,
    alternately,
    benchmark_parser,
    lean_fit,
    parsed,
    repeated,
)
from zoo.generation.dcgan import DCGAN
from zoo.generation.frechet import SampleQuality
from zoo.generation.picture_generator import in_unit_range
from zoo.pretrained.feature_network import FeatureNetwork

SIDES = (28, 64)


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

    def train(self, steps: int) -> None:
        """Takes some steps and waits for the device."""
        for _ in range(steps):
            noise = torch.randn(len(self.images), self.latent_dim, device=self.images.device)
            self._update_discriminator(noise)
            self._update_generator(noise)
        if self.images.is_cuda:
            torch.cuda.synchronize()

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


def train_zoo(model: DCGAN, images: Tensor, device: str, steps: int) -> float:
    """Trains under a Trainer; returns the pictures/s of the second epoch."""
    batches: Any = [(images, torch.zeros(len(images)))] * steps
    loader: DataLoader = DataLoader(batches, batch_size=None)
    return steps * len(images) / lean_fit(model, loader, accelerator=device).training


def sides(side: int, rows: int, device: str, steps: int) -> dict[str, Way]:
    """Returns both ways, whose turns give pictures/s."""
    generator = torch.Generator().manual_seed(0)
    images = torch.rand(rows, 1 if side == 28 else 3, side, side, generator=generator) * 2 - 1
    torch.manual_seed(0)
    model = DCGAN(in_channels=images.shape[1], image_size=side, channels_last=True)
    course = Course(images, device)
    return {
        "ours": partial(train_zoo, model, images, device, steps),
        "course": repeated(partial(course.train, steps), steps * rows),
    }


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


def main() -> int:
    """Parses, measures, reports."""
    parser = benchmark_parser(__doc__)
    parser.add_argument("--steps", type=int, default=3, help="steps of a turn")
    parser.add_argument("--batch", type=int, default=64, help="pictures of a step")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--features", metavar="CKPT", help="image classifier of the zoo")
    options = parsed(parser)
    if options.features:
        print(f"Frechet distance of pictures: {distance_of_pictures(options.features):.4f}")
        return 0
    report = Report(
        options, f"{options.device}, batches of {options.batch}", f"{options.steps} steps a turn"
    )
    for side in SIDES:
        ways = sides(side, options.batch, options.device, options.steps)
        rates = alternately(ways, options.repeats)
        report.add(f"{side} x {side}", "pictures/s", rates, {("ours", "course"): None})
    return report.end()


if __name__ == "__main__":
    sys.exit(main())
