"""How fast neural style paints, beside the course's loop.

    .venv/bin/python -m scripts.benchmarks.style_transfer [--threads N] [--json FILE]

Both paint the same content in the same style by one VGG-19, whose weights are drawn at random: what
they are costs no time. The course's loop is written afresh from its published procedure: all layers
are run and each is looked up in two lists; VGG-19's parameters ask for gradients, and the targets
were computed with them, so that backward goes through the targets too, whose graphs are kept
(retain_graph). Ours is `NeuralStyle` under a Trainer with everything switched off. Both step Adam
and StepLR.

Before it counts, both must have the same losses in the same iterations. A turn is some iterations;
the order of the two swaps with each turn, and the first turn does not count. Exits with 1 when an
iteration takes more than 0.6 of the course's time: when ours / course of the medians of
iterations/s is under 1 / 0.6.
"""

import sys
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch.callbacks import LambdaCallback
from torch import Tensor, nn
from torch.nn.functional import mse_loss
from torch.optim import Adam
from torch.optim.lr_scheduler import StepLR
from torch.utils.data import DataLoader
from torchvision.models.vgg import cfgs, make_layers

from scripts.benchmarks.measuring import (
    Report,
    alternately,
    benchmark_parser,
    lean_fit,
    parsed,
    repeated,
)
from zoo.pretrained.tapped_network import CONTENT, STYLE
from zoo.style_transfer.neural_style import NeuralStyle

BAR = 1 / 0.6
CONTENT_WEIGHT, STYLE_WEIGHT, TV_WEIGHT = 1.0, 1e3, 10.0
LR, DECAY_EVERY = 0.01, 200


def vgg19() -> nn.Sequential:
    """The convolutions of torchvision's VGG-19, drawn so that maps keep their size."""
    torch.manual_seed(0)
    network = make_layers(cfgs["E"])
    for layer in network:
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
            nn.init.normal_(layer.bias, std=0.1)  # type: ignore[arg-type]
    return network


class Course:
    """The course's loop.

    Args:
        network: VGG-19.
        content: (1, 3, height, width).
        style: (1, 3, height, width).
    """

    def __init__(self, network: nn.Sequential, content: Tensor, style: Tensor) -> None:
        self.layers = network[: max(STYLE + CONTENT) + 1]
        self.pixels = nn.Parameter(content.clone())
        self.contents, _ = self.extract(content)
        _, styles = self.extract(style)
        self.styles = [self.gram(maps) for maps in styles]
        self.optimizer = Adam([self.pixels], lr=LR)
        self.schedule = StepLR(self.optimizer, DECAY_EVERY, gamma=0.1)
        self.losses: list[float] = []

    def extract(self, x: Tensor) -> tuple[list[Tensor], list[Tensor]]:
        """The maps of the content's and of the style's layers."""
        contents, styles = [], []
        for number in range(len(self.layers)):
            x = self.layers[number](x)
            if number in list(STYLE):
                styles.append(x)
            if number in list(CONTENT):
                contents.append(x)
        return contents, styles

    @staticmethod
    def gram(maps: Tensor) -> Tensor:
        """Of one picture, (c, c)."""
        channels, size = maps.shape[1], maps.shape[2] * maps.shape[3]
        rows = maps.view(channels, size)
        return torch.matmul(rows, rows.t()) / (channels * size)

    def paint(self, iterations: int) -> None:
        """Takes some iterations."""
        for _ in range(iterations):
            contents, styles = self.extract(self.pixels)
            pairs = zip(contents, self.contents, strict=True)
            content = [mse_loss(found, wanted) * CONTENT_WEIGHT for found, wanted in pairs]
            grams = zip(styles, self.styles, strict=True)
            style = [mse_loss(self.gram(maps), wanted) * STYLE_WEIGHT for maps, wanted in grams]
            x = self.pixels
            down = (x[:, :, 1:, :] - x[:, :, :-1, :]).abs().mean()
            across = (x[:, :, :, 1:] - x[:, :, :, :-1]).abs().mean()
            loss = torch.stack([*style, *content, 0.5 * (down + across) * TV_WEIGHT]).sum()
            self.optimizer.zero_grad()
            loss.backward(retain_graph=True)
            self.optimizer.step()
            self.schedule.step()
            self.losses.append(loss.item())


class Ours:
    """NeuralStyle under a Trainer.

    Args:
        weights: File of VGG-19's.
        content: (1, 3, height, width).
        style: (1, 3, height, width).
        device: cpu or cuda.
    """

    def __init__(self, weights: Path, content: Tensor, style: Tensor, device: str) -> None:
        self.model = NeuralStyle(
            image_sizes=[content.shape[2:]],
            features=str(weights),
            content_weight=CONTENT_WEIGHT,
            style_weight=STYLE_WEIGHT,
            tv_weight=TV_WEIGHT,
            optimizer=partial(Adam, lr=LR),
            lr_scheduler=partial(StepLR, step_size=DECAY_EVERY, gamma=0.1),
            schedule_interval="step",
        )
        self.pair, self.device, self.losses = (content, style), device, list[float]()

    def note(self, trainer: Any, model: Any, outputs: Any, *_: Any) -> None:
        """Keeps the loss of a step."""
        self.losses.append(outputs["loss"].item())

    def paint(self, iterations: int) -> float:
        """Returns the iterations/s of a second epoch; targets are computed in a first."""
        pairs: Any = [self.pair] * iterations
        loader: DataLoader = DataLoader(pairs, batch_size=None)
        callbacks = [LambdaCallback(on_train_batch_end=self.note)]
        clock = lean_fit(self.model, loader, accelerator=self.device, callbacks=callbacks)
        return iterations / clock.training


def check_equal(course: Course, ours: Ours, iterations: int) -> None:
    """Asserts that both have the same losses."""
    ours.paint(iterations)
    course.paint(2 * iterations)
    found, wanted = (torch.tensor(losses) for losses in (ours.losses, course.losses))
    torch.testing.assert_close(found, wanted, rtol=1e-3, atol=1e-5)


def measure(
    size: tuple[int, int], device: str, iterations: int, repeats: int
) -> dict[str, list[float]]:
    """Returns the iterations/s of the counted turns."""
    network = vgg19()
    generator = torch.Generator().manual_seed(0)
    content, style = (torch.randn(1, 3, *size, generator=generator) for _ in range(2))
    with tempfile.TemporaryDirectory() as folder:
        weights = Path(folder) / "vgg19.pth"
        state = {f"features.{name}": value for name, value in network.state_dict().items()}
        torch.save(state, weights)
        ours = Ours(weights, content.to(device), style.to(device), device)
        course = Course(network.to(device), content.to(device), style.to(device))
        check_equal(course, ours, iterations)
        painted = repeated(partial(course.paint, iterations), iterations)
        return alternately({"ours": partial(ours.paint, iterations), "course": painted}, repeats)


def main() -> int:
    """Parses, measures, reports; 1 if the bar is not met."""
    parser = benchmark_parser(__doc__)
    parser.add_argument("--iterations", type=int, default=5, help="iterations of a turn")
    parser.add_argument("--height", type=int, default=150, help="height of the picture")
    parser.add_argument("--width", type=int, default=225, help="width of the picture")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    options = parsed(parser)
    size = (options.height, options.width)
    picture = f"{options.device}, {options.height} x {options.width}"
    report = Report(options, picture, f"{options.iterations} iterations a turn")
    rates = measure(size, options.device, options.iterations, options.repeats)
    report.add("NeuralStyle", "iterations/s", rates, {("ours", "course"): BAR})
    return report.end()


if __name__ == "__main__":
    sys.exit(main())
