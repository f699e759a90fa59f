"""Options as people mistype or misunderstand them: one line with the option and the way out."""

from pathlib import Path

import pytest
import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import EarlyStopping

from datamodules import FashionMNIST
from tests.conftest import fails
from zoo.cli.main import main
from zoo.errors import InputError
from zoo.training.monitors import MonitorCheck

FIT = [
    *("fit", "softmax_regression-fashion_mnist", "--data.synthetic=true"),
    *("--trainer.max_epochs=1", "--trainer.limit_train_batches=2", "--trainer.limit_val_batches=1"),
    "--trainer.accelerator=cpu",
]
STOP = ["--trainer.callbacks", "EarlyStopping", "--trainer.callbacks.monitor"]
SAID = [  # of options: what is said
    ("--trainer.precision bf17", "--trainer.precision: wanted transformer-engine"),
    ("--trainer.precision bf17", "64, 32, 16 or bf16, not bf17 (did you mean bf16?)"),
    (
        "--trainer.callbacks EarlyStopping",
        "EarlyStopping needs monitor: add --trainer.call",
    ),
    ("--trainer.callbacks EarlyStoping", "no Callback is called EarlyStoping (did you mean EarlyS"),
    ("--trainer.callbacks.patience 3", "--trainer.callbacks.patience: name the class first"),
    ("--trainer.logger Foo", "--trainer.logger: no Logger is called Foo"),
    ("--trainer.callbacks Timer --trainer.callbacks.duration 1h", "not a valid duration"),
    ("--model.optimizer.lr fast", "--model.optimizer.lr: wanted a number, not fast"),
    ("--model.optimizer.betas 3", "--model.optimizer.betas: wanted a list, not 3"),
    (
        "--model.optimizer.learning_rate 1",
        "did you mean --model.optimizer.lr?); Adam takes ams",
    ),
    ("--model.optimizer [1]", "--model.optimizer: wanted the name of an optimizer"),
    ("--model.optimizer SparseAdam", "SparseAdam does not support dense gradients"),
    (
        "--model.lr_scheduler StepLR",
        "StepLR needs step_size: add --model.lr_scheduler.step_s",
    ),
    ("--model.lr_scheduler StepLR --model.lr_scheduler.steps 3", "StepLR takes gamma, last_epoch"),
    ("--model.optimizer.lr 0.3 --model.optimizer Sgd", "no optimizer is called Sgd"),
    (
        "--trainer.callbacks BackboneFinetuning",
        "BackboneFinetuning: 'SoftmaxRegression' object has no",
    ),
    ("--trainer.callbacks LearningRateFinder", "learning rate finder"),
    ("--model.lr_scheduler LRScheduler", "LRScheduler: a base class; name one that is"),
    ("--model.metrics null", "--model.metrics: wanted a value, not null"),
    ("--data.num_workers null", "--data.num_workers: wanted a value, not null"),
    ("--data.batch_size 0", "--data.batch_size must be at least 1, not 0"),
    ("--data.batch_size 2.5", "--data.batch_size: wanted a whole number, not 2.5"),
    (
        "--trainer.epochs 3",
        "no option --trainer.epochs (did you mean --epochs?)",
    ),
    ("--trainer.gpus 1", "there is no option --trainer.gpus (did you mean --devices?)"),
    ("--trainer.max_epochs 0", "--trainer.max_epochs is 0: nothing would be trained"),
    ("--trainer.max_steps 0", "--trainer.max_steps is 0: nothing would be trained"),
    ("--trainer.limit_train_batches 0", "--trainer.limit_train_batches is 0: nothing would be tr"),
    ("--trainer.max_time 00:00:00:00", "nothing was trained: the run ended before its first step"),
    ("--seed_everything 99999999999", "--seed_everything 99999999999: a seed is from 0 to 4,294"),
    ("--seed_everything x", "--seed_everything: wanted a whole number, not x"),
    ("--seed_everything", "--seed_everything needs a value"),
    ("--profile=3", "--profile takes no value"),
    ("--seed_everything -1", "--seed_everything -1: a seed is from 0 to 4,294,967,295"),
]


@pytest.mark.parametrize(("options", "words"), SAID)
def test_a_wrong_option_is_said_with_the_way_out(capsys, options, words):
    assert words in fails(capsys, *FIT, *options.split())


@pytest.mark.parametrize("name", ["../dir", "/tmp", "./pictures", "a/b.csv", "mine.csv"])
def test_a_place_is_no_corpus(capsys, name):
    if name == "mine.csv":
        Path(name).write_text("a,b\n1,2\n")
    line = fails(capsys, "fit", "--model", "LeNet", "--data", name)
    assert f"no corpus is called {name}; your own files are read by one of a kind" in line
    assert f"--data.path {name}" in line


def test_a_file_is_no_model(capsys):
    line = fails(capsys, "fit", "--model", "./net.py", "--data", "FashionMNIST")
    assert "no model is called ./net.py; a class of your own is PACKAGE.Class, and --allow" in line


def test_an_argument_of_a_model_is_named_with_its_option(capsys):
    line = fails(capsys, "fit", "ngram-time_machine", "--data.synthetic=true", "--model.order=60")
    assert "zoo: --model.order is 60; it has to be 1 or more" in line


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("model: LeNet\ndata: 3\n", "data: wanted class_path: NAME and init_args:"),
        ("model: {class_path: LeNet, init_args: [1]}\ndata: FashionMNIST\n", "model: wanted class"),
        ("model: LeNet\ndata: FashionMNIST\ntrainer: 3\n", "trainer: wanted names and values"),
        ("model: {class_path: null}\ndata: FashionMNIST\n", "names no model: add --model NAME"),
        ("seed_everything: -4\nmodel: LeNet\ndata: FashionMNIST\n", "--seed_everything -4: a seed"),
    ],
)
def test_a_file_of_another_form(capsys, text, words):
    Path("own.yaml").write_text(text)
    assert words in fails(capsys, "fit", "--config", "own.yaml")


# Metrics that are followed


@pytest.mark.parametrize("name", ["val_loss", "valid/loss", "val/los", "accuracy", "loss"])
def test_a_misspelt_metric_is_said_before_training(capsys, name):
    line = fails(capsys, *FIT, *STOP, name)
    near = "accuracy" if name == "accuracy" else "loss"
    assert f"EarlyStopping follows {name}, which is not measured (did you mean val/{near}?)" in line
    assert line.endswith("val/accuracy, val/loss")


def test_a_schedule_follows_a_metric_too(capsys):
    options = ["--model.lr_scheduler", "ReduceLROnPlateau", "--model.lr_scheduler.monitor"]
    line = fails(capsys, *FIT, *options, "val_loss")
    assert "ReduceLROnPlateau follows val_loss" in line


@pytest.mark.parametrize(
    "name", ["train/loss", "train_loss", "train/los", "VAL/LOSS", "Train_Loss"]
)
def test_a_misspelt_metric_of_the_training_is_said_as_soon(capsys, name):
    right = "val/loss" if name == "VAL/LOSS" else "train/loss_epoch"
    line = fails(capsys, *FIT, *STOP, name)
    assert f"follows {name}, which is not measured (did you mean {right}?)" in line


def test_a_metric_of_the_training_may_be_followed():
    assert main([*FIT, *STOP, "train/loss_epoch"]) == 0


class Foreign(LightningModule):
    """Logs as people do: `loss` in training, `val_loss` in validation."""

    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(784, 10)

    def training_step(self, batch, batch_idx):
        loss = self.layer(batch[0].flatten(1)).square().mean()
        self.log("loss", loss)
        return loss

    def validation_step(self, batch, batch_idx):
        self.log("val_loss", self.layer(batch[0].flatten(1)).square().mean())

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)


@pytest.mark.parametrize(("monitor", "refused"), [("loss", False), ("val/loss", True)])
def test_a_model_of_others_may_follow_what_it_logs_in_training(monitor, refused):
    options = {"limit_train_batches": 1, "limit_val_batches": 1, "enable_progress_bar": False}
    stop = EarlyStopping(monitor, patience=9)
    trainer = Trainer(
        max_epochs=1,
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        callbacks=[stop, MonitorCheck(strict=False)],
        **options,
    )
    corpus = FashionMNIST(synthetic=True)
    if refused:
        with pytest.raises(InputError, match="did you mean val_loss"):
            trainer.fit(Foreign(), corpus)
    else:
        trainer.fit(Foreign(), corpus)
        assert stop.best_score.isfinite()


# Callbacks


def test_callbacks_that_are_named_one_by_one_are_all_there(capsys):
    options = ["--trainer.callbacks", "LearningRateMonitor", "--trainer.callbacks", "Timer"]
    assert main([*FIT, *options, "--print_config"]) == 0
    printed = capsys.readouterr().out
    assert printed.index("callbacks.LearningRateMonitor") < printed.index("callbacks.Timer")


def test_a_timer_trains_though_yaml_does_not_know_its_default(capsys):
    duration = ["--trainer.callbacks.duration", "00:00:10:00"]
    assert main([*FIT, "--trainer.callbacks", "Timer", *duration]) == 0
    settings = Path("runs/softmax_regression-fashion_mnist/1/config.yaml").read_text()
    assert "interval: step" in settings


@pytest.mark.parametrize("verb", ["submit", "cross-validate", "tune"])
def test_nothing_to_train_is_said_by_every_verb(capsys, verb):
    line = fails(capsys, verb, FIT[1], "--trainer.max_epochs", "0")
    assert "--trainer.max_epochs is 0: nothing would be trained" in line


def test_a_file_is_no_recipe(capsys):
    assert "own.yaml is no recipe: a file of settings is given as --config own.yaml" in fails(
        capsys, "fit", "own.yaml"
    )


def test_the_best_is_the_runs_own_beside_a_callback_of_the_users(capsys):
    keep = ["--trainer.callbacks", "ModelCheckpoint", "--trainer.callbacks.dirpath", "kept"]
    assert main([*FIT, *keep]) == 0
    best = "runs/softmax_regression-fashion_mnist/1/checkpoints/best.ckpt"
    assert f"best:     {best}" in capsys.readouterr().out
    assert any(Path("kept").iterdir())


def test_next_commands_are_quoted_and_one_epoch_is_one(capsys):
    assert main([*FIT, "--runs", "my runs"]) == 0
    out = capsys.readouterr().out
    assert "softmax_regression-fashion_mnist, 1 epoch: " in out
    best = "'my runs/softmax_regression-fashion_mnist/1/checkpoints/best.ckpt'"
    assert f"zoo test --ckpt_path {best}" in out
    assert main(["test", "--ckpt_path", best.strip("'")]) == 0
    assert "next:     zoo compare 'my runs/softmax_reg" in capsys.readouterr().out
