"""What a task does in training: schedules, logged means, generators; the lines of Python."""

import csv
import math
from functools import partial
from itertools import pairwise

import pytest
import torch
from lightning.pytorch import Callback, seed_everything
from lightning.pytorch.loggers import CSVLogger
from torch.optim import SGD
from torch.optim.lr_scheduler import CosineAnnealingLR, OneCycleLR, ReduceLROnPlateau

import zoo
from datamodules import FashionMNIST
from tests.conftest import quiet_trainer
from zoo import LeNet, SoftmaxRegression
from zoo.training.running_means import RunningMeans


def corpus(**options):
    return FashionMNIST(synthetic=True, **options)


class Recorder(Callback):
    """Learning rate and loss of each step."""

    def __init__(self):
        self.rates, self.losses, self.sizes = [], [], []

    def on_before_optimizer_step(self, trainer, pl_module, optimizer):
        self.rates.append(optimizer.param_groups[0]["lr"])

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        self.losses.append(outputs["loss"].item())
        self.sizes.append(len(batch[1]))


def fit(model, data=None, **options):
    recorder = Recorder()
    trainer = quiet_trainer(**{"max_epochs": 2, "callbacks": [recorder], **options})
    trainer.fit(model, data or corpus())
    return trainer, recorder


def softmax(**options):
    torch.manual_seed(0)
    return SoftmaxRegression(in_features=784, num_classes=10, **options)


def test_the_readmes_lines_of_python():
    assert "LeNet" in zoo.list_models("*net")
    trainer = quiet_trainer()
    trainer.fit(LeNet(in_channels=1, num_classes=10), FashionMNIST(synthetic=True))
    data = FashionMNIST(synthetic=True)
    (metrics,) = trainer.test(trainer.lightning_module, data, verbose=False)
    assert set(metrics) == {"test/loss", "test/accuracy"}


@pytest.mark.parametrize("interval", ["step", "epoch"])
def test_a_schedule_gets_the_length_of_the_run(interval):
    schedule = partial(OneCycleLR, max_lr=0.1)
    model = softmax(
        optimizer=partial(SGD, lr=0.1), lr_scheduler=schedule, schedule_interval=interval
    )
    _, recorder = fit(model, max_epochs=3)
    assert max(recorder.rates) == pytest.approx(0.1, rel=0.1)
    assert recorder.rates[-1] < 1e-3
    assert len(recorder.rates) == 66
    changes = sum(a != b for a, b in pairwise(recorder.rates))
    assert changes == (65 if interval == "step" else 2)


def test_a_schedule_that_has_its_length_keeps_it():
    schedule = partial(CosineAnnealingLR, T_max=4)
    _, recorder = fit(softmax(optimizer=partial(SGD, lr=1.0), lr_scheduler=schedule))
    assert recorder.rates[-1] == pytest.approx((1 + math.cos(math.pi / 4)) / 2)


def test_a_plateau_schedule_watches_the_tasks_measure():
    schedule = partial(ReduceLROnPlateau, mode="max", patience=0, threshold=1.0, factor=0.5)
    _, recorder = fit(softmax(optimizer=partial(SGD, lr=1.0), lr_scheduler=schedule), max_epochs=3)
    assert recorder.rates[-1] == pytest.approx(0.5)


def test_logged_means_are_the_means(tmp_path):
    logger = CSVLogger(tmp_path, name="", version="")
    options = {"logger": logger, "log_every_n_steps": 5, "max_epochs": 1}
    _, recorder = fit(softmax(optimizer=partial(SGD, lr=0.1)), **options)
    with (tmp_path / "metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    windows = [float(row["train/loss"]) for row in rows if row["train/loss"]]
    pairs = list(zip(recorder.losses, recorder.sizes, strict=True))

    def mean(part):
        return sum(loss * size for loss, size in part) / sum(size for _, size in part)

    assert windows == pytest.approx([mean(pairs[i : i + 5]) for i in range(0, 20, 5)], rel=1e-5)
    (epoch,) = [float(row["train/loss_epoch"]) for row in rows if row["train/loss_epoch"]]
    assert epoch == pytest.approx(mean(pairs), rel=1e-5)


def test_test_metrics_are_means_over_all_rows():
    data, model = corpus(batch_size=300), softmax()
    (metrics,) = quiet_trainer().test(model, data, verbose=False)
    rows, labels = data.data["test"].tensors
    logits = model(data.normalise(rows))
    accuracy = (logits.argmax(1) == labels).float().mean().item()
    loss = torch.nn.functional.cross_entropy(logits, labels).item()
    assert metrics == pytest.approx({"test/loss": loss, "test/accuracy": accuracy}, rel=1e-5)


def test_same_seed_same_bits_other_seed_other_bits():
    weights = []
    for seed in (1, 1, 2):
        seed_everything(seed, verbose=False)
        model = zoo.MLP(in_features=784, num_classes=10, dropout=0.5)
        fit(model, corpus(augment=("flip", "crop")), max_epochs=1)
        weights.append(model.head.weight.detach().clone())
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])


def test_overfits_the_same_batches_in_order():
    _, recorder = fit(softmax(), overfit_batches=2, max_epochs=20)
    assert len(recorder.losses) == 40
    assert recorder.losses[-1] < recorder.losses[0] / 2


def test_running_means_merge():
    parts = [RunningMeans(), RunningMeans()]
    for means, loss, right in zip(parts, (1.0, 4.0), (3, 1), strict=True):
        means.update(torch.tensor(loss), {"accuracy": torch.tensor(right)}, 4)
    parts[0].merge(parts[1])
    computed = {k: v.item() for k, v in parts[0].compute().items()}
    assert computed == {"loss": 2.5, "accuracy": 0.5}


def test_plain_attributes_still_behave_as_a_modules():
    model = softmax()
    model.note = "a"
    model.note = None
    assert model.note is None
    model.linear = None
    assert "linear" in model._modules
    assert model.linear is None
    with pytest.raises(TypeError, match="does not say what a step is"):
        zoo.task.Task().step(None)
