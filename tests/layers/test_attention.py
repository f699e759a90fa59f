"""Attention and the Transformer's block: the course's figures, torch's layers, masks, caches."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from tests.conftest import drawn
from zoo.errors import InputError
from zoo.layers.attention import (
    AdditiveAttention,
    DotProductAttention,
    MultiHeadAttention,
    masked_softmax,
    recorded,
    sinusoids,
    within,
)
from zoo.layers.transformer import TransformerBlock


def test_masked_softmax_knows_lengths_of_rows_and_of_queries():
    scores = drawn(2, 2, 4)
    of_rows = masked_softmax(scores, within(torch.tensor([2, 3]), 4)[:, None])
    of_queries = masked_softmax(scores, within(torch.tensor([[1, 3], [2, 4]]), 4))
    for weights, lengths in ((of_rows, [[2, 2], [3, 3]]), (of_queries, [[1, 3], [2, 4]])):
        for row, query in ((row, query) for row in range(2) for query in range(2)):
            length = lengths[row][query]
            wanted = scores[row, query, :length].softmax(0)
            torch.testing.assert_close(weights[row, query, :length], wanted)
            assert not weights[row, query, length:].any()
    assert masked_softmax(scores).equal(scores.softmax(-1))


def test_a_query_that_may_look_nowhere_gets_zeros_and_a_gradient():
    scores = drawn(1, 2, 3).requires_grad_()
    weights = masked_softmax(scores, torch.tensor([[[True, True, False], [False] * 3]]))
    assert weights[0, 1].tolist() == [0, 0, 0]
    weights.square().sum().backward()
    assert scores.grad.isfinite().all()


@pytest.mark.parametrize(
    "attention", [DotProductAttention(), AdditiveAttention(2, 2, 8)], ids=["dot", "additive"]
)
def test_the_courses_values(attention):
    """Equal keys: the mean of the first 2 and 6 values."""
    values = torch.arange(40.0).view(1, 10, 4).repeat(2, 1, 1)
    allowed = within(torch.tensor([2, 6]), 10)[:, None]
    with recorded(attention) as weights:
        found = attention(torch.randn(2, 1, 2), torch.ones(2, 10, 2), values, allowed)
    torch.testing.assert_close(found[:, 0], torch.tensor([[2.0, 3, 4, 5], [10, 11, 12, 13]]))
    torch.testing.assert_close(weights[0][1, 0, :6], torch.full((6,), 1 / 6))
    attention(torch.randn(2, 1, 2), torch.ones(2, 10, 2), values)
    assert len(weights) == 1


def test_additive_attention_is_its_equation():
    attention = AdditiveAttention(3, 5, 7).double()
    queries, keys, values = drawn(2, 4, 3), drawn(2, 6, 5, seed=1), drawn(2, 6, 2, seed=2)
    found = attention(queries, keys, values)
    for row in range(2):
        for query in range(4):
            scores = torch.stack(
                [
                    attention.score.weight[0]
                    @ (
                        attention.query.weight @ queries[row, query]
                        + attention.key.weight @ keys[row, key]
                    ).tanh()
                    for key in range(6)
                ]
            )
            torch.testing.assert_close(found[row, query], scores.softmax(0) @ values[row])


@pytest.mark.parametrize("kernel", ["torch", "equation"])
def test_heads_are_torchs(kernel):
    torch.manual_seed(0)
    ours = MultiHeadAttention(8, 2, kernel=kernel).double()
    theirs = nn.MultiheadAttention(8, 2, batch_first=True).double()
    theirs.load_state_dict(ours.state_dict())
    queries, keys, values = drawn(3, 4, 8), drawn(3, 6, 8, seed=1), drawn(3, 6, 8, seed=2)
    allowed = within(torch.tensor([2, 6, 3]), 6)
    found = ours(queries, keys, values, allowed[:, None, None])
    wanted, weights = theirs(
        queries, keys, values, key_padding_mask=~allowed, average_attn_weights=False
    )
    torch.testing.assert_close(found, wanted)
    with recorded(ours) as seen:
        again = ours(queries, keys, values, allowed[:, None, None])
    torch.testing.assert_close(again, wanted)
    torch.testing.assert_close(seen[0], weights)


def test_heads_share_values_evenly():
    with pytest.raises(InputError, match="3 heads cannot share 8 values"):
        MultiHeadAttention(8, 3)


@pytest.mark.parametrize("norm", ["pre", "post"])
def test_a_block_without_a_source_is_torchs_encoder_layer(norm):
    torch.manual_seed(0)
    ours = TransformerBlock(8, 12, 2, norm=norm).double().eval()
    theirs = nn.TransformerEncoderLayer(
        8, 2, 12, dropout=0.0, batch_first=True, norm_first=norm == "pre", dtype=torch.float64
    ).eval()
    copy(ours, theirs)
    x, allowed = drawn(3, 5, 8), within(torch.tensor([5, 2, 4]), 5)
    found, _ = ours(x, allowed=allowed[:, None, None])
    wanted = theirs(x, src_key_padding_mask=~allowed)
    torch.testing.assert_close(found[allowed], wanted[allowed])


@pytest.mark.parametrize("norm", ["pre", "post"])
def test_a_block_with_a_source_is_torchs_decoder_layer(norm):
    torch.manual_seed(0)
    ours = TransformerBlock(8, 12, 2, norm=norm, cross=True).double().eval()
    theirs = nn.TransformerDecoderLayer(
        8, 2, 12, dropout=0.0, batch_first=True, norm_first=norm == "pre", dtype=torch.float64
    ).eval()
    copy(ours, theirs)
    x, source = drawn(3, 5, 8), drawn(3, 6, 8, seed=1)
    allowed = within(torch.tensor([6, 2, 4]), 6)
    found, _ = ours(
        x,
        causal=True,
        source=ours.of_source.keys_values(source),
        source_allowed=allowed[:, None, None],
    )
    later = nn.Transformer.generate_square_subsequent_mask(5, dtype=torch.float64)
    wanted = theirs(x, source, tgt_mask=later, memory_key_padding_mask=~allowed)
    torch.testing.assert_close(found, wanted)


def copy(ours, theirs):
    """Weights of a block into torch's layer."""
    theirs.self_attn.load_state_dict(ours.attention.state_dict())
    theirs.linear1.load_state_dict(ours.dense[0].state_dict())
    theirs.linear2.load_state_dict(ours.dense[2].state_dict())
    norms = [ours.attention_norm, ours.dense_norm]
    if hasattr(ours, "of_source"):
        theirs.multihead_attn.load_state_dict(ours.of_source.state_dict())
        norms.insert(1, ours.of_source_norm)
    for index, norm in enumerate(norms, start=1):
        norm.weight.data.uniform_(0.5, 1.5)
        getattr(theirs, f"norm{index}").load_state_dict(norm.state_dict())


@given(
    cuts=st.lists(st.integers(1, 12), min_size=1, max_size=7),
    norm=st.sampled_from(["pre", "post"]),
    training=st.booleans(),
)
def test_a_block_reads_on_as_if_at_once(cuts, norm, training):
    torch.manual_seed(0)
    block = TransformerBlock(8, 12, 2, norm=norm, cross=True).double().eval()
    x, source = drawn(2, sum(cuts), 8), block.of_source.keys_values(drawn(2, 3, 8, seed=1))
    whole, _ = block(x, causal=True, source=source)
    past, before, found = None, 0, []
    for part in x.split(cuts, 1):
        with torch.set_grad_enabled(training):
            made, past = block(part, past, before, causal=True, source=source)
        before += part.shape[1]
        found.append(made)
    torch.testing.assert_close(torch.cat(found, 1), whole)


def test_positions_are_sines_and_cosines():
    found = sinusoids(60, 7)
    assert found.shape == (60, 7)
    for position, place in ((0, 0), (5, 2), (5, 3), (59, 6)):
        angle = position / 10_000 ** (place // 2 * 2 / 7)
        wanted = math.cos(angle) if place % 2 else math.sin(angle)
        assert found[position, place].item() == pytest.approx(wanted, abs=1e-5)
