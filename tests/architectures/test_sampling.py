"""The Transformer step by step, and sampling: the nucleus, draws, greedy, bounds."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from tests.architectures.conftest import VOCAB, Text, counted, initialised, rows_of
from zoo.errors import InputError
from zoo.language_modeling.gru import GRU
from zoo.language_modeling.lstm import LSTM
from zoo.language_modeling.ngram import NGram
from zoo.language_modeling.rnn import RNN
from zoo.language_modeling.sampling import choose, restricted, sample
from zoo.language_modeling.transformer_language_model import TransformerLanguageModel

# The Transformer


def transformer(**options):
    torch.manual_seed(0)
    sizes = {"embed_dim": 16, "num_heads": 2, "num_layers": 3, "context_size": 20}
    model = TransformerLanguageModel(VOCAB, **{**sizes, **options})
    for parameter in model.parameters():
        if parameter.ndim > 1:
            nn.init.normal_(parameter, std=0.3)  # attention that attends
    return model.eval()


@pytest.mark.parametrize("positions", ["learned", "sinusoidal"])
@pytest.mark.parametrize("pieces", [[1] * 20, [5, 1, 1, 13], [20]])
def test_stepwise_logits_are_the_teacher_forced_ones(positions, pieces):
    model, tokens = transformer(positions=positions), Text().whole[0]
    state, found = model.initial_state(3), []
    for piece in tokens.split(pieces, 1):
        logits, state = model.unroll(piece, state)
        found.append(logits)
    torch.testing.assert_close(torch.cat(found, 1), model(tokens), rtol=0, atol=1e-5)


def test_a_text_longer_than_the_context_is_read_on_from_its_last_half():
    model, tokens = transformer(context_size=8), Text().whole[0]
    _, state = model.unroll(tokens[:, :8], model.initial_state(3))
    logits, state = model.unroll(tokens[:, 8:9], state)
    torch.testing.assert_close(logits[:, 0], model(tokens[:, 5:9])[:, -1], rtol=0, atol=1e-6)
    assert state[0].shape == (1, 3, 4)
    assert sample(model, tokens[:, :3], 30).shape == (3, 30)
    with pytest.raises(InputError, match="rows of 9 tokens are longer than context_size, 8"):
        model(tokens[:, :9])
    with pytest.raises(InputError, match="multiple of 2 num_heads, 4"):
        transformer(embed_dim=18)
    assert not transformer(carry_state=True).carry_state


# Sampling

LOGITS = st.lists(st.floats(-5, 5, width=32), min_size=2, max_size=8)


@given(LOGITS, st.floats(0.01, 1))
def test_the_nucleus_is_that_of_a_loop(values, top_p):
    logits = torch.tensor([values])
    shares = logits[0].double().softmax(0).tolist()
    order = sorted(range(len(values)), key=lambda i: (-values[i], i))
    kept, total = set(), 0.0
    for place in order:
        if total < top_p - 1e-9:
            kept.add(place)
        elif total < top_p + 1e-9:
            return  # a matter of rounding
        total += shares[place]
    found = restricted(logits, top_p=top_p)[0]
    assert {i for i, v in enumerate(found.tolist()) if v > -math.inf} == kept
    assert all(found[i] == logits[0, i] for i in kept)


@given(LOGITS, st.integers(1, 9))
def test_the_k_most_probable_are_kept(values, top_k):
    found = restricted(torch.tensor([values]), top_k=top_k)[0].tolist()
    order = sorted(range(len(values)), key=lambda i: (-values[i], i))[:top_k]
    assert {i for i, v in enumerate(found) if v > -math.inf} == set(order)


@pytest.mark.parametrize(
    ("options", "wanted"),
    [
        ({}, [0.5, 0.25, 0.15, 0.1]),
        ({"temperature": 0.5}, [0.25, 0.0625, 0.0225, 0.01]),
        ({"top_k": 2}, [0.5, 0.25, 0, 0]),
        ({"top_p": 0.8}, [0.5, 0.25, 0.15, 0]),
        ({"top_k": 3, "top_p": 0.8}, [0.5, 0.25, 0, 0]),  # 0.75 / 0.9 is over 0.8
    ],
)
def test_draws_have_the_distribution(options, wanted):
    """Pearson's statistic of 20,000 draws is below the 0.1% point of chi-square, 16.3."""
    logits = torch.tensor([0.5, 0.25, 0.15, 0.1]).log().expand(20_000, -1)
    generator = torch.Generator().manual_seed(0)
    counts = choose(logits, generator=generator, **options).bincount(minlength=4)
    expected = torch.tensor(wanted) / sum(wanted) * 20_000
    assert not counts[expected == 0].any()
    some = expected > 0
    assert ((counts - expected)[some].square() / expected[some]).sum() < 16.3


@pytest.mark.parametrize("kind", [RNN, GRU, LSTM, TransformerLanguageModel, NGram])
def test_greedy_is_the_argmax_of_the_whole_text(kind):
    model = transformer(context_size=40) if kind is TransformerLanguageModel else None
    model = model or (counted(3)[0] if kind is NGram else initialised(kind, init_std=1.0).eval())
    text = Text().whole[0][:, :4]
    added = sample(model, text, 12, temperature=0.0)
    for _ in range(12):
        text = torch.cat([text, model(text)[:, -1:].argmax(2)], 1)
    assert added.equal(text[:, 4:])


def test_sampling_is_seeded_and_leaves_everything_as_it_was():
    model, prompt = initialised(LSTM, dropout=0.5), Text().whole[0][:, :4]
    torch.manual_seed(5)
    wanted = torch.rand(3)
    torch.manual_seed(5)
    first, again, other = (sample(model, prompt, 30, seed=seed) for seed in (1, 1, 2))
    assert torch.rand(3).equal(wanted)
    assert first.equal(again)
    assert not first.equal(other)
    assert model.training
    assert model._carried == {}
    assert not (sample(model, prompt, 200, barred=[2, 3]).unsqueeze(2) == rows_of([2, 3])).any()
    assert sample(model, prompt, 0).shape == (3, 0)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"temperature": -1.0}, "temperature is -1.0"),
        ({"temperature": math.nan}, "temperature is nan"),
        ({"top_k": 0}, "top_k is 0"),
        ({"top_p": 0.0}, "top_p is 0.0"),
        ({"top_p": 1.5}, "top_p is 1.5"),
    ],
)
def test_settings_out_of_bounds_are_one_line(options, words):
    with pytest.raises(InputError, match=words):
        sample(initialised(RNN), rows_of([[1]]), 3, **options)
    with pytest.raises(InputError, match="the prompt is empty"):
        sample(initialised(RNN), torch.zeros(1, 0, dtype=torch.int64), 3)


@pytest.mark.parametrize("temperature", [1e-30, 1e-45])
def test_a_temperature_near_0_is_greedy(temperature):
    logits = torch.tensor([[3.0, 5.0, -2.0]])
    assert choose(logits, temperature=temperature).tolist() == [1]
