"""A run that was stopped anywhere goes on bit by bit as if it had not been."""

from functools import partial

import pytest
import torch
from lightning.pytorch import Callback
from torch.optim import Adam
from torch.optim.lr_scheduler import OneCycleLR

from datamodules import FashionMNIST, GradientNoise
from tests.conftest import quiet_trainer
from zoo.checkpoints.checkpoint import DurableCheckpointIO
from zoo.image_classification.mlp import MLP
from zoo.optimization.surface import Surface

EPOCHS, BATCHES = 3, 5


class SaveEachStep(Callback):
    def __init__(self, folder):
        self.folder, self.seen, self.saved = folder, [], 0

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        self.seen.append(batch[0].double().sum().item())

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        if self.folder and trainer.global_step > self.saved:
            self.saved = trainer.global_step
            trainer.save_checkpoint(self.folder / f"{self.saved}.ckpt")

    def on_validation_end(self, trainer, pl_module):
        if self.folder and not trainer.sanity_checking:
            trainer.save_checkpoint(self.folder / f"epoch-{trainer.current_epoch}.ckpt")


def one_cycle(optimizer):
    return OneCycleLR(optimizer, 0.01, total_steps=EPOCHS * BATCHES)


def train(folder=None, ckpt_path=None, workers=0, schedule=one_cycle, **options):
    torch.manual_seed(0)
    model = MLP(
        in_features=784,
        num_classes=10,
        hidden_sizes=(16,),
        dropout=0.3,
        lr_scheduler=schedule,
        schedule_interval="step",
    )
    data = FashionMNIST(
        synthetic=True, batch_size=32, augment=("flip", "crop"), num_workers=workers
    )
    recorder = SaveEachStep(folder)
    trainer = quiet_trainer(
        **{"max_epochs": EPOCHS, "limit_train_batches": BATCHES, **options},
        limit_val_batches=1,
        callbacks=[recorder],
        plugins=[DurableCheckpointIO()],
    )
    trainer.fit(model, data, ckpt_path=ckpt_path)
    metrics = {k: v.item() for k, v in trainer.callback_metrics.items()}
    return model.state_dict(), recorder.seen, metrics


def assert_equal(first, second):
    for name, tensor in first.items():
        assert torch.equal(tensor, second[name]), name


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    folder = tmp_path_factory.mktemp("checkpoints")
    return folder, *train(folder)


@pytest.mark.parametrize("workers", [0, 2])
def test_from_every_step(uninterrupted, workers):
    folder, weights, seen, metrics = uninterrupted
    steps = range(1, EPOCHS * BATCHES) if workers == 0 else (1, 4, 5, 6, 10, 13)
    for step in steps:
        resumed, rest, measured = train(ckpt_path=folder / f"{step}.ckpt", workers=workers)
        assert rest == seen[step:], step
        assert_equal(weights, resumed)
        assert measured == pytest.approx(metrics, rel=1e-6), step


@pytest.mark.parametrize("epoch", range(EPOCHS - 1))
def test_from_the_end_of_an_epoch(uninterrupted, epoch):
    folder, weights, seen, _ = uninterrupted
    resumed, rest, _ = train(ckpt_path=folder / f"epoch-{epoch}.ckpt")
    assert rest == seen[(epoch + 1) * BATCHES :]
    assert_equal(weights, resumed)


def test_under_accumulation(tmp_path):
    options = {"accumulate_grad_batches": 2, "limit_train_batches": 6}
    weights, seen, _ = train(tmp_path, **options)
    for step in (1, 2, 3, 4, 7):
        resumed, rest, _ = train(ckpt_path=tmp_path / f"{step}.ckpt", **options)
        assert rest == seen[2 * step :]
        assert_equal(weights, resumed)


@pytest.mark.parametrize("workers", [0, 2])
def test_with_a_schedule_as_long_as_the_run(uninterrupted, workers):
    """To find out how long that is must not have the workers read from the beginning."""
    folder, weights, seen, _ = uninterrupted
    schedule = partial(OneCycleLR, max_lr=0.01)
    for step in (2, 7):
        options = {"workers": workers, "schedule": schedule}
        resumed, rest, _ = train(ckpt_path=folder / f"{step}.ckpt", **options)
        assert rest == seen[step:]
        assert_equal(weights, resumed)


def test_in_double_precision(tmp_path):
    def descend(ckpt_path=None):
        saver = SaveEachStep(tmp_path)
        trainer = quiet_trainer(
            precision="64-true",
            callbacks=[] if ckpt_path else [saver],
            plugins=[DurableCheckpointIO()],
        )
        model = Surface(function="valley", optimizer=partial(Adam, lr=0.1))
        trainer.fit(model, GradientNoise(num_steps=6), ckpt_path=ckpt_path)
        return model.point.detach()

    whole = descend()
    assert whole.dtype == torch.float64
    for step in range(1, 6):
        assert torch.equal(descend(tmp_path / f"{step}.ckpt"), whole), step


def test_workers_change_nothing(uninterrupted):
    _, weights, seen, _ = uninterrupted
    other, same, _ = train(workers=2)
    assert same == seen
    assert_equal(weights, other)
