"""Short forms of options, what they become, and names by which others know an option."""

import re
import shlex

import pytest
import yaml

from tests.cli.conftest import RECIPE
from tests.conftest import fails
from zoo.cli.compose import compose
from zoo.cli.main import main
from zoo.cli.sweep.parameters import option, read_parameters


def printed_settings(capsys, *argv):
    assert main(["fit", *argv, "--print_config"]) == 0
    return yaml.safe_load(capsys.readouterr().out)


def became(recipe, *overrides):
    """What short forms become, as the run says it."""
    return compose(recipe, None, None, None, list(overrides)).note.splitlines()


STEPS = "--model.lr_scheduler=StepLR"
CYCLE = "--model.lr_scheduler=OneCycleLR"


@pytest.mark.parametrize(
    ("recipe", "given", "options"),
    [
        ("lenet-fashion_mnist", [], "--model.lr_scheduler.max_lr 0.5"),
        ("lenet-fashion_mnist", ["--model.optimizer=SGD"], "--model.lr_scheduler.max_lr 0.5"),
        ("lenet-fashion_mnist", [STEPS], "--model.optimizer.lr 0.5"),
        ("lenet-fashion_mnist", ["--model.lr_scheduler=null"], "--model.optimizer.lr 0.5"),
        ("linear_regression-airfoil", [], "--model.optimizer.lr 0.5"),
        ("linear_regression-airfoil", [CYCLE], "--model.lr_scheduler.max_lr 0.5"),
        (
            "linear_regression-airfoil",
            ["--model.lr_scheduler={class_path: torch.optim.lr_scheduler.CyclicLR}"],
            "--model.lr_scheduler.max_lr 0.5",
        ),
        (
            "linear_regression-airfoil",
            ["--model.optimizer=Yogi"],
            "--model.optimizer.lr 0.5",
        ),
        (
            "linear_regression-airfoil",
            ["--model.lr_scheduler=WarmupCosineLR"],
            "--model.optimizer.lr 0.5",
        ),
        ("dcgan-fashion_mnist", [], "--model.optimizer.lr 0.5"),
        (
            "gan-gaussian2d",
            [],
            "--model.optimizer.lr 0.5 --model.discriminator_optimizer.lr 0.5",
        ),
    ],
)
def test_a_rate_goes_where_it_counts(recipe, given, options):
    assert became(recipe, *given, "--lr=0.5") == [f"--lr 0.5 -> {options}"]


def test_short_forms_set_what_they_say(capsys):
    short = "--lr 0.5 --epochs 3 --batch_size=64 --devices 1 --precision bf16-mixed"
    set_ = printed_settings(capsys, RECIPE, *shlex.split(short))
    assert set_["model"]["init_args"]["lr_scheduler"]["init_args"]["max_lr"] == 0.5
    assert set_["data"]["init_args"]["batch_size"] == 64
    trainer = {name: set_["trainer"][name] for name in ("max_epochs", "devices", "precision")}
    assert trainer == {"max_epochs": 3, "devices": "1", "precision": "bf16-mixed"}


def test_a_short_form_may_stand_before_the_recipe_and_its_last_value_counts(capsys):
    set_ = printed_settings(capsys, "--epochs", "2", RECIPE, "--epochs", "4", "--devices", "[0]")
    assert set_["trainer"]["max_epochs"] == 4
    assert set_["trainer"]["devices"] == [0]


def test_a_run_says_what_short_forms_became(trained, capsys):
    best = trained / "checkpoints" / "best.ckpt"
    assert main(["test", "--ckpt_path", str(best), "--batch_size", "50"]) == 0
    assert "--batch_size 50 -> --data.batch_size 50\n" in capsys.readouterr().out
    assert main(["submit", RECIPE, "--lr", "0.5", "--epochs", "2", "--dry-run"]) == 0
    assert re.search(r"--lr=0.5 \\\s+--epochs=2 \\", capsys.readouterr().out)


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        ("fit {} --gpus 2", "did you mean --devices?"),
        ("fit {} --num_gpus=2", "did you mean --devices?"),
        ("fit {} --trainer.gpus 2", "no option --trainer.gpus (did you mean --devices?)"),
        ("fit {} --learning_rate 1", "did you mean --lr?"),
        ("fit {} --learning-rate 1", "did you mean --lr?"),
        ("fit {} --model.lr 1", "no option model.lr (did you mean --lr?)"),
        ("fit {} --model.learning_rate 1", "did you mean --lr?"),
        ("fit {} --max_epochs 1", "did you mean --epochs?"),
        ("fit {} --trainer.epochs 1", "did you mean --epochs?"),
        ("fit {} --batch-size 1", "did you mean --batch_size?"),
        ("fit {} --data.bs 1", "did you mean --batch_size?"),
        ("fit {} --seed 1", "did you mean --seed_everything?"),
        ("fit {} --accelerator cpu", "did you mean --trainer.accelerator?"),
        ("fit {} --num-workers 1", "did you mean --data.num_workers?"),
        ("fit {} --weight_decay 1", "did you mean --model.weight_decay?"),
        ("fit {} --trainer.max_epoch 1", "did you mean --trainer.max_epochs?"),
        ("submit {} --devices 2 --dry-run", "did you mean --gpus?"),
        ("predict x.png --ckpt_path x --batch_size 2", "did you mean --data.batch_size?"),
        ("fit {} --lr 1 --model.optimizer.lr 2", "leave out --model.optimizer.lr=2, or --lr"),
        ("fit {} --epochs 1 --trainer.max_epochs 2", "leave out --trainer.max_epochs=2, or"),
        ("fit {} --lr fast", "--lr fast: wanted a number"),
        ("fit {} --epochs many", "--trainer.max_epochs: wanted a whole number, not many"),
        ("fit {} --epochs", "--epochs needs a value"),
        ("fit surface-gradient_noise --batch_size x", "batch_size"),
    ],
)
def test_other_names_of_options_and_bad_values_get_one_line(argv, words, capsys):
    assert words in fails(capsys, *shlex.split(argv.format(RECIPE)))


def test_a_sweep_may_name_a_rate_as_others_do():
    group = {"lr": {"values": [0.1, 0.01]}, "batch_size": {"values": [32]}}
    named = [option(each.name, each.grid()[0]) for each in read_parameters(group, "grid")]
    assert sorted(named) == ["--batch_size=32", "--lr=0.1"]
    assert "--lr 0.1 -> --model.optimizer.lr 0.1" in became("linear_regression-airfoil", *named)


def test_a_model_of_a_user_has_the_rate_that_it_names(tmp_path, monkeypatch, capsys):
    text = "from zoo.image_classification.lenet import LeNet\nclass Mine(LeNet):\n"
    text += "    def __init__(self, lr: float = 0.1, **task):\n        super().__init__(**task)\n"
    (tmp_path / "mine.py").write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    named = (None, None, "mine.Mine", "FashionMNIST")
    assert compose(*named, ["--lr=0.5"], allow=["mine"]).note.endswith("--model.optimizer.lr 0.5")
