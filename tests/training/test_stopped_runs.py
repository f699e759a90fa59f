"""A run that a signal stopped in any of its steps, and that was resumed, is as if it had not been.

Weights, the best checkpoint, what callbacks know, and the rows of metrics.csv.
"""

import csv
import os
import signal
from functools import partial

import pytest
import torch
from lightning.pytorch import Callback
from lightning.pytorch.callbacks import EarlyStopping, ModelCheckpoint
from lightning.pytorch.loggers import CSVLogger

from datamodules import FashionMNIST
from tests.conftest import quiet_trainer
from tests.durability.trial import same
from zoo.checkpoints.checkpoint import DurableCheckpointIO, read
from zoo.checkpoints.last_checkpoint import LastCheckpoint
from zoo.errors import StoppedError
from zoo.image_classification.mlp import MLP
from zoo.training.weight_averaging import ExponentialMovingAverage, StochasticWeightAveraging

CASES = {
    "plain": {},
    "within": {"val_check_interval": 2},
    "every other epoch": {"check_val_every_n_epoch": 2},
    "by steps": {"check_val_every_n_epoch": None, "val_check_interval": 2},
    "accumulated": {
        "accumulate_grad_batches": 2,
        "limit_train_batches": 6,
        "val_check_interval": 3,
    },
    "stops early": {"own": partial(EarlyStopping, "val/loss", patience=1, min_delta=10.0)},
    "at the end of averages": {"own": partial(StochasticWeightAveraging, start=0.3)},
    "moving averages": {"own": ExponentialMovingAverage, "val_check_interval": 2},
}
COMPARED = ("epoch", "global_step", "state_dict", "optimizer_states", "lr_schedulers")


class Signal(Callback):
    """Sends SIGTERM within a step."""

    def __init__(self, step):
        self.step = step

    def on_before_optimizer_step(self, trainer, pl_module, optimizer):
        if trainer.global_step + 1 == self.step:
            os.kill(os.getpid(), signal.SIGTERM)


def train(folder, at=0, ckpt_path=None, own=None, **options):
    """Trains with a signal within the step number `at`; returns the number of steps."""
    torch.manual_seed(0)
    model = MLP(
        in_features=784,
        num_classes=10,
        hidden_sizes=(8,),
        optimizer=partial(torch.optim.Adam, lr=0.01),
        lr_scheduler=partial(torch.optim.lr_scheduler.ExponentialLR, gamma=0.9),
    )
    best = ModelCheckpoint(folder.parent, "best", "val/loss", enable_version_counter=False)
    trainer = quiet_trainer(
        max_epochs=3,
        limit_val_batches=2,
        log_every_n_steps=2,
        logger=CSVLogger(folder, name="", version=""),
        callbacks=[Signal(at), *([own()] if own else []), best, LastCheckpoint(folder.parent)],
        plugins=[DurableCheckpointIO()],
        enable_checkpointing=True,
        **{"limit_train_batches": 3, **options},
    )
    trainer.fit(model, FashionMNIST(synthetic=True, batch_size=32), ckpt_path=ckpt_path)
    return trainer.global_step


def rows(folder):
    """The rows of its metrics.csv, without the columns that are empty."""
    if not (path := folder / "metrics.csv").exists():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        return [{k: v for k, v in row.items() if v} for row in csv.DictReader(file)]


@pytest.mark.parametrize("case", CASES)
def test_stopped_in_any_step(case, tmp_path):
    options = CASES[case]
    steps = train(tmp_path / "whole" / "run", **options)
    expected = {name: read(tmp_path / "whole" / f"{name}.ckpt") for name in ("best", "last")}
    for at in range(1, steps):
        folder = tmp_path / str(at)
        with pytest.raises(StoppedError, match=f"step {at} is saved"):
            train(folder / "begun", at, **options)
        last = folder / "last.ckpt"
        assert read(last)["global_step"] == at
        assert train(folder / "resumed", ckpt_path=last, **options) == steps
        assert rows(folder / "begun") + rows(folder / "resumed") == rows(tmp_path / "whole" / "run")
        for name, whole in expected.items():
            found = read(folder / f"{name}.ckpt")
            differ = [key for key in COMPARED if not same(found[key], whole[key])]
            means = ("window", "epoch")
            differ += [key for key in means if not same(found["zoo"][key], whole["zoo"][key])]
            assert not differ, (at, name)
    assert train(tmp_path / "done" / "run", steps, **options) == steps  # too late to stop it
