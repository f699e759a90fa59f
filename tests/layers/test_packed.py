"""Padded rows through recurrent layers: each as if alone, by torch's kernels or exported."""

import pytest
import torch
from torch import nn

from zoo.export.recurrent import Layers, packing, prepare
from zoo.layers.recurrent import run_packed

LENGTHS = torch.tensor([4, 1, 6])


@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("cell", [nn.RNN, nn.GRU, nn.LSTM])
def test_each_row_is_read_as_if_it_were_alone(cell, bidirectional):
    torch.manual_seed(0)
    kernel = cell(3, 5, 2, batch_first=True, bidirectional=bidirectional).eval()
    inputs = torch.randn(3, 7, 3)  # one more step than any row has
    for layers in (kernel, Layers(kernel, as_operators=True), Layers(kernel, as_operators=False)):
        outputs, last = run_packed(layers, inputs, LENGTHS)
        assert outputs.shape[1] == 7
        for row, length in enumerate(LENGTHS):
            alone, end = kernel(inputs[row : row + 1, :length])
            torch.testing.assert_close(outputs[row : row + 1, :length], alone, rtol=0, atol=1e-6)
            assert not outputs[row, length:].any()
            pairs = zip(last, end, strict=True) if cell is nn.LSTM else [(last, end)]
            for found, expected in pairs:
                torch.testing.assert_close(found[:, row : row + 1], expected, rtol=0, atol=1e-6)


class Reader(nn.Module):
    def __init__(self):
        super().__init__()
        self.packs = nn.GRU(3, 5, batch_first=True)
        self.runs = nn.GRU(5, 4, batch_first=True)

    def forward(self, inputs):
        return self.runs(run_packed(self.packs, inputs, LENGTHS)[0])[0]


@pytest.mark.parametrize(
    ("as_operators", "replaced"), [(False, {"packs"}), (True, {"packs", "runs"})]
)
def test_kernels_are_replaced_where_a_graph_needs_it(as_operators, replaced):
    torch.manual_seed(0)
    model, inputs = Reader().eval(), torch.randn(3, 6, 3)
    before, forward = model(inputs), model.forward
    found = packing(model, lambda: model(inputs))
    assert found == {"packs"}
    assert not any(kernel._forward_pre_hooks for kernel in model.children())
    prepare(model, found, as_operators=as_operators)
    assert {n for n, each in model.named_children() if isinstance(each, Layers)} == replaced
    assert model.forward == forward
    torch.testing.assert_close(model(inputs), before, rtol=0, atol=1e-6)
