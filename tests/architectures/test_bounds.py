"""Numbers out of bounds are refused where an architecture is built, in Python as by the command."""

import math

import pytest
import torch

from tests.conftest import all_architectures, fails, imported
from zoo.catalogue import arguments, definitions
from zoo.errors import InputError, in_bounds
from zoo.examples import build

AT_LEAST = {  # arguments of many architectures, or of families, and the least of each
    **dict.fromkeys(("embed_dim", "hidden_size", "hidden_sizes", "num_layers", "num_heads"), 1),
    **dict.fromkeys(("ffn_dim", "context_size", "max_length", "beam_size"), 1),
    **dict.fromkeys(("kernel_sizes", "num_channels", "num_blocks", "num_buckets", "blocks"), 1),
    **dict.fromkeys(("growth", "bottleneck", "cardinality", "base_width", "head_sizes"), 1),
    **dict.fromkeys(("width", "first_stride", "micro_batch_size", "mini_batch_size"), 1),
    **dict.fromkeys(("weight_decay", "init_std", "length_penalty", "dropout"), 0.0),
    **dict.fromkeys(("label_smoothing", "compression", "score_thresh"), 0.0),
    "dense_layers": 0,
}
SEVERAL = ("hidden_sizes", "kernel_sizes", "blocks", "head_sizes")
CASES = [
    (definition, name)
    for definition in all_architectures()
    for name in arguments(definition, definitions())
    if name in AT_LEAST
]


@pytest.mark.parametrize(("definition", "name"), CASES, ids=lambda v: getattr(v, "name", v))
def test_a_number_below_its_bound_is_refused(definition, name):
    bad = AT_LEAST[name] - 1
    with torch.device("meta"), pytest.raises(InputError, match=rf"{name}\b.* {bad}\b"):
        build(imported(definition.class_path), **{name: [bad] if name in SEVERAL else bad})


def test_bounds():
    in_bounds(1, sizes=[1, (2, 3)], none=None)
    in_bounds(0, 1, share=0.5, rates=[0, 1.0])
    with pytest.raises(InputError, match=r"^sizes has to be 1 or more, not 0$"):
        in_bounds(1, sizes=[1, (2, 0)])
    for share in (-0.1, 1.5, math.nan):
        with pytest.raises(InputError, match=f"^share has to be from 0 to 1, not {share}$"):
            in_bounds(0, 1, share=share)


def test_the_command_says_it_in_one_line(capsys):
    line = fails(capsys, "fit", "mlp-fashion_mnist", "--data.synthetic=true", "--model.dropout=2")
    assert line == "zoo: --model.dropout has to be from 0 to 1, not 2.0"
