"""The layer table: shapes as computed, receptive fields as the gradient shows them."""

import math
import re

import pytest
import torch
import torchvision
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional

from tests.conftest import all_architectures, fails, imported
from zoo.cli.main import main
from zoo.cli.show.layers import OF_PICTURES
from zoo.examples import build
from zoo.layers.layer_table import layer_table, output_size
from zoo.layers.transformer import TransformerBlock


def table(network, *shape):
    return {row.name: row for row in layer_table(network, shape)}


@given(
    st.integers(1, 40), st.integers(1, 5), st.integers(1, 4), st.integers(0, 2), st.integers(1, 3)
)
def test_output_sizes_are_torchs(size, kernel, stride, padding, dilation):
    wanted = output_size(size, kernel, stride, padding, dilation)
    if wanted < 1:
        return
    network = nn.Conv2d(1, 1, kernel, stride, padding, dilation, device="meta")
    assert network(torch.zeros(1, 1, size, size, device="meta")).shape[-1] == wanted


class Branches(nn.Module):
    """A block whose branches see differently far, and one that is cut and joined."""

    def __init__(self):
        super().__init__()
        self.narrow = nn.Conv2d(1, 2, 1, stride=2)
        self.wide = nn.Sequential(nn.Conv2d(1, 2, 3, 2, 1), nn.Conv2d(2, 2, 3, 1, 2, dilation=2))
        self.after = nn.Conv2d(4, 1, 3, padding=1)
        self.pool = nn.AvgPool2d(2)

    def forward(self, x):
        return self.pool(self.after(torch.cat([self.narrow(x), functional.relu(self.wide(x))], 1)))


CHAINS = [
    nn.Sequential(nn.Conv2d(1, 2, 3), nn.MaxPool2d(2), nn.Conv2d(2, 1, 3, 2)),
    nn.Sequential(nn.Conv2d(1, 2, 5, 2, 2), nn.AvgPool2d(3, 1), nn.Conv2d(2, 1, 3, 1, 2, 2)),
    Branches(),
]


@pytest.mark.parametrize("network", CHAINS, ids=["pooled", "dilated", "branches"])
def test_receptive_fields_are_what_the_gradient_reaches(network):
    """Of an output in the middle of a large picture; positive weights, so that nothing cancels."""
    for parameter in network.parameters():
        nn.init.uniform_(parameter, 0.1, 1)
    for module in network.modules():
        if isinstance(module, nn.MaxPool2d):  # which only lets one of its inputs through
            module.forward = nn.AvgPool2d(module.kernel_size).forward
    picture = torch.rand(1, 1, 65, 65, requires_grad=True)
    output = network(picture)
    output[0, 0, output.shape[2] // 2, output.shape[3] // 2].backward()
    reached = picture.grad[0, 0].nonzero()
    side = int((reached.max(0).values - reached.min(0).values + 1).max())
    assert layer_table(network, (1, 65, 65))[-1].receptive_field == side


def test_known_receptive_fields_of_published_networks():
    with torch.device("meta"):
        resnet, vgg = torchvision.models.resnet18(), torchvision.models.vgg16()
    assert table(resnet, 3, 224, 224)["layer4.1.relu"].receptive_field == 435
    pools = [row for row in layer_table(vgg, (3, 224, 224)) if row.kind == "MaxPool2d"]
    assert [row.receptive_field for row in pools] == [6, 16, 44, 100, 212]
    assert [row.shape for row in pools][-1] == (512, 7, 7)


def test_dense_layers_see_everything_and_nothing_is_left_behind():
    network = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Flatten(), nn.Linear(2 * 4, 5)).train()
    rows = layer_table(network, (1, 4, 4))
    assert [row.receptive_field for row in rows] == [3, float("inf"), float("inf")]
    assert [row.parameters for row in rows] == [20, 0, 45]
    assert network.training
    assert not any(module._forward_hooks for module in network.modules())
    assert not hasattr(network(torch.zeros(1, 1, 4, 4)), "field")


@pytest.mark.parametrize(
    "definition", [d for d in all_architectures() if d.family in OF_PICTURES], ids=lambda d: d.name
)
def test_the_layers_hold_all_parameters(definition):
    cls = imported(definition.class_path)
    with torch.device("meta"):
        network = build(cls)
        inputs = network.forward_inputs(cls.example())
        rows = layer_table(network, inputs)
        assert sum(row.parameters for row in rows) == sum(p.numel() for p in network.parameters())
        if definition.family != "object_detection":  # which gathers the maps of its last layers
            assert rows[-1].shape == network.eval()(*inputs).shape[1:]


def test_the_command_prints_them(capsys):
    assert main(["show", "lenet", "--layers"]) == 0
    out = capsys.readouterr().out
    assert "16 x 10 x 10" in out
    assert "61,706" in out
    assert "Surface has no layers; those that do: " in fails(capsys, "show", "Surface", "--layers")
    assert "did you mean LeNet?" in fails(capsys, "show", "lenett", "--layers")


@pytest.mark.parametrize(
    ("name", "row"),
    [
        ("Seq2Seq", r"decoder +│ LSTM +│ +10 x 32 +│ +20,992 +│ +all"),
        ("BidirectionalRNN", r"recurrence +│ LSTM +│ 300 x 128 +│ +84,992 +│ +all"),
        ("TextCNN", r"convolutions.2 +│ Conv1d +│ 100 x 296 +│ +100,100 +│ +5"),
    ],
)
def test_rows_that_are_packed_or_of_steps(name, row, capsys):
    assert main(["show", name, "--layers"]) == 0
    assert re.search(row, capsys.readouterr().out)


def test_after_an_attention_all_is_seen():
    rows = layer_table(TransformerBlock(8, 16, 2), (torch.zeros(1, 5, 8),))
    fields = {row.name: row.receptive_field for row in rows}
    assert fields["attention_norm"] == 1  # comes first
    assert fields["dense_norm"] == math.inf
