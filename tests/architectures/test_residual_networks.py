"""ResNet, ResNeXt, DenseNet: sizes and outputs of torchvision, shapes of the course, options."""

from typing import Any

import pytest
import torch
from torch import nn
from torchvision import models

from zoo.errors import InputError
from zoo.image_classification.densenet import DenseNet
from zoo.image_classification.resnet import ResNet
from zoo.image_classification.resnext import ResNeXt
from zoo.layers.layer_table import layer_table
from zoo.layers.residual import basic, bottleneck

WHOLE: dict[str, Any] = {"in_channels": 3, "num_classes": 1000}
SMALL: dict[str, Any] = {"in_channels": 1, "num_classes": 10}
TWINS = {
    "ResNet-18": (ResNet, {"depth": 18}, models.resnet18),
    "ResNet-34": (ResNet, {"depth": 34}, models.resnet34),
    "ResNet-50": (ResNet, {"depth": 50}, models.resnet50),
    "ResNet-101": (ResNet, {"depth": 101}, models.resnet101),
    "ResNet-152": (ResNet, {"depth": 152}, models.resnet152),
    "ResNeXt-50": (ResNeXt, {"depth": 50}, models.resnext50_32x4d),
    "ResNeXt-101": (ResNeXt, {"depth": 101, "base_width": 8}, models.resnext101_32x8d),
    "DenseNet-121": (DenseNet, {"depth": 121}, models.densenet121),
    "DenseNet-169": (DenseNet, {"depth": 169}, models.densenet169),
    "DenseNet-201": (DenseNet, {"depth": 201}, models.densenet201),
}
BUILDS = {"ResNet": ResNet, "ResNeXt": ResNeXt, "DenseNet": DenseNet}


def size(model):
    return sum(parameter.numel() for parameter in model.parameters())


@pytest.mark.parametrize("name", TWINS)
def test_has_torchvisions_parameters(name):
    cls, options, twin = TWINS[name]
    with torch.device("meta"):
        mine, theirs = cls(**WHOLE, **options), twin()
    assert size(mine) == size(theirs)
    shapes = [[v.shape for v in model.state_dict().values()] for model in (mine, theirs)]
    assert shapes[0] == shapes[1]  # both in the order of computation


@pytest.mark.parametrize("name", ["ResNet-18", "ResNet-50", "ResNeXt-50", "DenseNet-121"])
def test_gives_torchvisions_outputs_with_its_weights(name):
    cls, options, twin = TWINS[name]
    torch.manual_seed(0)
    with torch.device("meta"):
        mine, theirs = cls(**WHOLE, **options), twin()
    values = [drawn(key, value) for key, value in theirs.state_dict().items()]
    for model in (mine, theirs):
        assert [v.shape for v in model.state_dict().values()] == [v.shape for v in values]
        weights = dict(zip(model.state_dict(), values, strict=True))
        model.load_state_dict(weights, assign=True)
    images = torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        found, wanted = mine.eval()(images), theirs.eval()(images)
    assert found.std() > 0.01
    torch.testing.assert_close(found, wanted, rtol=1e-5, atol=1e-5)


def drawn(key, value):
    """Weights that keep the scale, and statistics and scales of normalisation near 1."""
    if value.dim() == 0:
        return torch.zeros(())
    if value.dim() > 1:
        return torch.randn(value.shape) * value[0].numel() ** -0.5
    if key.endswith(("running_var", "weight")):
        return torch.rand(value.shape) * 0.5 + 0.75
    return torch.randn(value.shape) * 0.1


@pytest.mark.parametrize("side", [224, 96])
def test_resnet_18_has_the_courses_shapes(side):
    with torch.device("meta"):
        model = ResNet(**SMALL)
    rows = {row.name: row.shape for row in layer_table(model, (1, side, side))}
    assert rows["stem.0"] == (64, side // 2, side // 2)
    assert rows["stem.3"] == (64, side // 4, side // 4)
    last = [rows[f"stages.{i}.1.shortcut"] for i in range(4)]
    assert last == [(64 * 2**i, side // 4 // 2**i, side // 4 // 2**i) for i in range(4)]
    assert rows["head.0"] == (512, 1, 1)
    assert rows["head.2"] == (10,)
    first = model.get_submodule("stem.0")
    assert (first.kernel_size, first.stride, first.padding) == ((7, 7), (2, 2), (3, 3))
    # a 1x1 convolution on the way past the first block of each stage that halves the side
    assert [name for name in rows if name.endswith("shortcut.0")] == [
        f"stages.{i}.0.shortcut.0" for i in (1, 2, 3)
    ]


def test_the_courses_residual_blocks():
    x = torch.rand(4, 3, 6, 6)
    assert basic(3, 3, stride=1)(x).shape == (4, 3, 6, 6)
    assert basic(3, 6, stride=2)(x).shape == (4, 6, 3, 3)
    assert bottleneck(3, 3, stride=1, width=6, groups=3)(x).shape == (4, 3, 6, 6)


def test_the_courses_densenet():
    with torch.device("meta"):
        model = DenseNet(**SMALL, blocks=[4, 4, 4, 4], bottleneck=None)
        shapes = [model.stem(torch.zeros(1, 1, 96, 96))]
        for stage in model.stages:
            shapes.append(stage(shapes[-1]))
    # 64 + 4 x 32 channels, halved in each transition
    assert [tuple(x.shape[1:]) for x in shapes] == [
        *((64, 24, 24), (192, 24, 24), (96, 12, 12), (224, 12, 12), (112, 6, 6)),
        *((240, 6, 6), (120, 3, 3), (248, 3, 3)),
    ]
    rows = layer_table(model, (1, 96, 96))
    assert [row.shape for row in rows[-5:]] == [
        *((248, 3, 3), (248, 3, 3), (248, 1, 1), (248,), (10,)),
    ]
    assert rows[0].receptive_field == 7
    assert [row.kind for row in rows].count("AvgPool2d") == 3


@pytest.mark.parametrize("name", BUILDS)
def test_cifar_stem_keeps_the_side_through_the_first_stage(name):
    with torch.device("meta"):
        model = BUILDS[name](**SMALL, stem="cifar", width_ratio=0.25)
        x = model.stages[0](model.stem(torch.zeros(2, 1, 28, 28)))
        assert x.shape[2:] == (28, 28)
        assert model(torch.zeros(2, 1, 28, 28)).shape == (2, 10)


@pytest.mark.parametrize("name", BUILDS)
def test_takes_pictures_of_one_channel_and_other_classes(name):
    model = BUILDS[name](in_channels=1, num_classes=7, width_ratio=0.1).eval()
    assert model(torch.zeros(2, 1, 32, 40)).shape == (2, 7)


@pytest.mark.parametrize("name", BUILDS)
def test_width_ratio_multiplies_the_channels(name):
    with torch.device("meta"):
        whole, half = BUILDS[name](**WHOLE), BUILDS[name](**WHOLE, width_ratio=0.5)
    channels = [
        [m.out_channels for m in model.modules() if isinstance(m, nn.Conv2d)]
        for model in (whole, half)
    ]
    assert [2 * c for c in channels[1]] == channels[0]


@pytest.mark.parametrize("name", BUILDS)
def test_width_ratio_leaves_at_least_one_channel(name):
    with torch.device("meta"):
        assert BUILDS[name](**SMALL, width_ratio=0.001)(torch.zeros(2, 1, 64, 64)).shape == (2, 10)
    with pytest.raises(InputError, match="width_ratio must be positive"):
        BUILDS[name](**SMALL, width_ratio=0.0)


def test_resnext_29_is_the_papers():
    """Section 5.3: 34.4 million parameters on CIFAR-10, of 29 layers, from 64 x 8 channels."""
    options: dict[str, Any] = {
        "stem": "cifar",
        "blocks": [3, 3, 3],
        "cardinality": 8,
        "base_width": 64,
    }
    with torch.device("meta"):
        model = ResNeXt(in_channels=3, num_classes=10, **options)
    assert round(size(model) / 1e6, 1) == 34.4
    with pytest.raises(InputError, match="up to 4 stages, not 5"):
        ResNeXt(**SMALL, blocks=[1] * 5)


def test_resnext_is_resnet_with_grouped_bottlenecks():
    with torch.device("meta"):
        model = ResNeXt(**SMALL, cardinality=8, base_width=2)
    block = model.get_submodule("stages.1.0.residual")
    grouped = block.get_submodule("3")
    assert (grouped.in_channels, grouped.groups, grouped.stride) == (8 * 2 * 2, 8, (2, 2))


def test_a_block_of_zero_weights_is_the_identity():
    """What the residual learns is added: nothing learnt, nothing changed, for inputs from 0 up."""
    block = ResNet(**SMALL, width_ratio=0.1).get_submodule("stages.0.1")
    for parameter in block.parameters():
        nn.init.zeros_(parameter)
    x = torch.rand(2, 6, 5, 5)
    torch.testing.assert_close(block(x), x, rtol=0, atol=0)


def test_a_dense_layer_hands_on_its_input():
    model = DenseNet(**SMALL, width_ratio=0.25)
    x = torch.randn(2, 16, 5, 5)
    y = model.get_submodule("stages.0.0")(x.clone())
    assert y.shape == (2, 16 + 8, 5, 5)
    torch.testing.assert_close(y[:, :16], x, rtol=0, atol=0)
