"""A run that was stopped anywhere goes on bit by bit as if it had not been."""

from functools import partial

import pytest
import torch
from lightning.pytorch import Callback
from torch.optim import SGD, Adam
from torch.optim.lr_scheduler import OneCycleLR, ReduceLROnPlateau, StepLR

from datamodules import FashionMNIST, GradientNoise
from tests.conftest import quiet_trainer
from zoo.checkpoints.checkpoint import DurableCheckpointIO
from zoo.checkpoints.last_checkpoint import LastCheckpoint
from zoo.errors import InputError
from zoo.image_classification.mlp import MLP
from zoo.optimization.surface import Surface

EPOCHS, BATCHES = 3, 5


class SaveEachStep(Callback):
    def __init__(self, folder):
        self.folder, self.seen, self.saved = folder, [], 0
        self.validated, self.rates = [], []

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        self.seen.append(batch[0].double().sum().item())
        self.rates.append(trainer.optimizers[0].param_groups[0]["lr"])

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        if self.folder and trainer.global_step > self.saved:
            self.saved = trainer.global_step
            trainer.save_checkpoint(self.folder / f"{self.saved}.ckpt")

    def on_train_epoch_end(self, trainer, pl_module):
        if self.folder:
            trainer.save_checkpoint(self.folder / f"end-{trainer.current_epoch}.ckpt")

    def on_validation_end(self, trainer, pl_module):
        self.validated.append((trainer.current_epoch, trainer.global_step))
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


# What a run may change


class StopAt(Callback):
    """Has the Trainer end the run after a batch, as Timer and EarlyStopping do."""

    def __init__(self, batch):
        self.batch, self.begun = batch, 0

    def on_train_batch_end(self, trainer, *_):
        self.begun += 1
        trainer.should_stop |= self.begun == self.batch


def classify(folder=None, ckpt_path=None, callbacks=(), optimizer=Adam, data=None, **options):
    """Trains without a schedule, unless one is given; returns the model and what was seen."""
    torch.manual_seed(0)
    arguments = {
        name: options.pop(name) for name in ("lr_scheduler", "weight_decay") if name in options
    }
    model = MLP(784, 10, hidden_sizes=(16,), dropout=0.3, optimizer=optimizer, **arguments)
    corpus = FashionMNIST(synthetic=True, **{"batch_size": 32, **(data or {})})
    recorder = SaveEachStep(folder)
    trainer = quiet_trainer(
        **{"max_epochs": EPOCHS, "limit_train_batches": BATCHES, "limit_val_batches": 1, **options},
        num_sanity_val_steps=0,
        callbacks=[*callbacks, recorder],
        plugins=[DurableCheckpointIO()],
    )
    trainer.fit(model, corpus, ckpt_path=ckpt_path)
    return model, trainer, recorder


ENDS = {
    "max_steps": lambda step, options: {**options, "max_steps": step},
    "a callback": lambda step, options: {**options, "callbacks": [StopAt(step)]},
}


@pytest.mark.parametrize("step", [2, 5, 7])
@pytest.mark.parametrize("end", ENDS)
def test_an_epoch_that_ended_early_is_finished_under_its_number(end, step, tmp_path):
    whole, trainer, seen = classify()
    classify(tmp_path, **ENDS[end](step, {}))
    path = tmp_path / f"end-{(step - 1) // BATCHES}.ckpt"
    for options in ({}, {"max_steps": EPOCHS * BATCHES}):
        model, again, rest = classify(ckpt_path=path, **options)
        assert rest.seen == seen.seen[step:]
        assert rest.validated == seen.validated[step // BATCHES :]
        assert again.current_epoch == EPOCHS
        assert again.callback_metrics == trainer.callback_metrics
        assert_equal(whole.state_dict(), model.state_dict())


def test_a_stop_waits_for_the_step_whose_gradients_are_gathered(tmp_path):
    options = {"accumulate_grad_batches": 2, "limit_train_batches": 6}
    whole, _, seen = classify(**options)
    for batch in (1, 3, 4):
        folder = tmp_path / str(batch)
        callbacks = [LastCheckpoint(folder), StopAt(batch)]
        classify(callbacks=callbacks, enable_checkpointing=True, **options)
        model, _, rest = classify(ckpt_path=folder / "last.ckpt", **options)
        assert rest.seen == seen.seen[batch + batch % 2 :]
        assert_equal(whole.state_dict(), model.state_dict())


@pytest.mark.parametrize("name", ["end-0", "epoch-0", "5"])
@pytest.mark.parametrize(
    ("other", "count"),
    [
        ({"limit_train_batches": 7}, 7),
        ({"limit_train_batches": 3}, 3),
        ({"data": {"batch_size": 16}}, BATCHES),
        ({"limit_train_batches": 1.0, "data": {"batch_size": 500}}, 11),
        ({"limit_train_batches": 10, "val_check_interval": 4}, 10),
    ],
)
def test_after_an_epoch_its_batches_may_be_others(name, other, count, tmp_path):
    """Saved at its end, in the validation there, or after its last step."""
    classify(tmp_path, max_epochs=1)
    for options in ({}, {"max_steps": BATCHES + 2 * count}):
        _, trainer, rest = classify(ckpt_path=tmp_path / f"{name}.ckpt", **other, **options)
        assert len(rest.seen) == 2 * count
        assert trainer.current_epoch == EPOCHS
        ends = [(1, BATCHES + count), (2, BATCHES + 2 * count)]
        assert "val_check_interval" in other or rest.validated == ends
        assert len(set(rest.seen)) == 2 * count


@pytest.mark.parametrize(
    ("other", "words"),
    [
        ({"data": {"batch_size": 64}}, "--data.batch_size was 32 and is 64"),
        ({"data": {"validation_fraction": 0.5}}, "--data.validation_fraction was"),
        ({"limit_train_batches": 7}, "number of batches was 5 and is 7"),
        ({"accumulate_grad_batches": 2}, "--trainer.accumulate_grad_batches 1"),
    ],
)
def test_within_an_epoch_they_stay(other, words, tmp_path):
    classify(tmp_path, max_steps=3)
    for name in ("3", "end-0"):
        with pytest.raises(InputError, match=f"lies 3 batches within an epoch.*{words}"):
            classify(ckpt_path=tmp_path / f"{name}.ckpt", **other)
    classify(ckpt_path=tmp_path / "3.ckpt", data={"num_workers": 1}, max_epochs=1)


PLATEAU = partial(ReduceLROnPlateau, patience=0, threshold=0.5, factor=0.5)


@pytest.mark.parametrize(
    ("options", "measured"),
    [
        ({}, [5, 10]),
        ({"check_val_every_n_epoch": 2}, [10]),
        ({"val_check_interval": 2}, [2, 4, 7, 9, 12, 14]),
        ({"check_val_every_n_epoch": None, "val_check_interval": 4}, [4, 8, 12]),
    ],
)
def test_a_plateau_is_seen_where_it_is_measured(options, measured, tmp_path):
    options = {"lr_scheduler": PLATEAU, **options}
    whole, trainer, seen = classify(tmp_path, **options)
    falls = [step for step in range(1, 15) if seen.rates[step] < seen.rates[step - 1]]
    assert falls == measured[1:]
    assert trainer.lr_scheduler_configs[0].scheduler.mode == "max"
    names = {path.stem for path in tmp_path.glob("*.ckpt")}
    ends = {"15", "end-2", *(f"{step}" for step in measured)}  # the latter before it was measured
    for name in names - ends - {"epoch-2"}:
        model, _, rest = classify(ckpt_path=tmp_path / f"{name}.ckpt", **options)
        assert rest.rates == seen.rates[15 - len(rest.rates) :], name
        assert_equal(whole.state_dict(), model.state_dict())


def test_a_plateau_of_what_is_not_measured_is_refused():
    schedule = partial(ReduceLROnPlateau, patience=0)
    with pytest.raises(InputError, match="watches val/accuracy, which is not measured; there are:"):
        classify(lr_scheduler=schedule, limit_val_batches=0)


def test_a_plateau_watches_training_too():
    def make(optimizer):
        schedule = PLATEAU(optimizer)
        schedule.monitor = "train/loss_epoch"
        return schedule

    _, trainer, seen = classify(lr_scheduler=make)
    assert trainer.lr_scheduler_configs[0].scheduler.last_epoch == EPOCHS
    assert seen.rates[-1] < seen.rates[0]


STEP = partial(StepLR, step_size=1, gamma=0.5)


@pytest.mark.parametrize(
    ("before", "after", "rates"),
    [
        ({}, {"optimizer": partial(Adam, lr=0.5)}, {0.5}),
        ({"optimizer": partial(Adam, lr=0.5)}, {}, {0.001}),
        ({"lr_scheduler": STEP}, {}, {0.001}),
        ({"lr_scheduler": STEP}, {"optimizer": partial(Adam, lr=0.5)}, {0.5}),
        ({"lr_scheduler": STEP}, {"lr_scheduler": STEP}, {0.0005, 0.00025}),
        (
            {"optimizer": SGD, "weight_decay": 0.1},
            {"optimizer": partial(SGD, momentum=0.5), "weight_decay": 0.2},
            {0.001},
        ),
    ],
)
def test_options_of_the_optimizer_take_effect(before, after, rates, tmp_path):
    classify(tmp_path, max_epochs=1, **before)
    _, trainer, rest = classify(ckpt_path=tmp_path / "end-0.ckpt", **after)
    assert set(rest.rates) == rates
    groups = trainer.optimizers[0].param_groups
    assert groups[0]["weight_decay"] == after.get("weight_decay", 0)
    assert groups[0].get("momentum", 0.5) == 0.5


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ({}, {"optimizer": SGD}, "has the state of Adam, with which SGD cannot go on"),
        ({}, {"lr_scheduler": STEP}, "was begun without a schedule"),
        (
            {"lr_scheduler": STEP},
            {"lr_scheduler": PLATEAU},
            "StepLR and cannot go on with ReduceLR",
        ),
        (
            {"lr_scheduler": STEP},
            {"lr_scheduler": partial(STEP, gamma=0.1)},
            "StepLR, gamma 0.5 and cannot go on with StepLR, gamma 0.1",
        ),
        (
            {"lr_scheduler": STEP},
            {"lr_scheduler": STEP, "optimizer": partial(Adam, lr=0.5)},
            "lr was 0.001 and is 0.5",
        ),
        ({}, {"weight_decay": 0.1}, "--model.weight_decay that the run was begun with"),
    ],
)
def test_or_are_refused(before, after, words, tmp_path):
    classify(tmp_path, max_epochs=1, **before)
    with pytest.raises(InputError, match=words):
        classify(ckpt_path=tmp_path / "end-0.ckpt", **after)
