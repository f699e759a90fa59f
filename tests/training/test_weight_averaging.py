"""Averaged weights: equal to a recomputation, exact after a resume, measured, saved, predicted."""

import csv
import os
import subprocess
import sys
from itertools import islice
from pathlib import Path

import pytest
import torch
from lightning.pytorch import Callback, Trainer
from torch.optim.swa_utils import update_bn

from datamodules import FashionMNIST, PennTreebankWindows
from tests.conftest import fails, quiet_trainer
from zoo.checkpoints.checkpoint import DurableCheckpointIO, read
from zoo.cli.main import main
from zoo.errors import InputError
from zoo.image_classification.batch_norm_lenet import BatchNormLeNet
from zoo.image_classification.mlp import MLP
from zoo.language_modeling.sampling import sample
from zoo.optimizers.row_sgd import RowSGD
from zoo.training.weight_averaging import (
    ExponentialMovingAverage,
    StochasticWeightAveraging,
)
from zoo.word_embedding.skip_gram import SkipGram

EPOCHS, BATCHES = 2, 5
AVERAGES = {
    "ema": lambda: ExponentialMovingAverage(decay=0.9),
    "every other step": lambda: ExponentialMovingAverage(decay=0.5, every_n_steps=2),
    "swa": lambda: StochasticWeightAveraging(start=0.0, lr=0.02),
}
LATE = {"swa of the last epoch": lambda: StochasticWeightAveraging()}


class Record(Callback):
    """The weights after each step, those that validation had, and a checkpoint of each step."""

    def __init__(self, folder=None):
        self.folder, self.steps, self.validated = folder, [], []

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        self.steps.append(copied(pl_module))
        if self.folder:
            trainer.save_checkpoint(self.folder / f"{trainer.global_step}.ckpt")

    def on_validation_batch_start(self, trainer, pl_module, batch, batch_idx, dataloader_idx=0):
        self.validated.append(copied(pl_module))

    def on_validation_end(self, trainer, pl_module):
        if self.folder:
            trainer.save_checkpoint(self.folder / f"validated-{trainer.current_epoch}.ckpt")


def copied(model):
    return {name: value.detach().clone() for name, value in model.state_dict().items()}


def network():
    torch.manual_seed(0)
    return MLP(in_features=784, num_classes=10, hidden_sizes=(8,), dropout=0.3)


def train(callbacks, model=None, ckpt_path=None, **options):
    model = model or network()
    trainer = quiet_trainer(
        **{"max_epochs": EPOCHS, "limit_train_batches": BATCHES, "limit_val_batches": 1, **options},
        callbacks=callbacks,
        plugins=[DurableCheckpointIO()],
    )
    trainer.fit(model, FashionMNIST(synthetic=True, batch_size=32), ckpt_path=ckpt_path)
    return model, trainer


def assert_equal(first, second):
    assert first.keys() == second.keys()
    for name, tensor in first.items():
        assert torch.equal(tensor, second[name]), name


def assert_near(first, second, tolerance):
    for name, tensor in first.items():
        expected = second[name].double()
        torch.testing.assert_close(tensor.double(), expected, rtol=tolerance, atol=tolerance)


# What is averaged


@pytest.mark.parametrize("every", [1, 3])
def test_the_moving_average_equals_a_recomputation(every):
    record = Record()
    average = ExponentialMovingAverage(decay=0.6, every_n_steps=every)
    model, _ = train([average, record], precision="64-true")
    taken = record.steps[every - 1 :: every]
    expected = taken[0]
    for update, weights in enumerate(taken[1:], start=1):
        decay = min(0.6, (1 + update) / (10 + update))
        expected = {n: decay * expected[n] + (1 - decay) * weights[n] for n in weights}
    assert len(taken) == EPOCHS * BATCHES // every
    assert_near(model.state_dict(), expected, 1e-14)
    assert not torch.allclose(expected["head.weight"], record.steps[-1]["head.weight"])


def test_the_stochastic_average_is_the_mean_of_the_last_epochs():
    record = Record()
    average = StochasticWeightAveraging(start=0.5)
    model, _ = train([average, record], max_epochs=6, precision="64-true")
    ends = record.steps[BATCHES - 1 :: BATCHES][3:]
    expected = {name: sum(weights[name] for weights in ends) / 3 for name in ends[0]}
    assert_near(model.state_dict(), expected, 1e-14)


def test_whole_numbers_are_not_averaged():
    average = ExponentialMovingAverage()
    kept, now = torch.tensor([2**40 + 1]), torch.tensor([2**40 + 3])
    average.update([kept], [now], 5)
    assert kept.item() == 2**40 + 3


def test_the_rate_of_the_averaged_epochs_is_held():
    rates = []

    class Rates(Callback):
        def on_before_optimizer_step(self, trainer, pl_module, optimizer):
            rates.append(optimizer.param_groups[0]["lr"])

    train([StochasticWeightAveraging(start=0.5, lr=0.25), Rates()])
    assert rates == [0.001] * BATCHES + [0.25] * BATCHES


# What is done with it


@pytest.mark.parametrize("kind", AVERAGES)
def test_validation_and_checkpoints_have_the_average(kind, tmp_path):
    record = Record(tmp_path)
    model, _ = train([AVERAGES[kind](), record])
    saved = read(tmp_path / f"validated-{EPOCHS - 1}.ckpt")
    assert_equal(saved["state_dict"], record.validated[-1])
    assert_equal(saved["state_dict"], model.state_dict())
    assert_equal(saved["current_model_state"], record.steps[-1])
    assert not torch.equal(saved["state_dict"]["head.weight"], record.steps[-1]["head.weight"])


def test_before_something_is_averaged_weights_stay_as_they_are(tmp_path):
    record = Record(tmp_path)
    train([StochasticWeightAveraging(start=0.5), record])
    assert_equal(record.validated[0], record.steps[BATCHES - 1])
    assert_equal(read(tmp_path / "validated-0.ckpt")["state_dict"], record.steps[BATCHES - 1])
    model, _ = train([StochasticWeightAveraging(), record := Record()], max_steps=3)
    assert_equal(model.state_dict(), record.steps[-1])


def test_a_test_of_a_checkpoint_after_training_has_the_average(tmp_path):
    record = Record(tmp_path)
    model, trainer = train([ExponentialMovingAverage(), record])
    path = tmp_path / "validated-0.ckpt"
    trainer.test(model, FashionMNIST(synthetic=True), ckpt_path=path, verbose=False)
    assert_equal(model.state_dict(), read(path)["state_dict"])


# Resuming


@pytest.mark.parametrize("saved_first", [False, True], ids=["saved after", "saved before"])
@pytest.mark.parametrize("kind", [*AVERAGES, *LATE])
def test_a_run_goes_on_exactly_from_every_step(kind, saved_first, tmp_path):
    """Wherever the callback that saves stands."""

    def callbacks(folder=None):
        both = [{**AVERAGES, **LATE}[kind](), Record(folder)]
        return both[::-1] if saved_first else both

    whole, trainer = train(callbacks(tmp_path))
    steps = [f"{step}.ckpt" for step in range(1, EPOCHS * BATCHES)]
    for name in [*steps, "validated-0.ckpt"]:
        resumed, again = train(callbacks(), ckpt_path=tmp_path / name)
        assert_equal(whole.state_dict(), resumed.state_dict())
        assert again.callback_metrics["val/loss"] == trainer.callback_metrics["val/loss"]


def test_a_run_without_an_average_goes_on_with_one(tmp_path):
    train([Record(tmp_path)])
    record = Record()
    model, _ = train([StochasticWeightAveraging(0.5), record], ckpt_path=tmp_path / "3.ckpt")
    assert_equal(model.state_dict(), record.steps[-1])


# Batch normalisation


@pytest.mark.parametrize("normalisation", ["torch", "equation"])
def test_statistics_are_those_of_the_averaged_network(normalisation):
    """As torch recomputes them; those of the zoo's own layer are equal to those of torch's."""
    kept = {}
    for kind in {"torch", normalisation}:
        torch.manual_seed(0)
        model = BatchNormLeNet(1, 10, normalisation=kind)
        model, trainer = train([StochasticWeightAveraging(0.5), record := Record()], model)
        kept[kind] = copied(model)
        model.train()
        assert all(layer.momentum == 0.1 for layer in model.modules() if hasattr(layer, "momentum"))
        if kind == "torch":
            assert_near(kept[kind], copied(renewed(trainer, model)), 1e-5)
            assert not torch.allclose(
                kept[kind]["features.1.running_var"], record.steps[-1]["features.1.running_var"]
            )
    assert_near(kept[normalisation], kept["torch"], 1e-4)


def renewed(trainer, model):
    """By torch, over the epoch that comes after the one that was averaged."""
    batches = (trainer.strategy.batch_to_device(batch) for batch in trainer.train_dataloader)
    update_bn(islice(batches, BATCHES), model)
    return model


# Refusals


def test_tasks_that_optimize_by_hand_are_refused():
    corpus = PennTreebankWindows(synthetic=True, batch_size=64)
    corpus.prepare_data()
    model = SkipGram(corpus.vocab_size, optimizer=RowSGD)
    trainer = Trainer(callbacks=[ExponentialMovingAverage()], logger=False, max_steps=1)
    with pytest.raises(InputError, match="SkipGram steps its optimizers itself"):
        trainer.fit(model, corpus)


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["gan-gaussian2d", "+ema"], "GAN steps its optimizers itself (it averages by --model.ema"),
        (["ngram-time_machine", "+swa"], "NGram counts"),
        (["lenet-fashion_mnist", "+ema", "--trainer.precision", "bf16-true"], "bf16-mixed"),
        (["lenet-fashion_mnist", "+swa", "--trainer.max_epochs", "-1"], "--trainer.max_epochs N"),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_what_cannot_be_averaged_gets_one_line(argv, words, capsys):
    options = ["--data.synthetic", "true", "--trainer.accelerator", "cpu"]
    assert words in fails(capsys, "fit", *argv, *options)


@pytest.mark.parametrize(
    ("callback", "options"),
    [
        (ExponentialMovingAverage, {"decay": 1.0}),
        (ExponentialMovingAverage, {"every_n_steps": 0}),
        (StochasticWeightAveraging, {"start": 1.0}),
        (StochasticWeightAveraging, {"lr": 0.0}),
    ],
)
def test_settings_out_of_bounds_are_refused(callback, options):
    with pytest.raises(InputError, match="have to be"):
        callback(**options)


# By the command


@pytest.mark.parametrize("overlay", ["+ema", "+swa"])
def test_the_command_tests_and_predicts_by_the_average(overlay, capsys):
    recipe = "batch_norm_lenet-fashion_mnist"
    options = ["--data.synthetic", "true", "--trainer.max_epochs", "2", "--trainer.accelerator"]
    options += ["cpu", "--trainer.limit_train_batches", "4"]
    assert main(["fit", recipe, overlay, *options]) == 0
    folder = Path(f"runs/{recipe}/1")
    last = read(folder / "checkpoints/last.ckpt")
    assert last["state_dict"].keys() == last["current_model_state"].keys()
    with (folder / "metrics.csv").open() as file:
        measured = [row["val/loss"] for row in csv.DictReader(file) if row["val/loss"]]
    capsys.readouterr()
    assert main(["validate", "--ckpt_path", f"{folder}/checkpoints/last.ckpt"]) == 0
    (line,) = [line for line in capsys.readouterr().out.splitlines() if "val/loss" in line]
    assert float(line.split()[3]) == pytest.approx(float(measured[-1]), abs=2e-4)


@pytest.mark.drawn
def test_what_a_language_model_writes_meanwhile_is_by_the_average(monkeypatch):
    written_by = []

    def sampled(model, *arguments, **options):
        written_by.append({name: value.clone() for name, value in model.state_dict().items()})
        return sample(model, *arguments, **options)

    monkeypatch.setattr("zoo.language_modeling.pictures.sample", sampled)
    options = ["--data.synthetic", "true", "--trainer.max_epochs", "2", "--trainer.accelerator"]
    options += ["cpu", "--trainer.limit_train_batches", "3", "--trainer.limit_val_batches", "2"]
    assert main(["fit", "lstm-time_machine", "+ema", "--model.hidden_size", "16", *options]) == 0
    assert len(written_by) == 2
    assert_equal(
        written_by[1], read("runs/lstm-time_machine/1/checkpoints/last.ckpt")["state_dict"]
    )


def test_it_is_added_by_its_class_path():
    name = "zoo.training.weight_averaging.ExponentialMovingAverage"
    options = ["--trainer.callbacks+", name, "--trainer.callbacks.decay", "0.5"]
    options += ["--data.synthetic", "true", "--trainer.max_epochs", "1"]
    assert main(["fit", "softmax_regression-fashion_mnist", *options]) == 0
    path = "runs/softmax_regression-fashion_mnist/1/checkpoints/last.ckpt"
    assert "averaging_state" in read(path)


@pytest.mark.slow
def test_two_processes_save_what_they_measured(capsys):
    """Statistics of batch normalisation, of which each process has seen other rows, included."""
    recipe = "batch_norm_lenet-fashion_mnist"
    options = ["--data.synthetic", "true", "--trainer.accelerator", "cpu", "--trainer.devices", "2"]
    options += ["--trainer.max_epochs", "2", "--trainer.limit_train_batches", "4"]
    command = [sys.executable, "-m", "zoo.cli", "fit", recipe, "+swa", "+ddp", *options]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    subprocess.run(command, check=True, env=environment, timeout=300, capture_output=True)
    folder = Path(f"runs/{recipe}/1")
    with (folder / "metrics.csv").open() as file:
        measured = [row["val/loss"] for row in csv.DictReader(file) if row["val/loss"]]
    assert main(["validate", "--ckpt_path", f"{folder}/checkpoints/last.ckpt"]) == 0
    (line,) = [line for line in capsys.readouterr().out.splitlines() if "val/loss" in line]
    assert float(line.split()[3]) == pytest.approx(float(measured[-1]), abs=2e-4)
