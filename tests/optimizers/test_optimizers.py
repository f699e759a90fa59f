"""Optimizers: against torch's, against their formulas, against what the course printed."""

import inspect
import io
import math
from functools import partial

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from tests.conftest import drawn
from zoo.errors import InputError
from zoo.optimizers.adadelta import AdaDelta
from zoo.optimizers.adagrad import AdaGrad
from zoo.optimizers.adam import Adam
from zoo.optimizers.newton import Newton
from zoo.optimizers.rmsprop import RMSProp
from zoo.optimizers.sgd import SGD
from zoo.optimizers.update_rule import UpdateRule
from zoo.optimizers.yogi import Yogi

TWINS = {
    SGD: torch.optim.SGD,
    AdaGrad: torch.optim.Adagrad,
    RMSProp: torch.optim.RMSprop,
    AdaDelta: torch.optim.Adadelta,
    Adam: torch.optim.Adam,
}
INSIDE = {"eps": 1e-6, "eps_inside_root": True}


DATA = drawn(8, 4)


def start(dtype=torch.float64):
    """Three parameters of different shapes."""
    shapes = ((4, 3), (3,), ())
    return [nn.Parameter(drawn(*shape, seed=s).to(dtype)) for s, shape in enumerate(shapes, 1)]


def objective(parameters):
    """A quadratic in the matrix, with a term in all three that is none."""
    matrix, vector, scalar = parameters
    outputs = DATA.to(matrix.dtype) @ matrix + vector
    return outputs.square().mean() + (scalar * vector.sum() + outputs.sin().mean()).cosh().log()


def advance(optimizer, parameters, steps):
    for _ in range(steps):
        optimizer.zero_grad()
        objective(parameters).backward()
        optimizer.step()


def descend(make, function, point, steps):
    """Where an optimizer comes to from a point."""
    points = nn.Parameter(torch.tensor(point, dtype=torch.float64))
    optimizer = make([points])
    if isinstance(optimizer, Newton):
        optimizer.objective = lambda parameters: function(*parameters[0])
    for _ in range(steps):
        optimizer.zero_grad()
        function(*points).backward()
        optimizer.step()
    return points.tolist()


@pytest.mark.parametrize("weight_decay", [0.0, 0.05])
@pytest.mark.parametrize(
    ("optimizer", "settings"),
    [
        (SGD, {"lr": 0.05}),
        (SGD, {"lr": 0.05, "momentum": 0.9}),
        (SGD, {"lr": 0.05, "momentum": 0.8, "nesterov": True}),
        (AdaGrad, {}),
        (AdaGrad, {"lr": 0.3, "eps": 1e-3}),
        (RMSProp, {}),
        (RMSProp, {"lr": 0.02, "alpha": 0.9, "eps": 1e-4}),
        (AdaDelta, {}),
        (AdaDelta, {"lr": 0.7, "rho": 0.95, "eps": 1e-5}),
        (Adam, {}),
        (Adam, {"lr": 0.05, "betas": (0.8, 0.95), "eps": 1e-4}),
    ],
)
def test_each_step_is_the_one_of_torch(optimizer, settings, weight_decay):
    ours, theirs = start(), start()
    mine = optimizer(ours, weight_decay=weight_decay, **settings)
    twin = TWINS[optimizer](theirs, weight_decay=weight_decay, **settings)
    for _ in range(100):
        advance(mine, ours, 1)
        advance(twin, theirs, 1)
        for our, their in zip(ours, theirs, strict=True):
            torch.testing.assert_close(our, their, rtol=0, atol=1e-12)
    assert (ours[0] - start()[0]).abs().max() > 0.01


@pytest.mark.parametrize("optimizer", TWINS)
def test_defaults_are_those_of_torch(optimizer):
    twin = inspect.signature(TWINS[optimizer]).parameters
    for name, parameter in inspect.signature(optimizer).parameters.items():
        if name not in ("params", "eps_inside_root"):
            assert parameter.default == twin[name].default, name


def gradient_at(x):
    """Of x^2 + cos(3 x), in plain numbers."""
    return 2 * x - 3 * math.sin(3 * x)


def bowl(x):
    return x**2 + (3 * x).cos()


@pytest.mark.parametrize("inside", [False, True])
def test_adagrad_adds_eps_where_it_says(inside):
    x, s = 2.0, 0.0
    for _ in range(30):
        g = gradient_at(x)
        s += g * g
        x -= 0.4 * g / (math.sqrt(s + 0.1) if inside else math.sqrt(s) + 0.1)
    make = partial(AdaGrad, lr=0.4, eps=0.1, eps_inside_root=inside)
    assert descend(make, bowl, [2.0], 30) == pytest.approx([x], abs=1e-12)


@pytest.mark.parametrize("inside", [False, True])
def test_rmsprop_adds_eps_where_it_says(inside):
    x, s = 2.0, 0.0
    for _ in range(30):
        g = gradient_at(x)
        s = 0.7 * s + 0.3 * g * g
        x -= 0.05 * g / (math.sqrt(s + 0.1) if inside else math.sqrt(s) + 0.1)
    make = partial(RMSProp, lr=0.05, alpha=0.7, eps=0.1, eps_inside_root=inside)
    assert descend(make, bowl, [2.0], 30) == pytest.approx([x], abs=1e-12)


@pytest.mark.parametrize(
    ("settings", "lr", "beta1", "beta2"),
    [({}, 0.01, 0.9, 0.999), ({"lr": 0.1, "betas": (0.8, 0.9)}, 0.1, 0.8, 0.9)],
)
def test_yogi_is_its_formula(settings, lr, beta1, beta2):
    x, m, v = 2.0, 0.0, 0.0
    signs = set()
    for t in range(1, 61):
        g = gradient_at(x)
        m = beta1 * m + (1 - beta1) * g
        signs.add(v > g * g)
        v += (1 - beta2) * (-g * g if v > g * g else g * g)
        x -= lr * (m / (1 - beta1**t)) / (math.sqrt(v / (1 - beta2**t)) + 1e-3)
    assert signs == {True, False} or not settings
    assert descend(partial(Yogi, **settings), bowl, [2.0], 60) == pytest.approx([x], abs=1e-12)


def test_yogi_forgets_a_large_gradient_slower_than_adam():
    def square_after_an_outlier(optimizer):
        parameter = nn.Parameter(torch.zeros(()))
        optimizer = optimizer([parameter], betas=(0.9, 0.9))
        for gradient in (100.0, *[1.0] * 50):
            parameter.grad = torch.tensor(gradient)
            optimizer.step()
        return optimizer.state[parameter]["square"]

    assert square_after_an_outlier(Adam) < 10
    assert square_after_an_outlier(Yogi) > 900


@given(st.floats(-1e6, 1e6).filter(lambda g: abs(g) > 1e-6), st.floats(1e-4, 10))
def test_adams_first_step_is_the_learning_rate_whatever_the_gradient(gradient, lr):
    parameter = nn.Parameter(torch.zeros((), dtype=torch.float64))
    parameter.grad = torch.tensor(gradient, dtype=torch.float64)
    Adam([parameter], lr=lr, eps=0.0).step()
    assert parameter.item() == pytest.approx(-math.copysign(lr, gradient), rel=1e-12)


def square(x):
    return x**2


def wave(x):
    return x * torch.cos(0.15 * math.pi * x)


def catenary(x):
    return torch.cosh(0.5 * x)


def printed(text):
    """A figure to half a unit of its last digit."""
    return pytest.approx(float(text), rel=0, abs=0.51 * 10.0 ** -len(text.partition(".")[2]))


@pytest.mark.parametrize(
    ("make", "function", "expected"),
    [
        (partial(SGD, lr=0.2), square, 0.060466176),
        (partial(SGD, lr=0.05), square, 3.486784401),
        (partial(SGD, lr=1.1), square, 61.917364224),
    ],
)
def test_descent_on_a_parabola_ends_where_the_course_printed(make, function, expected):
    assert descend(make, function, [10.0], 10) == pytest.approx([expected], rel=1e-9)


@pytest.mark.parametrize(
    ("make", "function", "expected"),
    [
        (partial(SGD, lr=2.0), wave, "-1.528166"),
        (Newton, catenary, "0.000000"),
        (Newton, wave, "26.834"),
        (partial(Newton, lr=0.5), wave, "7.26986"),
    ],
)
def test_descent_in_one_dimension_ends_where_the_course_printed(make, function, expected):
    (end,) = descend(make, function, [10.0], 10)
    assert end == printed(expected)


def ellipse(x, y):
    return x**2 + 2 * y**2


def ravine(x, y):
    return 0.1 * x**2 + 2 * y**2


@pytest.mark.parametrize(
    ("make", "function", "x", "y"),
    [
        (partial(SGD, lr=0.1), ellipse, "-.057646", "-.000073"),
        (partial(SGD, lr=0.4), ravine, "-.943467", "-.000073"),
        (partial(SGD, lr=0.6), ravine, "-.387814", "-1673.365"),
        (partial(SGD, lr=0.4, momentum=0.5), ravine, "-.062843", ".001202"),
        (partial(SGD, lr=0.6, momentum=0.5), ravine, ".007188", ".002553"),
        (partial(AdaGrad, lr=0.4, **INSIDE), ravine, "-2.382563", "-.158591"),
        (partial(AdaGrad, lr=2.0, **INSIDE), ravine, "-.002295", ".000000"),
        (partial(RMSProp, lr=0.4, alpha=0.9, **INSIDE), ravine, "-.010599", ".000000"),
    ],
)
def test_descent_in_the_plane_ends_where_the_course_printed(make, function, x, y):
    end = descend(make, function, [-5.0, -2.0], 20)
    assert end == [printed(x), printed(y)]


ALL = [
    partial(SGD, lr=0.05),
    partial(SGD, lr=0.05, momentum=0.9, nesterov=True, weight_decay=0.1),
    AdaGrad,
    RMSProp,
    AdaDelta,
    Adam,
    Yogi,
    partial(Newton, lr=0.1, objective=objective),
]
FIRST_ORDER = ALL[:-1]


def name(make):
    return getattr(make, "func", make).__name__


@pytest.mark.parametrize("make", ALL, ids=name)
def test_a_run_goes_on_from_its_state_bit_by_bit(make):
    whole = start()
    advance(make(whole), whole, 12)

    half = start()
    optimizer = make(half)
    advance(optimizer, half, 5)
    file = io.BytesIO()
    torch.save({"parameters": half, "optimizer": optimizer.state_dict()}, file)
    file.seek(0)
    loaded = torch.load(file, weights_only=True)
    optimizer = make(loaded["parameters"])
    optimizer.load_state_dict(loaded["optimizer"])
    advance(optimizer, loaded["parameters"], 7)
    for resumed, uninterrupted in zip(loaded["parameters"], whole, strict=True):
        assert torch.equal(resumed, uninterrupted)


@pytest.mark.parametrize("make", FIRST_ORDER, ids=name)
def test_what_is_kept_is_tensors_like_the_parameter_and_plain_numbers(make):
    parameters = start(torch.float32)
    optimizer = make(parameters)
    advance(optimizer, parameters, 2)
    for parameter in parameters:
        for value in optimizer.state[parameter].values():
            if isinstance(value, torch.Tensor):
                assert (value.dtype, value.shape) == (parameter.dtype, parameter.shape)
            else:
                assert type(value) is int


@pytest.mark.parametrize("make", ALL, ids=name)
@pytest.mark.parametrize(("dtype", "atol"), [(torch.float32, 1e-4), (torch.bfloat16, 0.1)])
def test_lower_precisions_follow_double_precision(make, dtype, atol):
    exact, rough = start(), start(dtype)
    advance(make(exact), exact, 20)
    advance(make(rough), rough, 20)
    for low, high in zip(rough, exact, strict=True):
        assert low.dtype == dtype
        torch.testing.assert_close(low.double(), high, rtol=0, atol=atol)


@pytest.mark.parametrize("make", FIRST_ORDER, ids=name)
def test_a_step_reads_no_value_so_that_no_device_waits_for_it(make):
    parameter = nn.Parameter(torch.empty(2, 3, device="meta"))
    optimizer = make([parameter])
    for _ in range(2):
        parameter.grad = torch.empty(2, 3, device="meta")
        optimizer.step()
    kept = optimizer.state[parameter].values()
    assert {value.device.type for value in kept if isinstance(value, torch.Tensor)} <= {"meta"}


@pytest.mark.parametrize("make", FIRST_ORDER, ids=name)
def test_groups_have_their_own_settings(make):
    together, apart = start(), start()
    advance(make([{"params": together[:1]}, {"params": together[1:], "lr": 0.0}]), together, 3)
    for parameter, origin, moved in zip(together, start(), (True, False, False), strict=True):
        assert torch.equal(parameter, origin) != moved
    advance(make(apart[:1]), apart, 3)
    assert torch.equal(together[0], apart[0])


@pytest.mark.parametrize("make", FIRST_ORDER, ids=name)
def test_a_parameter_without_gradient_stays_and_keeps_nothing(make):
    used, unused = nn.Parameter(torch.ones(2)), nn.Parameter(torch.ones(2))
    optimizer = make([used, unused])
    used.square().sum().backward()
    optimizer.step()
    assert torch.equal(unused, torch.ones(2))
    assert not torch.equal(used, torch.ones(2))
    assert unused not in optimizer.state


@pytest.mark.parametrize("make", ALL, ids=name)
def test_the_closure_is_called_once_with_gradients_and_its_loss_returned(make):
    parameters = start()
    optimizer = make(parameters)
    losses = []

    def closure():
        optimizer.zero_grad()
        losses.append(objective(parameters))
        losses[-1].backward()
        return losses[-1]

    with torch.no_grad():
        assert optimizer.step(closure) is losses[0]
    assert len(losses) == 1
    assert objective(parameters) < losses[0]


@pytest.mark.parametrize("make", FIRST_ORDER, ids=name)
def test_a_step_leaves_the_gradients_as_they_are(make):
    parameters = start()
    optimizer = make(parameters)
    objective(parameters).backward()
    before = [parameter.grad.clone() for parameter in parameters]
    optimizer.step()
    for parameter, gradient in zip(parameters, before, strict=True):
        assert torch.equal(parameter.grad, gradient)


@pytest.mark.parametrize("make", FIRST_ORDER, ids=name)
def test_sparse_gradients_are_refused(make):
    embedding = nn.Embedding(5, 2, sparse=True)
    optimizer = make(embedding.parameters())
    embedding(torch.tensor([1])).sum().backward()
    with pytest.raises(InputError, match=f"{name(make)} takes dense .* sparse=False"):
        optimizer.step()


BAD = [
    (SGD, "lr", -0.1),
    (SGD, "lr", math.nan),
    (SGD, "momentum", 1.0),
    (SGD, "momentum", -0.1),
    (SGD, "weight_decay", -1e-4),
    (SGD, "nesterov", True),
    (AdaGrad, "lr", -1.0),
    (AdaGrad, "eps", -1e-8),
    (RMSProp, "lr", math.inf),
    (RMSProp, "alpha", 1.0),
    (RMSProp, "eps", -1e-8),
    (AdaDelta, "rho", 1.5),
    (AdaDelta, "eps", -1e-8),
    (Adam, "betas", (1.0, 0.999)),
    (Adam, "betas", (0.9, -0.1)),
    (Adam, "eps", -1e-8),
    (Yogi, "betas", (0.9, 1.0)),
    (Yogi, "weight_decay", -1.0),
    (Newton, "lr", -1.0),
]


@pytest.mark.parametrize(("optimizer", "argument", "value"), BAD)
def test_bad_settings_are_named_in_one_line(optimizer, argument, value):
    for params, settings in (
        (start(), {argument: value}),
        ([{"params": start(), argument: value}], {}),
    ):
        with pytest.raises(InputError) as error:
            optimizer(params, **settings)
        message = str(error.value)
        assert message.startswith(f"{argument} is {value}")
        assert "\n" not in message


def test_a_rule_without_an_equation_says_so():
    parameter = nn.Parameter(torch.ones(()))
    parameter.grad = torch.ones(())
    with pytest.raises(TypeError, match="UpdateRule does not say what an update is"):
        UpdateRule([parameter], lr=0.1, weight_decay=0.0).step()


@given(st.integers(1, 6), st.integers(0, 1000))
def test_newton_lands_on_the_minimum_of_a_quadratic_in_one_step(size, seed):
    factor, minimum = drawn(size, size, seed=seed), drawn(size, seed=seed + 1)
    matrix = factor @ factor.T + torch.eye(size, dtype=torch.float64)
    point = nn.Parameter(drawn(size, seed=seed + 2))

    def quadratic(parameters):
        away = parameters[0] - minimum
        return away @ matrix @ away / 2 + 7

    Newton([point], objective=quadratic).step()
    torch.testing.assert_close(point.detach(), minimum, rtol=0, atol=1e-10)


@pytest.mark.parametrize("lr", [1.0, 0.3])
def test_newton_is_numpys_on_parameters_of_several_shapes(lr):
    # exp(x) + x y + cosh(y - z) + z^4 / 12 + z^2
    x, y, z = 0.3, -0.4, 0.9
    pair = nn.Parameter(torch.tensor([[x, y]], dtype=torch.float64))
    single = nn.Parameter(torch.tensor(z, dtype=torch.float64))

    def mixed(parameters):
        (x, y), z = parameters[0][0], parameters[1]
        return x.exp() + x * y + (y - z).cosh() + z**4 / 12 + z**2

    optimizer = Newton([pair, single], lr=lr, objective=mixed)
    for _ in range(3):
        optimizer.step()
    point = np.array([x, y, z])
    for _ in range(3):
        x, y, z = point
        sinh, cosh = np.sinh(y - z), np.cosh(y - z)
        gradient = np.array([np.exp(x) + y, x + sinh, -sinh + z**3 / 3 + 2 * z])
        hessian = np.array([[np.exp(x), 1, 0], [1, cosh, -cosh], [0, -cosh, cosh + z**2 + 2]])
        point = point - lr * np.linalg.inv(hessian) @ gradient
    assert [*pair[0].tolist(), single.item()] == pytest.approx(point.tolist(), abs=1e-12)


def test_newton_leaves_frozen_parameters_alone_and_shows_each_in_its_own_type():
    parameters = start(torch.bfloat16)
    parameters[1].requires_grad_(False)
    seen = []

    def spied(values):
        seen.append([(value.dtype, tuple(value.shape)) for value in values])
        return objective(values)

    Newton(parameters, lr=0.1, objective=spied).step()
    assert seen[0] == [(torch.bfloat16, shape) for shape in ((4, 3), (3,), ())]
    origins = start(torch.bfloat16)
    for parameter, origin, moved in zip(parameters, origins, (True, False, True), strict=True):
        assert torch.equal(parameter, origin) != moved


def test_newton_says_what_it_needs():
    point = [nn.Parameter(torch.ones(2))]
    with pytest.raises(InputError, match=r"set optimizer\.objective"):
        Newton(point).step()
    with pytest.raises(InputError, match="Hessian is singular"):
        Newton(point, objective=lambda parameters: parameters[0].sum() ** 2).step()
    with pytest.raises(InputError, match="one parameter group"):
        Newton([{"params": point}, {"params": [nn.Parameter(torch.ones(2))]}])
    Newton([nn.Parameter(torch.ones(40, 50))])
    with pytest.raises(InputError, match="at most 2,000 values and got 2,001"):
        Newton([nn.Parameter(torch.ones(2000)), nn.Parameter(torch.ones(()))])
