"""Descent: the values that the course printed, projections against brute force, pictures."""

import csv
import math
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from datamodules import GradientNoise
from tests.conftest import quiet_trainer
from zoo.cli.main import main
from zoo.optimization.functions import FUNCTIONS, Function
from zoo.optimization.projections import project_ball, project_box, project_simplex
from zoo.optimization.surface import Surface
from zoo.optimizers.newton import Newton
from zoo.training.optimization import BatchObjective

pytestmark = pytest.mark.drawn

ATOL = 1e-9


def trace(recipe: str, *options: str) -> list[list[float]]:
    """The points of a run, the start first, and their values: [x1, (x2,) f]."""
    assert main(["fit", f"surface{recipe}-gradient_noise", *options]) == 0
    runs = Path("runs", f"surface{recipe}-gradient_noise").iterdir()
    run = max(runs, key=lambda path: int(path.name))
    assert (run / "pictures" / "training_trace.png").stat().st_size > 5_000
    with (run / "pictures" / "training_trace.csv").open() as file:
        return [[float(v) for v in row[1:]] for row in list(csv.reader(file))[1:]]


def descend(gradient, start, lr, steps):
    """Plain gradient descent in plain Python: every point."""
    points = [start]
    for _ in range(steps):
        points.append([x - lr * g for x, g in zip(points[-1], gradient(*points[-1]), strict=True)])
    return points


def assert_same(found, wanted):
    assert len(found) == len(wanted)
    for row, point in zip(found, wanted, strict=True):
        assert row[:-1] == pytest.approx(point, rel=0, abs=ATOL)


# Topic 18


@pytest.mark.parametrize(
    ("lr", "printed"), [("0.2", 0.060466176), ("0.05", 3.486784401), ("1.1", 61.917364224)]
)
def test_descent_on_the_parabola(lr, printed):
    points = trace("_parabola", "--model.optimizer.lr", lr)
    assert points[-1][0] == pytest.approx(printed, rel=0, abs=ATOL)
    assert_same(points, descend(lambda x: [2 * x], [10.0], float(lr), 10))


def test_descent_into_a_local_minimum():
    c = 0.15 * math.pi
    points = trace("_waves")
    assert round(points[-1][0], 6) == -1.528166
    assert_same(
        points, descend(lambda x: [math.cos(c * x) - c * x * math.sin(c * x)], [10.0], 2.0, 10)
    )


def test_descent_in_two_dimensions():
    points = trace("")
    assert [round(x, 6) for x in points[-1][:2]] == [-0.057646, -0.000073]
    assert_same(points, descend(lambda x, y: [2 * x, 4 * y], [-5.0, -2.0], 0.1, 20))


def test_newtons_method():
    points = trace("_newton")
    assert points[-1][0] == pytest.approx(0.0, abs=ATOL)
    c = 0.15 * math.pi

    def step(x):
        first = math.cos(c * x) - c * x * math.sin(c * x)
        return first / (-2 * c * math.sin(c * x) - c**2 * x * math.cos(c * x))

    for lr, printed in ((1.0, 26.834), (0.5, 7.26986)):
        points = trace("_newton", "--model.function", "waves", "--model.optimizer.lr", str(lr))
        assert points[-1][0] == pytest.approx(printed, abs=5e-4)
        assert points[-1][0] == pytest.approx(
            descend(lambda x: [step(x)], [10.0], lr, 10)[-1][0], abs=ATOL
        )


def test_the_noise_has_mean_zero_and_the_point_comes_near_the_minimum():
    points = trace("_stochastic")
    assert math.hypot(*points[-1][:2]) < 1
    noisy = [a != pytest.approx(b, abs=1e-3) for a, b in zip(points, trace(""), strict=False)]
    assert sum(noisy) > 15


def test_the_steps_are_those_of_the_noisy_gradient():
    corpus = GradientNoise(num_steps=6, std=2.0, batch_size=3)
    (noise,) = corpus.read("train").tensors
    surface = Surface(optimizer=partial(torch.optim.SGD, lr=0.1))
    quiet_trainer().fit(surface, corpus)
    order = torch.randperm(6, generator=torch.Generator().manual_seed(0))
    x = torch.tensor([-5.0, -2.0])
    for rows in order.split(3):
        x = x - 0.1 * (torch.tensor([2.0, 4.0]) * x + noise[rows].mean(0))
    torch.testing.assert_close(surface.point.detach(), x)


# Topic 19

PRINTED = {
    ("_momentum", "lr=0.4"): (-0.062843, 0.001202),
    ("_momentum", "lr=0.6"): (0.007188, 0.002553),
    ("_momentum", "lr=0.4", "momentum=0.0"): (-0.943467, -0.000073),
    ("_momentum", "lr=0.6", "momentum=0.0"): (-0.387814, -1673.365109),
    ("_adagrad", "lr=0.4"): (-2.382563, -0.158591),
    ("_adagrad", "lr=2.0"): (-0.002295, 0.0),
    ("_rmsprop", "lr=0.4"): (-0.010599, 0.0),
}


@pytest.mark.parametrize("case", PRINTED, ids=" ".join)
def test_traces_in_the_valley(case):
    recipe, *settings = case
    points = trace(recipe, *(f"--model.optimizer.{setting}" for setting in settings))
    assert points[-1][:2] == pytest.approx(PRINTED[case], rel=0, abs=1e-6)


# Sets

points = arrays("float64", array_shapes(max_dims=2, max_side=4), elements=st.floats(-9, 9))
SETS = {
    "ball": (partial(project_ball, radius=2.0), lambda x: x.norm(dim=-1) <= 2 + 1e-9),
    "box": (partial(project_box, low=-1.0, high=2.0), lambda x: ((x >= -1) & (x <= 2)).all(-1)),
    "simplex": (
        partial(project_simplex, total=2.0),
        lambda x: (x >= 0).all(-1) & ((x.sum(-1) - 2).abs() < 1e-9),
    ),
}


@given(st.sampled_from(sorted(SETS)), points, st.integers(0, 99))
def test_a_projection_is_the_nearest_point_of_the_set(name, array, seed):
    """In the set; and at no acute angle to any other point of it, which only the nearest is."""
    project, contains = SETS[name]
    x = torch.from_numpy(array)
    nearest = project(x)
    assert contains(nearest).all()
    torch.testing.assert_close(project(nearest), nearest)
    others = project(5 * torch.randn(50, *x.shape, generator=torch.Generator().manual_seed(seed),
                                     dtype=x.dtype))  # fmt: skip
    assert (((x - nearest) * (others - nearest)).sum(-1) <= 1e-7).all()
    inside = contains(x).unsqueeze(-1)
    torch.testing.assert_close(torch.where(inside, nearest, 0.0), torch.where(inside, x, 0.0))


def test_projections_equal_a_search_of_a_grid():
    line = torch.linspace(-2, 2, 401, dtype=torch.float64)
    grid = torch.stack(torch.meshgrid(line, line, indexing="ij"), dim=-1).view(-1, 2)
    for project, contains in SETS.values():
        members = grid[contains(grid)]
        for x in torch.tensor([[3.0, 1.0], [-2.0, 0.5], [0.3, 0.4]], dtype=torch.float64):
            best = members[(members - x).norm(dim=1).argmin()]
            assert (project(x) - best).norm() < 0.02


def test_empty_sets_are_refused():
    x = torch.zeros(2)
    for project, words in (
        (partial(project_ball, radius=0.0), "radius"),
        (partial(project_box, low=1.0, high=-1.0), "empty"),
        (partial(project_simplex, total=-1.0), "sum"),
    ):
        with pytest.raises(ValueError, match=words):
            project(x)


@pytest.mark.parametrize("within", ["ball", "box", "simplex"])
def test_projected_descent_ends_at_the_best_point_of_the_set(within):
    options = ["--model.within", within, "--model.start", "[3.0, 2.0]", "--data.num_steps", "60"]
    options += ["--model.low", "0.5", "--model.high", "2.0", "--model.radius", "1.0"]
    points = torch.tensor(trace("_projected", *options), dtype=torch.float64)[:, :2]
    contains = {
        "ball": lambda x: x.norm(dim=-1) <= 1 + 1e-9,
        "box": lambda x: ((x >= 0.5) & (x <= 2)).all(-1),
        "simplex": lambda x: (x >= 0).all(-1) & ((x.sum(-1) - 1).abs() < 1e-9),
    }[within]
    assert contains(points).all()
    # of x^2 + 2 y^2: the origin; the corner; where the gradients (2 x, 4 y) are equal
    best = {"ball": [0, 0], "box": [0.5, 0.5], "simplex": [2 / 3, 1 / 3]}[within]
    torch.testing.assert_close(points[-1], torch.tensor(best).double(), rtol=0, atol=1e-4)


# The module


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_function_has_a_start_in_its_picture(name):
    function = FUNCTIONS[name]
    assert len(function.start) == len(function.shown)
    for value, (low, high) in zip(function.start, function.shown, strict=True):
        assert low < value < high
    surface = Surface(function=name, dimensions=len(function.start))
    assert surface(torch.zeros(1, len(function.start))).isfinite()


@given(st.sampled_from(sorted(FUNCTIONS)), st.integers(0, 99))
def test_a_step_of_newtons_method_is_the_closed_form(name, seed):
    """By the task's own objective, the noise of the batch included."""
    dimensions = len(FUNCTIONS[name].start)
    surface = Surface(function=name, dimensions=dimensions).double()
    generator = torch.Generator().manual_seed(seed)
    noise = torch.randn(3, dimensions, generator=generator, dtype=torch.float64)
    objective = BatchObjective(surface)
    objective.batch = (noise,)
    x = surface.point.detach().clone()
    gradient = torch.func.grad(surface.value)(x) + noise.mean(0)
    hessian = torch.func.hessian(surface.value)(x)
    assume(torch.linalg.cond(hessian) < 1e6)
    Newton(surface.parameters(), objective=objective).step()
    wanted = x - torch.linalg.solve(hessian, gradient)
    torch.testing.assert_close(surface.point.detach(), wanted)


def test_one_may_add_a_function(monkeypatch):
    quartic = Function("x⁴", lambda x: x**4, (1.0,), ((-2.0, 2.0),))
    monkeypatch.setitem(FUNCTIONS, "quartic", quartic)
    points = trace("_parabola", "--model.function", "quartic", "--model.optimizer.lr", "0.1")
    assert points[1][0] == pytest.approx(0.6)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--model.function", "ellipsis"], "no function is called ellipsis; there are: parabola"),
        (["--model.function", "parabola"], "1 variables, the start 1, and the noise 2"),
        (["--model.start", "[1.0]"], "--data.dimensions 2"),
        (["--model.within", "ball", "--model.radius", "0.0"], "radius"),
        (["--data.std", "-1.0"], "std must not be negative"),
        (["--data.dimensions", "3"], "dimensions must be 1 or 2"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_bad_words_get_one_line(options, words, capsys):
    assert main(["fit", "surface-gradient_noise", *options]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert words in line
    assert not Path("runs").exists()


def test_newton_trains_in_one_process():
    model = Surface(function="cosh", dimensions=1, optimizer=Newton)
    model.trainer = SimpleNamespace(world_size=2, accumulate_grad_batches=1)
    with pytest.raises(ValueError, match="Newton trains in one process"):
        model.configure_optimizers()
