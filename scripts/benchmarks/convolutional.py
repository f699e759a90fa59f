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

import sys
from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torchvision import models

from scripts.benchmarks.measuring import (
    Report,
    Way,
    alternately,
    benchmark_parser,
    parsed,
    repeated,
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


def sides(name: str, images: Tensor, labels: Tensor, turn: float) -> dict[str, Way]:
    """Returns a network of the zoo and its twin, whose turns give images/s."""
    torch.manual_seed(0)
    build, build_twin = NETWORKS[name]
    networks = {"ours": build(in_channels=CHANNELS, num_classes=CLASSES).to(images.device)}
    if build_twin:
        networks["theirs"] = build_twin(num_classes=CLASSES).to(images.device)
        copy(networks["ours"], networks["theirs"])
        check_equal(networks["ours"], networks["theirs"], images)
    loops = {side: trained(network, images, labels) for side, network in networks.items()}
    losses = [torch.tensor(train(2)) for train in loops.values()]
    for loss in losses:
        torch.testing.assert_close(loss, losses[0], rtol=1e-4, atol=1e-5)
    steps = max(1, round(turn * repeated(partial(loops["ours"], 1), 1)()))
    return {
        side: repeated(partial(train, steps), steps * len(images)) for side, train in loops.items()
    }


def main() -> int:
    """Parses, measures, reports; 1 if a bar is not met."""
    parser = benchmark_parser(__doc__)
    parser.add_argument("--seconds", type=float, default=3.0, help="duration of a turn, about")
    parser.add_argument("--batch", type=int, help="pictures of a step (CPU 8, CUDA 128)")
    parser.add_argument("--size", type=int, help="side of a picture (CPU 96, CUDA 224)")
    parser.add_argument("--models", nargs="+", choices=NETWORKS, default=list(NETWORKS))
    parser.add_argument("--device", choices=DEFAULTS, default="cpu")
    options = parsed(parser)
    batch, size = DEFAULTS[options.device]
    batch, size = options.batch or batch, options.size or size
    if size < SMALLEST:
        parser.error(f"--size {size}: AlexNet and NiN need at least {SMALLEST} pixels")
    device = options.device if options.device == "cpu" else torch.cuda.get_device_name()
    report = Report(options, f"{device}, batches of {batch} at {size} x {size}")
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(batch, CHANNELS, size, size, generator=generator).to(options.device)
    labels = torch.randint(CLASSES, (batch,), generator=generator).to(options.device)
    for name in options.models:
        rates = alternately(sides(name, images, labels, options.seconds), options.repeats)
        report.add(name, "images/s", rates, {("ours", "theirs"): BAR} if "theirs" in rates else {})
    return report.end()


if __name__ == "__main__":
    sys.exit(main())
