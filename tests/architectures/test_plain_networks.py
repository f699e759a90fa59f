"""AlexNet, VGG, NiN and GoogLeNet: torchvision's networks; theirs and LeNet's course shapes."""

from functools import partial
from typing import Any

import pytest
import torch
from torch import nn
from torchvision import models

from zoo.errors import InputError
from zoo.image_classification.alexnet import AlexNet
from zoo.image_classification.batch_norm_lenet import BatchNormLeNet
from zoo.image_classification.googlenet import GoogLeNet, Inception
from zoo.image_classification.lenet import LeNet
from zoo.image_classification.nin import NiN
from zoo.image_classification.vgg import VGG
from zoo.layers.layer_table import layer_table

googlenet = partial(models.googlenet, weights=None, aux_logits=False, init_weights=False)
REFERENCES: dict[str, Any] = {
    "alexnet": (AlexNet, models.alexnet, 61_100_840),
    "vgg11": (partial(VGG, depth=11), models.vgg11, 132_863_336),
    "vgg13": (partial(VGG, depth=13), models.vgg13, 133_047_848),
    "vgg16": (partial(VGG, depth=16), models.vgg16, 138_357_544),
    "vgg19": (partial(VGG, depth=19), models.vgg19, 143_667_240),
    "vgg11_bn": (partial(VGG, depth=11, batch_norm=True), models.vgg11_bn, 132_868_840),
    "vgg13_bn": (partial(VGG, depth=13, batch_norm=True), models.vgg13_bn, 133_053_736),
    "vgg16_bn": (partial(VGG, depth=16, batch_norm=True), models.vgg16_bn, 138_365_992),
    "vgg19_bn": (partial(VGG, depth=19, batch_norm=True), models.vgg19_bn, 143_678_248),
    "googlenet": (GoogLeNet, googlenet, 6_624_904),
}
SMALL: dict[str, Any] = {
    "alexnet": partial(AlexNet, stem="small", image_size=28),
    "vgg": partial(VGG, image_size=32),
    "vgg_bn": partial(VGG, image_size=32, batch_norm=True),
    "nin": partial(NiN, stem="small", image_size=28),
    "googlenet": partial(GoogLeNet, stem="small"),
    "googlenet_course": partial(
        GoogLeNet, stem="small", third_kernel=5, batch_norm=False, dropout=0.0
    ),
}


def count(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def meta(build: Any, **options: Any) -> Any:
    with torch.device("meta"):
        return build(**options).eval()


def sides(network: nn.Sequential, size: int, channels: int = 1) -> list[list[int]]:
    """Channels and side after each layer that has several pixels, repetitions left out."""
    x, seen = torch.zeros(1, channels, size, size, device="meta"), []
    for layer in network:
        x = layer(x)
        seen.append([x.shape[1], x.shape[-1]])
    return [shape for shape, before in zip(seen, [None, *seen], strict=False) if shape != before]


def convolutions(network: nn.Module) -> list[tuple[int, int, int, int]]:
    """Filters, kernel, stride and padding of each, in order."""
    return [
        (layer.out_channels, layer.kernel_size[0], layer.stride[0], layer.padding[0])
        for layer in network.modules()
        if isinstance(layer, nn.Conv2d)
    ]


def dense(network: nn.Module) -> list[int]:
    """Widths from the first dense layer's inputs to the last one's outputs."""
    layers = [layer for layer in network.modules() if isinstance(layer, nn.Linear)]
    return [layers[0].in_features, *(layer.out_features for layer in layers)]


def dropouts(network: nn.Module) -> list[float]:
    return [layer.p for layer in network.modules() if isinstance(layer, nn.Dropout)]


def randomise(network: Any) -> None:
    """Draws statistics of the normalisations, so that a wrong epsilon or order would show."""
    generator = torch.Generator().manual_seed(1)
    for layer in network.modules():
        if hasattr(layer, "running_var"):
            for tensor in (layer.weight.data, layer.running_var):
                tensor.copy_(torch.rand(tensor.shape, generator=generator) + 0.5)
            for tensor in (layer.bias.data, layer.running_mean):
                tensor.copy_(torch.randn(tensor.shape, generator=generator) / 10)


def copy(source: nn.Module, target: nn.Module) -> None:
    """Hands weights and statistics over in order; each must have the shape of its place."""
    values, places = source.state_dict(), target.state_dict()
    assert [v.shape for v in values.values()] == [p.shape for p in places.values()]
    target.load_state_dict(dict(zip(places, values.values(), strict=True)))


def assert_equal(ours: nn.Module, theirs: nn.Module, size: int) -> None:
    randomise(theirs)
    copy(theirs, ours)
    images = torch.randn(2, 3, size, size, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        wanted = theirs.eval()(images)
        torch.testing.assert_close(ours.eval()(images), wanted, rtol=1e-5, atol=1e-5)
    assert wanted.std() > 1e-3  # not two constants


@pytest.mark.parametrize("name", REFERENCES)
def test_sizes_are_torchvisions(name):
    ours, theirs, size = REFERENCES[name]
    built = meta(ours, in_channels=3, num_classes=1000)
    assert count(built) == count(meta(theirs)) == size
    assert built(torch.zeros(2, 3, 224, 224, device="meta")).shape == (2, 1000)


@pytest.mark.parametrize("size", [224, 100])
def test_alexnet_is_torchvisions(size):
    torch.manual_seed(0)
    assert_equal(AlexNet(in_channels=3, num_classes=10), models.alexnet(num_classes=10), size)


@pytest.mark.parametrize("size", [224, 75])
def test_googlenet_is_torchvisions(size):
    torch.manual_seed(0)
    ours, theirs = GoogLeNet(in_channels=3, num_classes=1000), googlenet()
    assert_equal(ours, theirs, size)


@pytest.mark.parametrize("batch_norm", [False, True])
@pytest.mark.parametrize("depth", [11, 19])
def test_vgg_is_torchvisions(depth, batch_norm):
    """torchvision's with its own features and narrow dense layers: whole ones are 500 MB."""
    torch.manual_seed(0)
    suffix = "_bn" if batch_norm else ""
    whole = meta(getattr(models, f"vgg{depth}{suffix}"))
    features = whole.features.to_empty(device="cpu")
    for layer in features:
        if isinstance(layer, nn.Conv2d | nn.BatchNorm2d):
            layer.reset_parameters()
    sizes = {"in_channels": 3, "num_classes": 10, "depth": depth, "batch_norm": batch_norm}
    ours = meta(VGG, **sizes).features.to_empty(device="cpu")
    assert_equal(ours, features, 64)

    ours = VGG(**sizes, width_ratio=1 / 16)
    narrow = nn.Sequential()
    for layer in ours.features:
        if isinstance(layer, nn.Conv2d):
            narrow.append(nn.Conv2d(layer.in_channels, layer.out_channels, 3, padding=1))
        else:
            narrow.append(type(layer)(layer.num_features) if hasattr(layer, "eps") else layer)
    with torch.device("meta"):
        theirs = models.VGG(nn.Identity(), num_classes=10, init_weights=False)
    dense = [(32 * 49, 256), (256, 256), (256, 10)]
    theirs.features = narrow
    for place, (inputs, outputs) in zip((0, 3, 6), dense, strict=True):
        theirs.classifier[place] = nn.Linear(inputs, outputs)
    assert_equal(ours, theirs, 96)


def test_the_courses_lenet():
    """Each layer's output; with ReLU and max pooling the same shapes."""
    network = meta(LeNet, in_channels=1, num_classes=10)
    assert [(row.kind, row.shape) for row in layer_table(network, (1, 28, 28))] == [
        *(("Conv2d", (6, 28, 28)), ("Sigmoid", (6, 28, 28)), ("AvgPool2d", (6, 14, 14))),
        *(("Conv2d", (16, 10, 10)), ("Sigmoid", (16, 10, 10)), ("AvgPool2d", (16, 5, 5))),
        *(("Flatten", (400,)), ("Linear", (120,)), ("Sigmoid", (120,))),
        *(("Linear", (84,)), ("Sigmoid", (84,)), ("Linear", (10,))),
    ]
    assert convolutions(network) == [(6, 5, 1, 2), (16, 5, 1, 0)]
    modern = meta(LeNet, in_channels=1, num_classes=10, activation="relu", pooling="max")
    rows = layer_table(modern, (1, 28, 28))
    assert [row.shape for row in rows] == [row.shape for row in layer_table(network, (1, 28, 28))]
    assert {"ReLU", "MaxPool2d"} < {row.kind for row in rows}


def test_the_courses_lenet_with_batch_normalisation():
    network = meta(BatchNormLeNet, in_channels=1, num_classes=10)
    assert [(row.kind, row.shape) for row in layer_table(network, (1, 28, 28))] == [
        *(("Conv2d", (6, 28, 28)), ("BatchNorm2d", (6, 28, 28))),
        *(("Sigmoid", (6, 28, 28)), ("MaxPool2d", (6, 14, 14))),
        *(("Conv2d", (16, 10, 10)), ("BatchNorm2d", (16, 10, 10))),
        *(("Sigmoid", (16, 10, 10)), ("MaxPool2d", (16, 5, 5)), ("Flatten", (400,))),
        *(("Linear", (120,)), ("BatchNorm1d", (120,)), ("Sigmoid", (120,))),
        *(("Linear", (84,)), ("BatchNorm1d", (84,)), ("Sigmoid", (84,)), ("Linear", (10,))),
    ]
    # torch's momentum is the share of the new, the course's 0.9 that of the old
    norm = network.features[1]
    assert (norm.eps, norm.momentum) == (1e-5, 0.1)


def test_the_courses_alexnet():
    course = meta(AlexNet, in_channels=1, num_classes=10, form="course")
    assert sides(course.features, 224) == [
        *([96, 54], [96, 26], [256, 26], [256, 12]),
        *([384, 12], [256, 12], [256, 5]),
    ]
    assert convolutions(course) == [
        *((96, 11, 4, 0), (256, 5, 1, 2), (384, 3, 1, 1), (384, 3, 1, 1), (256, 3, 1, 1)),
    ]
    assert dense(course) == [6400, 4096, 4096, 10]
    assert dropouts(course) == [0.5, 0.5]
    trimmed = meta(AlexNet, in_channels=1, num_classes=10, form="course", dense_layers=1)
    assert dense(trimmed) == [6400, 4096, 10]


def test_the_courses_vgg():
    whole = meta(VGG, in_channels=1, num_classes=10)
    pooled = [s for s in sides(whole.features, 224) if s[1] in (112, 56, 28, 14, 7)]
    assert pooled == [
        *([64, 112], [128, 112], [128, 56], [256, 56], [256, 28]),
        *([512, 28], [512, 14], [512, 7]),
    ]
    widths = [64, 128, 256, 256, 512, 512, 512, 512]
    assert convolutions(whole) == [(width, 3, 1, 1) for width in widths]
    assert dense(whole) == [25088, 4096, 4096, 10]
    assert dropouts(whole) == [0.5, 0.5]
    for ratio in (8, 4):
        small = meta(VGG, in_channels=1, num_classes=10, width_ratio=1 / ratio)
        assert [row[0] for row in convolutions(small)] == [width // ratio for width in widths]


def test_the_courses_nin():
    network = meta(NiN, in_channels=1, num_classes=10)
    assert count(network) == 1_992_166
    stages = [layer for layer in network.features if not isinstance(layer, nn.Dropout)]
    x, seen = torch.zeros(1, 1, 224, 224, device="meta"), []
    for layer in [*stages, network.head[0]]:
        x = layer(x)
        seen.append(tuple(x.shape[1:3]))
    assert seen == [
        *((96, 54), (96, 26), (256, 26), (256, 12), (384, 12), (384, 5), (10, 5), (10, 1)),
    ]
    blocks = ((96, 11, 4, 0), (256, 5, 1, 2), (384, 3, 1, 1), (10, 3, 1, 1))
    wanted = [layer for block in blocks for layer in (block, *[(block[0], 1, 1, 0)] * 2)]
    assert convolutions(network) == wanted
    assert dropouts(network) == [0.5]


def test_the_courses_googlenet():
    """At 96 x 96, as the course trains it; five stages, then the mean."""
    network = meta(
        GoogLeNet, in_channels=1, num_classes=10, third_kernel=5, batch_norm=False, dropout=0.0
    )
    assert sides(network.stem, 96) == [[64, 48], [64, 24], [192, 24], [192, 12]]
    assert sides(network.stages, 12, channels=192) == [
        *([256, 12], [480, 12], [480, 6], [512, 6], [528, 6], [832, 6]),
        *([832, 3], [1024, 3]),
    ]
    assert dense(network) == [1024, 10]
    blocks = [layer for layer in network.modules() if isinstance(layer, Inception)]
    assert [[row[:2] for row in convolutions(block)] for block in (blocks[0], blocks[-1])] == [
        [(64, 1), (96, 1), (128, 3), (16, 1), (32, 5), (32, 1)],
        [(384, 1), (192, 1), (384, 3), (48, 1), (128, 5), (128, 1)],
    ]
    kinds = [row.kind for row in layer_table(network, (1, 96, 96))]
    assert kinds.count("ReLU") == kinds.count("Conv2d") == 57  # the course forgot two
    assert "BatchNorm2d" not in kinds


@pytest.mark.parametrize("name", SMALL)
def test_small_pictures_of_any_kind(name):
    for channels, classes, ratio in [(1, 10, 1 / 16), (4, 7, 1 / 1000)]:
        network = SMALL[name](in_channels=channels, num_classes=classes, width_ratio=ratio).eval()
        for size in (32, 45):
            assert network(torch.randn(2, channels, size, size)).shape == (2, classes)
        narrow = [layer for layer in network.modules() if isinstance(layer, nn.Conv2d)]
        assert (narrow[0].out_channels == 1) == (ratio == 1 / 1000)
    halves = [
        count(meta(SMALL[name], in_channels=1, num_classes=10, width_ratio=r)) for r in (1.0, 0.5)
    ]
    assert 0.2 < halves[1] / halves[0] < 0.3


def test_small_images_take_no_grid_of_copies():
    """The dense layers see the pixels that there are, not 49 times the same one."""
    for name, grid in {"vgg": 1, "alexnet": 2}.items():
        assert meta(SMALL[name], in_channels=1, num_classes=10).head[0].output_size == grid


@pytest.mark.parametrize(
    ("build", "least"),
    [
        (AlexNet, 63),
        (partial(AlexNet, form="course"), 67),
        (partial(AlexNet, stem="small"), 15),
        (VGG, 32),
        (NiN, 67),
        (partial(NiN, stem="small"), 15),
    ],
)
def test_too_small_pictures_are_refused(build, least):
    build = partial(build, in_channels=1, num_classes=10)
    network = meta(build, image_size=least)
    assert network(torch.zeros(1, 1, least, least, device="meta")).shape == (1, 10)
    with pytest.raises(RuntimeError):
        network.features(torch.zeros(1, 1, least - 1, least - 1, device="meta"))
    with pytest.raises(InputError, match=f"at least {least} pixels, not {least - 1}"):
        build(image_size=least - 1)


def test_a_width_ratio_is_positive():
    with pytest.raises(InputError, match="width_ratio must be positive"):
        NiN(in_channels=1, num_classes=10, width_ratio=0.0)
