"""Metrics by name: equal to torchmetrics' on all rows, monitored, refused in one line."""

import pytest
import torch
from torchmetrics.functional import classification, mean_absolute_error

from datamodules import Airfoil, FashionMNIST
from tests.conftest import fails, quiet_trainer
from zoo.cli.main import main
from zoo.errors import InputError
from zoo.image_classification.softmax_regression import SoftmaxRegression
from zoo.regression.linear_regression import LinearRegression

NAMES = ["F1Score", "AUROC", "Accuracy@3", {"Precision": {"average": "weighted"}}]


def test_classes_are_measured_on_all_rows():
    torch.manual_seed(0)
    model = SoftmaxRegression(784, 10, metrics=NAMES)
    corpus = FashionMNIST(synthetic=True, batch_size=64)
    (found,) = quiet_trainer().validate(model, corpus, verbose=False)
    rows = [corpus.on_after_batch_transfer(batch, 0) for batch in corpus.val_dataloader()]
    images, labels = (torch.cat(parts) for parts in zip(*rows, strict=True))
    with torch.no_grad():
        scores = model(images)
    given = (scores, labels, 10)
    expected = {
        "val/f1_score": classification.multiclass_f1_score(*given),
        "val/auroc": classification.multiclass_auroc(*given),
        "val/accuracy@3": (scores.topk(3).indices == labels[:, None]).any(1).float().mean(),
        "val/precision": classification.multiclass_precision(*given, average="weighted"),
    }
    assert {*expected} < {*found}
    for name, value in expected.items():
        assert found[name] == pytest.approx(float(value), rel=1e-5), name


def test_numbers_are_measured_in_their_units():
    model = LinearRegression(5, metrics=["MeanAbsoluteError", "R2Score"])
    corpus = Airfoil(synthetic=True)
    (found,) = quiet_trainer().validate(model, corpus, verbose=False)
    rows = [corpus.on_after_batch_transfer(batch, 0) for batch in corpus.val_dataloader()]
    with torch.no_grad():
        predicted = torch.cat([model.predict_step(batch, 0) for batch in rows])
    targets = torch.cat([batch[1] for batch in rows])
    error = mean_absolute_error(predicted, targets)
    assert found["val/mean_absolute_error"] == pytest.approx(float(error), rel=1e-5)


@pytest.mark.parametrize(
    ("monitor", "mode"),
    [
        (None, "max"),
        ("val/accuracy", "max"),
        ("val/loss", "min"),
        ("val/f1_score", "max"),
        ("val/calibration_error", "min"),
    ],
)
def test_the_best_is_chosen_by_the_better_end(monitor, mode):
    chosen = ["F1Score", "CalibrationError"]
    model = SoftmaxRegression(784, 10, metrics=chosen, monitor=monitor)
    assert (model.monitor, model.monitor_mode) == (monitor or "val/accuracy", mode)


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ("F1Scor", "torchmetrics has no F1Scor of classes (did you mean F1Score?)"),
        ("MeanSquaredError", "torchmetrics has no MeanSquaredError of classes"),
        ("ConfusionMatrix", "ConfusionMatrix: it is no single number, which can be logged"),
        ("Accuracy@0", "metrics, Accuracy@0: wanted the name of one of torchmetrics"),
        ({"F1Score": {"avg": 1}}, "metrics, F1Score: Unexpected keyword arguments: `avg`"),
        ({"F1Score": 3}, "metrics, F1Score: wanted a name or {name: {option: value}}"),
        ({}, "wanted a name or {name: {option: value}}"),
        ({"AUROC": {"average": "x"}}, "metrics, AUROC: "),
    ],
    ids=str,
)
def test_what_is_no_metric_is_refused(entry, said):
    with pytest.raises(InputError) as caught:
        SoftmaxRegression(784, 10, metrics=["AUROC", entry][isinstance(entry, dict) :])
    assert said in str(caught.value)


def test_the_command(capsys):
    softmax = ["fit", "softmax_regression-fashion_mnist", "--data.synthetic", "true"]
    short = ["--trainer.max_epochs", "1", "--trainer.accelerator", "cpu"]
    options = ["--model.metrics", "[F1Score, Accuracy@5]", "--model.monitor", "val/f1_score"]
    assert main([*softmax, *short, *options]) == 0
    printed = capsys.readouterr().out
    assert "best.ckpt  (val/f1_score 0." in printed
    assert "val/accuracy@5" in printed
    assert (
        main(
            ["test", "--ckpt_path", "runs/softmax_regression-fashion_mnist/1/checkpoints/best.ckpt"]
        )
        == 0
    )
    assert "test/f1_score" in capsys.readouterr().out
    gan = ["fit", "gan-gaussian2d", "--data.synthetic", "true", "--model.metrics", "[AUROC]"]
    assert "the predictions of this model are not compared so" in fails(capsys, *gan)
    assert "`num_classes` but got 50 and 10" in fails(
        capsys, *softmax, *short, "--model.metrics", "[Accuracy@50]"
    )
