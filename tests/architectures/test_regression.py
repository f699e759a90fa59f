"""Regressors: closed forms, the true weights found, figures of topics 1, 7, 18 and 19."""

from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import zoo
from datamodules import HighDimensional, Polynomial, SyntheticRegression
from tests.conftest import imported, quiet_trainer
from zoo.catalogue import recipes
from zoo.cli.main import main
from zoo.regression.linear_regression import LinearRegression, least_squares
from zoo.regression.mlp_regressor import MLPRegressor
from zoo.regression.polynomial_regression import PolynomialRegression
from zoo.runs.history import read

CPU = ["--trainer.accelerator", "cpu"]
AT_THE_END = ["--trainer.check_val_every_n_epoch", "100"]  # validate, and save, once


def fit(recipe: str, *options: str) -> Path:
    """The folder of a new run."""
    assert main(["fit", recipe, *CPU, *options]) == 0
    return max(Path("runs", recipe).iterdir(), key=lambda path: int(path.name))


def trained(run: Path, name: str = "last"):
    return zoo.load(run / "checkpoints" / f"{name}.ckpt")


def last(run: Path, metric: str) -> float:
    return read(run, "run").logged(metric)[-1][metric]


def training_rows(corpus):
    features, targets = corpus.read("train").tensors
    return features.double(), targets.double()


# Closed forms


@given(st.integers(1, 30), st.integers(1, 5), st.floats(0, 2), st.integers(0, 1000))
def test_least_squares_is_a_minimum_of_the_penalised_loss(rows, features, decay, seed):
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(rows, features, generator=generator, dtype=torch.float64)
    y = torch.randn(rows, generator=generator, dtype=torch.float64)
    weights, bias = (value.requires_grad_() for value in least_squares(x, y, decay))
    loss = ((x @ weights + bias - y) ** 2).mean() / 2 + decay / 2 * (weights**2).sum()
    for gradient in torch.autograd.grad(loss, (weights, bias)):
        torch.testing.assert_close(gradient, torch.zeros_like(gradient), rtol=0, atol=1e-9)


def test_least_squares_takes_the_shortest_of_many_solutions():
    corpus = HighDimensional()
    x, y = training_rows(corpus)
    weights, bias = least_squares(x, y)
    torch.testing.assert_close(x @ weights + bias, y)
    shortest = np.linalg.pinv((x - x.mean(0)).numpy()) @ (y - y.mean()).numpy()
    np.testing.assert_allclose(weights.numpy(), shortest, atol=1e-10)


def test_weight_decay_leads_where_the_closed_form_says():
    """And leaves the bias alone: the true one is far from zero."""
    corpus = SyntheticRegression(num_examples=40, batch_size=40)
    model = LinearRegression(
        in_features=2, weight_decay=0.5, optimizer=partial(torch.optim.SGD, lr=0.3)
    )
    quiet_trainer(max_epochs=200).fit(model, corpus)
    weights, bias = least_squares(*training_rows(corpus), weight_decay=0.5)
    torch.testing.assert_close(model.linear.weight[0].double(), weights, rtol=0, atol=1e-5)
    torch.testing.assert_close(model.linear.bias[0].double(), bias, rtol=0, atol=1e-5)


# Topic 1


def test_the_true_weights_are_found_in_three_epochs_and_the_closed_form_after_more():
    recipe = "linear_regression-synthetic_regression"
    linear = trained(fit(recipe)).linear
    truth = torch.tensor([2.0, -3.4, 4.2])
    found = torch.cat([linear.weight[0], linear.bias])
    assert (found - truth).abs().max() < 1e-2
    schedule = ["--model.lr_scheduler", "ExponentialLR", "--model.lr_scheduler.gamma", "0.8"]
    more = trained(fit(recipe, "--trainer.max_epochs", "15", *schedule))
    weights, bias = least_squares(*training_rows(SyntheticRegression()))
    assert (more.linear.weight[0].double() - weights).abs().max() < 1e-3
    assert abs(more.linear.bias[0].double() - bias) < 1e-3


# Topic 7


def test_a_cubic_is_fitted_and_a_line_underfits(capsys):
    run = fit("polynomial_regression-polynomial", *AT_THE_END)
    assert main(["test", "--ckpt_path", f"{run}/checkpoints/best.ckpt", *CPU]) == 0
    (line,) = [line for line in capsys.readouterr().out.splitlines() if "test/mse" in line]
    assert float(line.split()[3]) < 2e-4
    coefficients = trained(run).coefficients
    torch.testing.assert_close(coefficients, torch.tensor([1.2, -3.4, 5.6]), rtol=0, atol=0.01)
    run = fit("polynomial_regression-polynomial", "--model.degree", "1", *AT_THE_END)
    assert last(run, "val/mse") > 10


def test_two_rows_are_overfitted_and_stay_finite():
    run = fit("polynomial_regression-polynomial", "--data.num_examples", "2")
    assert last(run, "train/mse_epoch") < 1e-3
    assert 1 < last(run, "val/mse") < 1e4
    assert trained(run).linear.weight.isfinite().all()


@pytest.mark.slow
def test_weight_decay_holds_the_norm():
    norms = {}
    for decay in ("0", "3", "10"):
        options = ["--model.weight_decay", decay, *AT_THE_END]
        run = fit("linear_regression-high_dimensional", *options)
        norms[decay] = trained(run).linear.weight.norm().item()
    assert norms["3"] < 0.05
    assert norms["10"] < norms["3"] < norms["0"] / 2


def test_a_polynomial_is_the_sum_of_its_powers():
    model = PolynomialRegression(degree=4, target_mean=2.0, target_std=3.0)
    x = torch.linspace(-2, 2, 9).unsqueeze(1)
    powers = x ** torch.arange(1, 5)
    wanted = powers @ model.coefficients + 3 * model.linear.bias + 2
    torch.testing.assert_close(model.predict_step((x, None), 0), wanted)
    with pytest.raises(ValueError, match="at least 1"):
        PolynomialRegression(degree=0)


def test_the_polynomials_corpus_and_model_know_each_other():
    corpus = Polynomial()
    assert corpus.in_features == 1
    weights, bias = least_squares(
        training_rows(corpus)[0] ** torch.arange(1, 4), training_rows(corpus)[1]
    )
    torch.testing.assert_close(weights, torch.tensor([1.2, -3.4, 5.6]).double(), rtol=0, atol=0.01)
    assert abs(bias - 5) < 0.01


# The task


def test_loss_is_in_standard_deviations_and_metrics_in_units():
    model = LinearRegression(in_features=3, target_mean=10.0, target_std=4.0)
    features, targets = torch.randn(6, 3), 10 + 4 * torch.randn(6)
    step = model.step((features, targets))
    predictions = model.predict_step((features, None), 0)
    torch.testing.assert_close(step.predictions, predictions)
    torch.testing.assert_close(step.sums["mse"], ((predictions - targets) ** 2).sum())
    torch.testing.assert_close(step.loss, ((predictions - targets) ** 2).mean() / 2 / 16)
    assert model.derived({"mse": torch.tensor(9.0)})["rmse"] == 3


def test_weight_decay_is_for_weights_and_for_optimizers_that_know_it():
    model = MLPRegressor(in_features=3, weight_decay=0.1)
    groups = model.configure_optimizers().param_groups
    assert [group["weight_decay"] for group in groups] == [0.1, 0.0]
    assert all(p.ndim == 2 for p in groups[0]["params"])
    assert all(p.ndim == 1 for p in groups[1]["params"])
    model.optimizer = torch.optim.Rprop
    with pytest.raises(ValueError, match="Rprop knows no weight decay"):
        model.configure_optimizers()


# Topics 18 and 19: every optimizer on the airfoil data

TWINS = {
    "zoo.optimizers.sgd.SGD": "torch.optim.SGD",
    "zoo.optimizers.adagrad.AdaGrad": "torch.optim.Adagrad",
    "zoo.optimizers.rmsprop.RMSProp": "torch.optim.RMSprop",
    "zoo.optimizers.adadelta.AdaDelta": "torch.optim.Adadelta",
    "zoo.optimizers.adam.Adam": "torch.optim.Adam",
}
AIRFOIL = [name for name in recipes() if name.endswith("-airfoil")]


def twin(recipe: str) -> list[str]:
    """The options that choose torch's optimizer with the recipe's settings, if torch has it."""
    given = recipes()[recipe].config["model"]["init_args"]["optimizer"]
    if given["class_path"] not in TWINS:
        return []
    name = TWINS[given["class_path"]]
    settings = [f"--model.optimizer.{key}={value}" for key, value in given["init_args"].items()]
    return ["--model.optimizer", name, *settings]


@pytest.mark.parametrize("recipe", AIRFOIL)
def test_two_epochs_on_the_stand_in_come_near_the_optimum(recipe):
    options = ["--data.synthetic", "true"]
    losses = [last(fit(recipe, *options, *extra), "val/loss") for extra in ([], twin(recipe))]
    corpus = imported("datamodules.Airfoil")(synthetic=True, measure_on="training")
    corpus.setup("fit")
    features, targets = training_rows(corpus)
    weights, bias = least_squares(features, targets)
    optimum = ((features @ weights + bias - targets) ** 2).mean() / corpus.target_std**2 / 2
    assert optimum - 1e-6 < losses[0] < 0.2
    assert losses[1] == pytest.approx(losses[0], abs=2e-6), "torch's twin goes another way"


def test_one_step_of_newtons_method_is_the_optimum():
    """By the task's own objective, over the weights and the bias together."""
    options = ["--data.synthetic", "true", "--data.batch_size", "1500", "--model.optimizer"]
    run = fit("linear_regression-airfoil", *options, "Newton", "--trainer.max_epochs", "1")
    corpus = imported("datamodules.Airfoil")(synthetic=True, measure_on="training")
    features, targets = training_rows(corpus)
    scaled = (targets - corpus.target_mean) / corpus.target_std
    weights, bias = least_squares(features, scaled)
    linear = trained(run).linear
    torch.testing.assert_close(linear.weight[0].double(), weights, rtol=0, atol=1e-5)
    torch.testing.assert_close(linear.bias[0].double(), bias, rtol=0, atol=1e-5)


@pytest.mark.real
@pytest.mark.parametrize("recipe", AIRFOIL)
def test_airfoil_loss_after_two_epochs(recipe, real_data):
    options = ["--data.root", str(real_data)]
    assert last(fit(recipe, *options), "val/loss") <= 0.2475
    if twin(recipe):
        assert last(fit(recipe, *options, *twin(recipe)), "val/loss") <= 0.2475
