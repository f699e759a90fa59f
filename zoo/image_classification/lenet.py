"""LeNet-5: the first convolutional network in daily use, reading cheques.

As in the course: 28 x 28 pictures padded to 32 x 32, dense layers instead of radial basis
functions, full connection between the feature maps.

Paper:  LeCun, Bottou, Bengio and Haffner 1998, https://doi.org/10.1109/5.726791, Figure 2
Shapes: (batch, 1, 28, 28) -> (batch, 10)
Size:   61,706 parameters
Config: lenet-fashion_mnist, lenet_relu-fashion_mnist
Result: lenet-fashion_mnist: test accuracy 0.8878 after 10 epochs (real corpus, seed 0, 2026-11-28:
        `zoo fit lenet-fashion_mnist`, `zoo test`)
Result: lenet_relu-fashion_mnist: test accuracy 0.9072 after 10 epochs (real corpus, seed 0,
        2026-11-28: `zoo fit lenet_relu-fashion_mnist`, `zoo test`)
"""

from typing import Any, Literal

from torch import nn

from zoo.errors import InputError
from zoo.image_classification.task import FASHION_MNIST, ImageClassifier
from zoo.shapes import Images, Logits

ACTIVATIONS = {"sigmoid": nn.Sigmoid, "relu": nn.ReLU}
POOLINGS = {"average": nn.AvgPool2d, "max": nn.MaxPool2d}


class LeNet(ImageClassifier):
    """Two convolutions with pooling, three dense layers.

    Args:
        in_channels: Channels of a picture.
        num_classes: Number of classes.
        image_size: Height and width of a picture in pixels, at least 12.
        activation: sigmoid is the classic network; relu trains faster and further.
        pooling: average is the classic network, max the usual companion of relu.
    """

    example_sizes = FASHION_MNIST

    def __init__(
        self,
        in_channels: int,
        num_classes: int,
        image_size: int = 28,
        activation: Literal["sigmoid", "relu"] = "sigmoid",
        pooling: Literal["average", "max"] = "average",
        **task: Any,
    ) -> None:
        super().__init__(**task)
        self.save_hyperparameters()
        act, pool = ACTIVATIONS[activation], POOLINGS[pooling]
        side = (image_size // 2 - 4) // 2
        if side < 1:
            raise InputError(f"LeNet needs pictures of at least 12 pixels, not {image_size}")
        self.features = nn.Sequential(
            *(nn.Conv2d(in_channels, 6, kernel_size=5, padding=2), act(), pool(2)),  # 14 x 14
            *(nn.Conv2d(6, 16, kernel_size=5), act(), pool(2)),  # 5 x 5
        )
        self.head = nn.Sequential(
            *(nn.Flatten(), nn.Linear(16 * side * side, 120), act()),
            *(nn.Linear(120, 84), act()),
            nn.Linear(84, num_classes),
        )
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d | nn.Linear):
                nn.init.xavier_uniform_(layer.weight)

    def forward(self, images: Images) -> Logits:
        return self.head(self.features(images))
