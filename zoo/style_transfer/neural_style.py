"""Neural style: a picture is what learns, until a trained network sees the content and the style.

It is painted small at first, where that is asked for, then larger, each begun from the one before.

Paper:  Gatys, Ecker and Bethge 2016, https://doi.org/10.1109/CVPR.2016.265, Figure 2; sizes one
        after another: Gatys et al. 2017, https://arxiv.org/abs/1611.07865, Section 6
Shapes: (batch, 3, 150, 225) -> (batch, 3, 150, 225)
Size:   101,250 parameters
Config: neural_style-style_pair, neural_style_zoo-style_pair
Result: neural_style_zoo-style_pair: loss of the content 0.7922, of the style 0.4008, of the total
        variation 1.5323 after 20 epochs (real corpus, seed 0, 2026-11-30: `zoo fit
        resnet_small-cifar10 --trainer.max_epochs=10`, `zoo fit neural_style_zoo-style_pair`)
"""

from collections.abc import Sequence
from copy import deepcopy
from math import ceil
from pathlib import Path
from typing import Any, Literal

import torch
from lightning.pytorch import Callback
from torch import Tensor, nn
from torch.nn.functional import interpolate
from torch.optim import LBFGS

from zoo.errors import InputError
from zoo.pretrained.tapped_network import TappedNetwork
from zoo.shapes import FeatureMaps, Images
from zoo.style_transfer.pictures import PaintingPictures
from zoo.style_transfer.task import StyleTransfer


class Painting(nn.Module):
    """Pixels that learn, the same for every row of a batch.

    Args:
        height: Height of the picture.
        width: Width of the picture.
    """

    def __init__(self, height: int, width: int) -> None:
        super().__init__()
        self.pixels = nn.Parameter(torch.randn(1, 3, height, width))

    def forward(self, contents: Images) -> Images:
        return self.pixels.expand(len(contents), -1, -1, -1)


class NeuralStyle(StyleTransfer):
    """A painting of each size, normalised as ImageNet is; the size of the contents says which.

    The first begins as the content or as noise, each further one as the one before, enlarged; with
    each, optimizer and schedule begin anew. A run is of one pair of pictures: what the trained
    network makes of them is computed once for each size. L-BFGS is an optimizer like others, one
    step of which is up to 20 of its iterations.

    Args:
        image_sizes: Height and width of each painting, the smallest first.
        start: Initial value of the first painting.
        style: Arguments of all that paints.

    Raises:
        InputError: There is no size.
    """

    example_sizes = {"image_sizes": [(150, 225)]}
    monitor = None
    one_process = True
    not_exported = "is one painting, which `zoo predict` writes"
    begun: Tensor  # how many paintings

    def __init__(
        self,
        image_sizes: Sequence[Sequence[int]],
        start: Literal["content", "noise"] = "content",
        **style: Any,
    ) -> None:
        super().__init__(**style)
        self.save_hyperparameters()
        if not image_sizes:
            raise InputError("there is no size to paint in: --data.sizes [150]")
        self.sizes = [tuple(size) for size in image_sizes]
        self.start = start
        self.paintings = nn.ModuleList(Painting(*size) for size in self.sizes)
        self.register_buffer("begun", torch.tensor(0))
        self._content_targets: dict[Any, FeatureMaps] = {}  # by the size of the picture
        self._fresh: tuple[Any, Any] = ({}, {})  # optimizer and schedule before the first step

    def forward(self, contents: Images) -> Images:
        return self.paintings[self.number(contents)](contents)

    def number(self, contents: Images) -> int:
        """Which painting has the size of the contents.

        Raises:
            InputError: None has.
        """
        size = tuple(contents.shape[2:])
        if size not in self.sizes:
            raise InputError(f"the content has {size} pixels, and image_sizes are {self.sizes}")
        return self.sizes.index(size)

    @property
    def painting(self) -> Tensor:
        """The newest painting, (1, 3, height, width)."""
        newest: Any = self.paintings[max(0, int(self.begun) - 1)]
        return newest.pixels.detach()

    def content_targets(self, network: TappedNetwork, contents: Images) -> FeatureMaps:
        if contents.shape not in self._content_targets:
            self._content_targets[contents.shape] = super().content_targets(network, contents)
        return self._content_targets[contents.shape]

    def setup(self, stage: str) -> None:
        super().setup(stage)
        self._content_targets = {}
        if self.trainer.world_size > 1:
            raise InputError("one picture is painted in one process: --trainer.devices 1")

    def configure_optimizers(self) -> Any:
        configured = super().configure_optimizers()
        optimizer, schedule = configured, None
        if isinstance(configured, dict):
            optimizer = configured["optimizer"]
            schedule = configured["lr_scheduler"]["scheduler"].state_dict()
        if isinstance(optimizer, LBFGS) and str(self.trainer.precision).startswith("16"):
            raise InputError(
                "L-BFGS compares losses that differ by less than fp16 can tell: "
                "--trainer.precision 32-true, or another --model.optimizer"
            )
        self._fresh = deepcopy((optimizer.state_dict(), schedule))
        return configured

    def schedule_length(self) -> int:
        """The number of schedule steps for each size."""
        return ceil(super().schedule_length() / len(self.sizes))

    def on_train_batch_start(self, batch: Any, batch_idx: int) -> None:
        super().on_train_batch_start(batch, batch_idx)
        number = self.number(batch[0])
        if number >= int(self.begun):
            self._begin(number, batch[0])

    @torch.no_grad()
    def _begin(self, number: int, contents: Images) -> None:
        """Starts a painting, and optimizer and schedule with it."""
        pixels: Any = self.paintings[number].pixels
        if number and int(self.begun) == number:
            enlarged = interpolate(self.painting, size=self.sizes[number], mode="bilinear")
            pixels.copy_(enlarged)
        elif self.start == "content":
            pixels.copy_(contents[:1])
        self.begun.fill_(number + 1)
        optimizer, schedule = deepcopy(self._fresh)
        self.trainer.optimizers[0].load_state_dict(optimizer)
        for config in self.trainer.lr_scheduler_configs:
            scheduler: Any = config.scheduler
            scheduler.load_state_dict(schedule)

    def pictures(self, folder: Path) -> list[Callback]:
        return [PaintingPictures(folder)]
