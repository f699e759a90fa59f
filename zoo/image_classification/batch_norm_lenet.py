"""LeNet-5 with batch normalisation before each activation: it trains at once, and further.

As in the course: 28 x 28 pictures padded to 32 x 32, sigmoid, and here a choice of pooling.

Paper:  Ioffe and Szegedy 2015, https://arxiv.org/abs/1502.03167, Algorithm 1; the network: LeCun,
        Bottou, Bengio and Haffner 1998, https://doi.org/10.1109/5.726791, Figure 2
Shapes: (batch, 1, 28, 28) -> (batch, 10)
Size:   61,932 parameters
Config: batch_norm_lenet-fashion_mnist
Result: batch_norm_lenet-fashion_mnist: test accuracy 0.9060 after 10 epochs (real corpus, seed 0,
        2026-11-28: `zoo fit batch_norm_lenet-fashion_mnist`, `zoo test`)
"""

from functools import partial
from typing import Any, Literal

from torch import nn

from zoo.errors import InputError
from zoo.image_classification.task import FASHION_MNIST, ImageClassifier
from zoo.layers.batch_norm import BatchNorm
from zoo.shapes import Images, Logits

ACTIVATIONS = {"sigmoid": nn.Sigmoid, "relu": nn.ReLU}
POOLINGS = {"average": nn.AvgPool2d, "max": nn.MaxPool2d}
NORMALISATIONS = {
    "torch": (nn.BatchNorm2d, nn.BatchNorm1d),
    "equation": (BatchNorm, BatchNorm),
}


class BatchNormLeNet(ImageClassifier):
    """Two convolutions with pooling, three dense layers, each but the last normalised.

    No bias before a normalisation, which would take it away again.

    Args:
        in_channels: Channels of a picture.
        num_classes: Number of classes.
        image_size: Height and width of a picture in pixels, at least 12.
        activation: sigmoid is the course's network.
        pooling: max is the course's network.
        normalisation: torch's kernel, or the equation of `zoo.layers`, which is equal and slower.
    """

    example_sizes = FASHION_MNIST

    def __init__(
        self,
        in_channels: int,
        num_classes: int,
        image_size: int = 28,
        activation: Literal["sigmoid", "relu"] = "sigmoid",
        pooling: Literal["average", "max"] = "max",
        normalisation: Literal["torch", "equation"] = "torch",
        **task: Any,
    ) -> None:
        super().__init__(**task)
        self.save_hyperparameters()
        act, pool = ACTIVATIONS[activation], POOLINGS[pooling]
        norm_2d, norm_1d = NORMALISATIONS[normalisation]
        side = (image_size // 2 - 4) // 2
        if side < 1:
            raise InputError(
                f"BatchNormLeNet needs pictures of at least 12 pixels, not {image_size}"
            )
        convolution = partial(nn.Conv2d, kernel_size=5, bias=False)
        self.features = nn.Sequential(
            *(convolution(in_channels, 6, padding=2), norm_2d(6), act(), pool(2)),  # 14 x 14
            *(convolution(6, 16), norm_2d(16), act(), pool(2)),  # 5 x 5
        )
        self.head = nn.Sequential(
            *(nn.Flatten(), nn.Linear(16 * side * side, 120, bias=False), norm_1d(120), act()),
            *(nn.Linear(120, 84, bias=False), norm_1d(84), act()),
            nn.Linear(84, num_classes),
        )

    def forward(self, images: Images) -> Logits:
        return self.head(self.features(images))
