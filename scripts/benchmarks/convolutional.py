"""How fast the zoo's convolutional networks train, beside torchvision's own.

    .venv/bin/python -m scripts.benchmarks.convolutional [--device cuda] [--json FILE]

One process trains each network and its twin in turn, both with the same weights in one bare eager
loop (forward, cross_entropy, zero_grad, backward, a step of SGD) on one batch of random pictures,
of 3 channels and 1,000 classes. Before it counts, both must give the same outputs, and the same
losses over two steps. A turn is as many steps as fill --seconds; the order of the two swaps with
each turn, and the first turn does not count. A network that torchvision lacks is measured alone.

On the CPU, whose defaults take some 6 minutes on 2 cores, pictures are fewer and smaller than on a
GPU. Exits with 1 when a network is slower than the bar allows, by the ratio of the medians.
"""

import os
import sys
from collections.abc import Callable
from functools import partial
from statistics import median
from time import perf_counter
from typing import Any

import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torchvision import models

from scripts.benchmarks.measuring import (
    alternately,
    benchmark_parser,
    header,
    write_results,
)
from zoo.image_classification.alexnet import AlexNet
from zoo.image_classification.densenet import DenseNet
from zoo.image_classification.googlenet import GoogLeNet
from zoo.image_classification.nin import NiN
from zoo.image_classification.resnet import ResNet
from zoo.image_classification.resnext import ResNeXt
from zoo.image_classification.vgg import VGG

CHANNELS, CLASSES, BAR = 3, 1000, 0.92
SMALLEST = 67  # picture that every network takes
DEFAULTS = {"cpu": (8, 96), "cuda": (128, 224)}  # batch and side
googlenet = partial(models.googlenet, aux_logits=False, init_weights=False)
NETWORKS: dict[str, tuple[Callable[..., nn.Module], Callable[..., nn.Module] | None]] = {
    "AlexNet": (AlexNet, models.alexnet),
    "VGG-11": (partial(VGG, depth=11), models.vgg11),
    "NiN": (NiN, None),
    "GoogLeNet": (GoogLeNet, googlenet),
    "ResNet-18": (partial(ResNet, depth=18), models.resnet18),
    "ResNeXt-50": (partial(ResNeXt, depth=50), models.resnext50_32x4d),
    "DenseNet-121": (partial(DenseNet, depth=121), models.densenet121),
}
Trained = Callable[[int], float]  # steps -> the last loss


def trained(network: nn.Module, images: Tensor, labels: Tensor) -> Trained:
    """The bare loop: trains on the batch for some steps, with dropout drawn from one seed."""
    optimizer = torch.optim.SGD(network.parameters(), lr=0.001)

    def train(steps: int) -> float:
        torch.manual_seed(0)
        for _ in range(steps):
            loss = cross_entropy(network(images), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        return loss.item()  # waits for the device

    return train


def seconds(train: Trained, steps: int) -> float:
    """What so many steps take."""
    start = perf_counter()
    train(steps)
    return perf_counter() - start


def copy(source: nn.Module, target: nn.Module) -> None:
    """Hands weights and statistics over in order; each must have the shape of its place."""
    values, places = source.state_dict(), target.state_dict()
    assert [v.shape for v in values.values()] == [p.shape for p in places.values()]
    target.load_state_dict(dict(zip(places, values.values(), strict=True)))


def check_equal(ours: nn.Module, theirs: nn.Module, images: Tensor) -> None:
    """Asserts that both give the same outputs, as they are used."""
    with torch.inference_mode():
        found, wanted = (network.eval()(images) for network in (ours, theirs))
    torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-5)
    for network in (ours, theirs):
        network.train()


def measure(
    name: str, images: Tensor, labels: Tensor, turn: float, repeats: int
) -> dict[str, list[float]]:
    """Images/s of the counted turns, ours and theirs."""
    torch.manual_seed(0)
    build, build_twin = NETWORKS[name]
    sides = {"ours": build(in_channels=CHANNELS, num_classes=CLASSES).to(images.device)}
    if build_twin:
        sides["theirs"] = build_twin(num_classes=CLASSES).to(images.device)
        copy(sides["ours"], sides["theirs"])
        check_equal(sides["ours"], sides["theirs"], images)
    loops = {side: trained(network, images, labels) for side, network in sides.items()}
    losses = [torch.tensor(train(2)) for train in loops.values()]
    for loss in losses:
        torch.testing.assert_close(loss, losses[0], rtol=1e-4, atol=1e-5)
    steps = max(1, round(turn / seconds(loops["ours"], 1)))

    def rate(train: Trained) -> float:
        return steps * len(images) / seconds(train, steps)

    return alternately({side: partial(rate, train) for side, train in loops.items()}, repeats)


def judged(rates: dict[str, list[float]]) -> dict[str, Any]:
    """The medians, and for a pair the two ratios and the verdict."""
    middle = {side: median(values) for side, values in rates.items()}
    if "theirs" not in rates:
        return {"median": middle, "all": rates}
    ratio = middle["ours"] / middle["theirs"]
    paired = median(a / b for a, b in zip(rates["ours"], rates["theirs"], strict=True))
    verdict = {"ratio": ratio, "paired_ratio": paired, "bar": BAR, "met": ratio >= BAR}
    return {"median": middle, **verdict, "all": rates}


def report(results: dict[str, Any], console: Console) -> None:
    """Prints a row for each network."""
    table = Table("network", title="training, images/s", title_justify="left")
    for column in ("ours", "torchvision's", "ratio", "paired ratio", f"bar {BAR}"):
        table.add_column(column, justify="right")
    for name, result in results.items():
        cells = [f"{rate:,.1f}" for rate in result["median"].values()]
        if "met" in result:
            cells += [f"{result[key]:.3f}" for key in ("ratio", "paired_ratio")]
            cells.append("met" if result["met"] else "NOT MET")
        table.add_row(name, *cells)
    console.print(table)


def main() -> int:
    """Parses, measures, reports; 1 if a bar is not met."""
    parser = benchmark_parser(__doc__)
    parser.add_argument("--seconds", type=float, default=3.0, help="of a turn, about")
    parser.add_argument("--batch", type=int, help="pictures of a step (CPU 8, CUDA 128)")
    parser.add_argument("--size", type=int, help="side of a picture (CPU 96, CUDA 224)")
    parser.add_argument("--models", nargs="+", choices=NETWORKS, default=list(NETWORKS))
    parser.add_argument("--device", choices=DEFAULTS, default="cpu")
    options = parser.parse_args()
    batch, size = DEFAULTS[options.device]
    batch, size = options.batch or batch, options.size or size
    if size < SMALLEST:
        parser.error(f"--size {size}: AlexNet and NiN need at least {SMALLEST} pixels")
    if options.device == "cpu" and os.environ.get("OMP_WAIT_POLICY", "").upper() == "PASSIVE":
        parser.error("OMP_WAIT_POLICY=PASSIVE slows a quiet machine down: unset it")
    torch.set_num_threads(options.threads)
    console = Console(highlight=False)
    device = options.device if options.device == "cpu" else torch.cuda.get_device_name()
    title = (
        f"{header(options.threads)}; {device}, batches of {batch} at {size} x {size}; "
        f"{options.repeats} turns"
    )
    console.print(title, soft_wrap=True)
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(batch, CHANNELS, size, size, generator=generator).to(options.device)
    labels = torch.randint(CLASSES, (batch,), generator=generator).to(options.device)
    results = {
        name: judged(measure(name, images, labels, options.seconds, options.repeats))
        for name in options.models
    }
    report(results, console)
    if options.json:
        write_results(options.json, title, results)
    return int(not all(result.get("met", True) for result in results.values()))


if __name__ == "__main__":
    sys.exit(main())
