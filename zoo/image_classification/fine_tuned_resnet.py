"""FineTunedResNet: the body of a trained ResNet and a new head, which learns faster.

Features are general near the pictures and special to the task near the head, so what was learnt on
many pictures serves a task that has few. From scratch, for comparison: `weights: null`,
`body_lr_ratio: 1`.

Paper:  Yosinski, Clune, Bengio and Lipson 2014, https://arxiv.org/abs/1411.1792, Figure 1; the
        course: Zhang et al. 2023, https://d2l.ai/chapter_computer-vision/fine-tuning.html
Shapes: (batch, 3, 224, 224) -> (batch, 1000)
Size:   11,689,512 parameters
Config: fine_tuned_resnet-dogs, fine_tuned_resnet-hot_dog, fine_tuned_resnet_small-hot_dog
Result: fine_tuned_resnet_small-hot_dog: test accuracy 0.7921 after 10 epochs (real corpus, 1,400 of
        2,000 training pictures, seed 0, 2026-11-25: `zoo fit resnet_small-cifar10`, `zoo fit
        fine_tuned_resnet_small-hot_dog`, `zoo test`)
"""

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

import torch
from torch import nn

from zoo.errors import InputError, in_bounds
from zoo.image_classification.resnet import ResNet
from zoo.image_classification.task import IMAGENET, ImageClassifier
from zoo.layers.dense import hidden_layers
from zoo.layers.initialisation import he_normal, near_zero
from zoo.layers.residual import DEPTHS
from zoo.layers.scaling import scaled
from zoo.pretrained import resnet_weights
from zoo.pretrained.resnet_weights import Pretrained
from zoo.shapes import Features, Images, Logits


class FineTunedResNet(ImageClassifier):
    """A trained ResNet without its classifier, and a head; parts of the body may be frozen.

    The parts are the stem and the four stages. A frozen part learns nothing, and its normalisation
    keeps the statistics that it came with.

    Args:
        in_channels: Channels of a picture.
        num_classes: Number of classes.
        weights: torchvision (ImageNet), or a file of a ResNet: .pth, .pt, .safetensors or a .ckpt
            of the zoo. None draws them at random.
        depth: Layers with weights, as in ResNet; by default what the weights say, else 18.
        stem: imagenet or cifar, as in ResNet; by default what the weights say, else imagenet.
        width_ratio: Multiplies all numbers of channels of the body; by default what the weights
            say, else 1.
        head_sizes: Width of each hidden layer between the body and the classifier.
        body_lr_ratio: The body learns at this multiple of the head's learning rate, which is the
            optimizer's.
        frozen: Number of parts that do not learn, from the pictures on; 5 is the whole body.
        unfreeze_at: Epochs, counted from 0, each of which sets the frozen part nearest to the head
            free; the last frees all that are left.

    Raises:
        InputError: The weights cannot be read or are of another form, or a number does not fit.
    """

    example_sizes = IMAGENET

    def __init__(
        self,
        in_channels: int,
        num_classes: int,
        weights: str | None = None,
        depth: Literal[18, 34, 50, 101, 152] | None = None,
        stem: Literal["imagenet", "cifar"] | None = None,
        width_ratio: float | None = None,
        head_sizes: Sequence[int] = (),
        body_lr_ratio: float = 0.1,
        frozen: int = 0,
        unfreeze_at: Sequence[int] = (),
        **task: Any,
    ) -> None:
        super().__init__(**task)
        self.save_hyperparameters()
        in_bounds(1, head_sizes=head_sizes)
        check(body_lr_ratio, frozen, unfreeze_at)
        given = {"depth": depth, "stem": stem, "width_ratio": width_ratio}
        found = resnet_weights.read(weights, ResNet, depth) if weights is not None else None
        form = agreed(in_channels, given, found)
        self.hparams.update(form)
        body = ResNet(in_channels, num_classes, **form)
        self.stem, self.stages = body.stem, body.stages
        self._origin: dict[str, str] | None = None
        if found:
            self.load_state_dict(found.body)
            self._origin = {"file": Path(found.source).name, "sha256": found.sha256}
        self.pool = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
        channels = widths(form["depth"], form["width_ratio"])[-1]
        self.head = hidden_layers(channels, head_sizes, "relu")
        he_normal(self.head)
        classifier = nn.Linear([channels, *head_sizes][-1], num_classes)
        near_zero(classifier)
        self.head.append(classifier)
        self.body_lr_ratio, self.frozen, self.unfreeze_at = body_lr_ratio, frozen, unfreeze_at
        self._held = frozen
        if not unfreeze_at:
            for part in self._parts()[:frozen]:
                part.requires_grad_(False)
        self.train()

    def forward(self, images: Images | Features) -> Logits:
        """Logits of pictures, or of what `features` made of them."""
        return self.head(images if images.ndim == 2 else self.features(images))

    def features(self, images: Images) -> Features:
        """What the body makes of pictures: the mean over the picture of each last channel."""
        x, parts = images, self._parts()
        with torch.no_grad():
            for part in parts[: self._held]:
                x = part(x)
        for part in parts[self._held :]:
            x = part(x)
        return self.pool(x)

    @property
    def body_is_frozen(self) -> bool:
        """Whether the features of a picture stay the same during the whole training."""
        return self.frozen == 5 and not self.unfreeze_at

    def held_in(self, epoch: int) -> int:
        """How many parts are frozen in an epoch."""
        freed = sum(start <= epoch for start in self.unfreeze_at)
        return 0 if self.unfreeze_at and freed == len(self.unfreeze_at) else self.frozen - freed

    def train(self, mode: bool = True) -> "FineTunedResNet":
        """Sets training or evaluation mode; frozen parts are always in the latter."""
        super().train(mode)
        for part in self._parts()[: self._held]:
            part.eval()
        return self

    def lr_ratio(self, name: str) -> float:
        return 1.0 if name.startswith("head.") else self.body_lr_ratio

    def on_fit_start(self) -> None:
        """Refuses DDP that waits for the gradients of frozen parts.

        Lightning warns of modules in evaluation mode, which the frozen parts are meant to be in;
        they are again before the first step.
        """
        super().on_fit_start()
        if self.unfreeze_at and not getattr(
            self.trainer.strategy.model, "find_unused_parameters", True
        ):
            raise InputError(
                "unfreeze_at leaves parameters without gradients at first: "
                "--trainer.strategy ddp_find_unused_parameters_true"
            )
        super().train()

    def on_train_start(self) -> None:
        super().on_train_start()
        self._hold()  # a run that goes on within an epoch does not start that epoch

    def on_train_epoch_start(self) -> None:
        self._hold()

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Of the file of weights, name and digest are enough: the checkpoint has the weights."""
        super().on_save_checkpoint(checkpoint)
        checkpoint["hyper_parameters"]["weights"] = None
        checkpoint["zoo"]["pretrained"] = self._origin

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        super().on_load_checkpoint(checkpoint)
        self._origin = checkpoint.get("zoo", {}).get("pretrained")

    def _hold(self) -> None:
        self._held = self.held_in(self.trainer.current_epoch)
        self.train()

    def _parts(self) -> list[nn.Module]:
        return [self.stem, *self.stages]


def check(body_lr_ratio: float, frozen: int, unfreeze_at: Sequence[int]) -> None:
    """Raises InputError for a number that does not fit."""
    if not body_lr_ratio > 0:
        raise InputError(f"body_lr_ratio is {body_lr_ratio}; it has to be above 0 (or frozen 5)")
    if not 0 <= frozen <= 5:
        raise InputError(f"frozen is {frozen}; the body has 5 parts: the stem and 4 stages")
    if len(unfreeze_at) > frozen:
        raise InputError(f"unfreeze_at has {len(unfreeze_at)} epochs for {frozen} frozen parts")
    if any(a >= b for a, b in pairwise((0, *unfreeze_at))):
        raise InputError(
            f"unfreeze_at is {list(unfreeze_at)}; the epochs have to rise, from 1 or later"
        )


def agreed(in_channels: int, given: dict[str, Any], weights: Pretrained | None) -> dict[str, Any]:
    """Depth, stem and width ratio of the body: as given, else as the weights say, else ResNet's.

    Raises:
        InputError: The weights are of another form.
    """
    if weights is None:
        usual = {"depth": 18, "stem": "imagenet", "width_ratio": 1.0}
        return {n: usual[n] if value is None else value for n, value in given.items()}
    for name, value in {"in_channels": in_channels, **given}.items():
        found = getattr(weights, name)
        if value is None or value == found:
            continue
        if name != "width_ratio" or widths(weights.depth, value) != widths(weights.depth, found):
            raise InputError(f"{weights.source}: its {name} is {found}, not {value}")
    return {n: getattr(weights, n) if value is None else value for n, value in given.items()}


def widths(depth: int, ratio: float) -> list[int]:
    """Channels of the stem and the stages, to which two ratios may round alike."""
    return [scaled(width, ratio) for width in (64, *DEPTHS[depth][1])]
