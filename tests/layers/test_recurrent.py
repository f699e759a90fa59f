"""Recurrent layers from their equations: torch's kernels, step by step, in both of GRU's forms."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from tests.conftest import drawn, one_line
from zoo.errors import InputError
from zoo.layers.recurrent import GRU, LSTM, RNN, Recurrent

PAIRS = [(RNN, nn.RNN), (GRU, nn.GRU), (LSTM, nn.LSTM)]
IDS = ["RNN", "GRU", "LSTM"]
TOLERANCE = {torch.float32: 1e-6, torch.float64: 1e-12}


def twins(mine, theirs, sizes, dtype=torch.float64, **options):
    """The same layers twice, with the same weights."""
    torch.manual_seed(0)
    twin = theirs(*sizes, batch_first=True, **options).to(dtype)
    layer = mine(*sizes, **options).to(dtype)
    layer.load_state_dict(twin.state_dict())
    return layer, twin


def parts(state):
    return state if isinstance(state, tuple) else (state,)


def run(layer, inputs, state):
    """Outputs, last states, and the gradients of inputs, states and parameters."""
    inputs = inputs.clone().requires_grad_()
    begun = tuple(part.clone().requires_grad_() for part in state)
    given = () if not begun else (begun if len(begun) == 2 else begun[0],)
    outputs, last = layer(inputs, *given)
    made = (outputs, *parts(last))
    loss = sum((tensor * drawn(*tensor.shape, seed=9).to(tensor)).sum() for tensor in made)
    return *made, *torch.autograd.grad(loss, (inputs, *begun, *layer.parameters()))


def assert_equal_layers(layer, twin, inputs, state=()):
    tolerance = TOLERANCE[inputs.dtype]
    for mine, theirs in zip(run(layer, inputs, state), run(twin, inputs, state), strict=True):
        scale = max(1.0, theirs.abs().max().item())
        torch.testing.assert_close(mine, theirs, rtol=0, atol=tolerance * scale)


@pytest.mark.parametrize(("mine", "theirs"), PAIRS, ids=IDS)
@pytest.mark.parametrize("dtype", TOLERANCE, ids=str)
@pytest.mark.parametrize("layers", [1, 2, 3])
def test_outputs_states_and_gradients_are_torchs(mine, theirs, dtype, layers):
    layer, twin = twins(mine, theirs, (28, 32), dtype, num_layers=layers)
    assert list(layer.state_dict()) == list(twin.state_dict())
    state = [drawn(layers, 4, 32, dtype=dtype, seed=2 + i) for i in range(mine.num_states)]
    for begun in ((), state):
        assert_equal_layers(layer, twin, drawn(4, 35, 28, dtype=dtype), begun)


@pytest.mark.parametrize(("mine", "theirs"), PAIRS, ids=IDS)
@settings(max_examples=25)
@given(
    batch=st.integers(1, 5),
    steps=st.integers(1, 6),
    sizes=st.tuples(st.integers(1, 6), st.integers(1, 6)),
    layers=st.integers(1, 3),
    carried=st.booleans(),
)
def test_any_shape_is_torchs(mine, theirs, batch, steps, sizes, layers, carried):
    layer, twin = twins(mine, theirs, sizes, num_layers=layers)
    count = mine.num_states * carried
    state = [drawn(layers, batch, sizes[1], seed=2 + i) for i in range(count)]
    assert_equal_layers(layer, twin, drawn(batch, steps, sizes[0]), state)


@pytest.mark.parametrize("mine", [RNN, GRU, LSTM], ids=IDS)
@given(st.integers(1, 4), st.integers(1, 5), st.integers(1, 6))
@settings(max_examples=20)
def test_one_hot_inputs_are_looked_up(mine, batch, steps, size):
    torch.manual_seed(0)
    layer = mine(size, 5, num_layers=2).double()
    tokens = torch.randint(size, (batch, steps))
    found = []
    for inputs in (tokens, nn.functional.one_hot(tokens, size).double()):
        outputs, _ = layer(inputs)
        loss = (outputs * drawn(*outputs.shape)).sum()
        found.append((outputs, *torch.autograd.grad(loss, layer.parameters())))
    for ours, theirs in zip(*found, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-12)


def test_the_gru_of_the_papers_resets_before_the_product():
    """Written out for one unit, as in Cho et al., Equations 5 to 8."""
    torch.manual_seed(0)
    layer = GRU(1, 1, reset="before").double()
    w, u = layer.weight_ih_l0.flatten().tolist(), layer.weight_hh_l0.flatten().tolist()
    b = (layer.bias_ih_l0 + layer.bias_hh_l0).tolist()
    x, h = torch.tensor(0.7, dtype=torch.float64), torch.tensor(-0.4, dtype=torch.float64)
    r, z = (torch.sigmoid(w[i] * x + u[i] * h + b[i]) for i in (0, 1))
    candidate = torch.tanh(w[2] * x + u[2] * (r * h) + b[2])
    wanted = z * h + (1 - z) * candidate
    outputs, last = layer(x.view(1, 1, 1), h.view(1, 1, 1))
    torch.testing.assert_close(outputs.squeeze(), wanted, rtol=0, atol=1e-15)
    assert last.equal(outputs)
    after = GRU(1, 1).double()
    after.load_state_dict(layer.state_dict())
    assert not after(x.view(1, 1, 1), h.view(1, 1, 1))[0].equal(outputs)


@pytest.mark.parametrize("options", [{"reset": "before"}, {}], ids=["before", "after"])
def test_gradients_are_those_of_finite_differences(options):
    torch.manual_seed(0)
    layer = GRU(3, 2, **options).double()
    inputs, state = drawn(2, 4, 3).requires_grad_(), drawn(1, 2, 2, seed=1).requires_grad_()
    assert torch.autograd.gradcheck(layer, (inputs, state))


@pytest.mark.parametrize("mine", [RNN, GRU, LSTM], ids=IDS)
def test_pieces_of_a_sequence_are_the_whole(mine):
    layer, inputs = mine(3, 4, num_layers=2).double(), drawn(2, 9, 3)
    whole, last = layer(inputs)
    first, state = layer(inputs[:, :5])
    rest, end = layer(inputs[:, 5:], state)
    torch.testing.assert_close(torch.cat([first, rest], 1), whole, rtol=0, atol=1e-14)
    for ours, theirs in zip(parts(end), parts(last), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-14)


@pytest.mark.parametrize(("mine", "theirs"), PAIRS, ids=IDS)
def test_begins_as_torchs(mine, theirs):
    weights = []
    for kind in (mine, theirs):
        torch.manual_seed(0)
        weights.append(list(kind(3, 4, num_layers=2).parameters()))
    torch.testing.assert_close(*weights, rtol=0, atol=0)


def test_dropout_is_between_layers_and_in_training_alone():
    layer, inputs = RNN(3, 50, num_layers=2, dropout=0.5), drawn(2, 4, 3).float()
    torch.manual_seed(0)
    one, two = layer(inputs)[0], layer(inputs)[0]
    assert not one.equal(two)
    layer.eval()
    assert layer(inputs)[0].equal(layer(inputs)[0])
    single = RNN(3, 50, dropout=0.5)
    assert single(inputs)[0].equal(single(inputs)[0])


@pytest.mark.parametrize(
    ("act", "words"),
    [
        (lambda: RNN(0, 4), "0 inputs, 4 hidden values"),
        (lambda: RNN(3, 4)(torch.zeros(2, 5, 2)), r"\(2, 5, 2\) have to be \(batch, steps, 3\)"),
        (lambda: RNN(3, 4)(torch.zeros(5, 3)), r"\(5, 3\) have to be \(batch, steps, 3\)"),
        (
            lambda: RNN(3, 4)(torch.zeros(2, 5, 3), torch.zeros(1, 3, 4)),
            r"\[\(1, 3, 4\)\] has to be of \[\(1, 2, 4\)\]",
        ),
        (lambda: LSTM(3, 4)(torch.zeros(2, 5, 3), torch.zeros(1, 2, 4)), r"has to be of \[\(1, 2"),
    ],
)
def test_what_does_not_fit_is_one_line(act, words):
    with one_line(InputError, match=words):
        act()


def test_a_layer_without_a_rule_is_no_layer():
    with pytest.raises(TypeError, match="does not say what the next state is"):
        Recurrent(1, 1)(torch.zeros(1, 1, 1))
