"""The way from prepare by fit to compare: recipes, own networks, options, resumes."""

import json
from pathlib import Path

import pytest
import torch
import yaml
from PIL import Image

from datamodules import FashionMNIST
from tests.cli.conftest import QUICK, RECIPE
from tests.conftest import fails
from zoo.checkpoints.checkpoint import read
from zoo.cli.main import main


def test_prepare_writes_the_stand_in(capsys):
    assert main(["prepare", "fashionmnist", "--synthetic"]) == 0
    assert "5,500 train + 500 val + 1,000 test rows: ready" in capsys.readouterr().out


@pytest.mark.real
def test_prepare_takes_over_files_fetched_by_hand(real_data, capsys):
    source = real_data / "FashionMNIST" / "raw"
    assert main(["prepare", "FashionMNIST", "--from", str(source), "--root", "root"]) == 0
    out = capsys.readouterr().out
    assert out.count("verified: ") == 4
    assert "55,000 train + 5,000 val + 10,000 test rows: ready" in out


@pytest.mark.real
def test_the_baseline_learns_the_real_corpus(real_data, capsys):
    options = ["--data.root", str(real_data), "--trainer.max_epochs", "3"]
    assert main(["fit", RECIPE, *options, "--trainer.accelerator", "cpu"]) == 0
    assert "55,000 train + 5,000 val rows" in capsys.readouterr().out
    assert main(["validate", "--ckpt_path", f"runs/{RECIPE}/1/checkpoints/best.ckpt",
                 "--data.root", str(real_data)]) == 0  # fmt: skip
    (line,) = [line for line in capsys.readouterr().out.splitlines() if "val/accuracy" in line]
    assert float(line.split()[3]) > 0.82


def test_short_names_in_a_configuration_file_are_expanded(capsys):
    Path("mine.yaml").write_text("model: lenet\ndata: {class_path: FashionMNIST}\n")
    assert main(["fit", "--config", "mine.yaml", "--print_config"]) == 0
    config = yaml.safe_load(capsys.readouterr().out)
    assert config["model"]["class_path"] == "zoo.image_classification.lenet.LeNet"
    assert config["data"]["class_path"] == "datamodules.fashion_mnist.FashionMNIST"


def test_a_network_of_ones_own_is_trained_by_its_class_path(tmp_path, monkeypatch, capsys):
    (tmp_path / "own_network.py").write_text(
        "from torch import nn\n"
        "from zoo.image_classification.task import ImageClassifier\n"
        "class Tiny(ImageClassifier):\n"
        "    def __init__(self, in_features: int, num_classes: int, width: int = 8, **task):\n"
        "        super().__init__(**task)\n"
        "        self.save_hyperparameters()\n"
        "        sizes = (in_features, width, num_classes)\n"
        "        self.layers = nn.Sequential(*[nn.Linear(*s) for s in zip(sizes, sizes[1:])])\n"
        "    def forward(self, images):\n"
        "        return self.layers(images.flatten(1))\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    names = ["--model", "own_network.Tiny", "--data", "FashionMNIST", "--allow", "own_network"]
    options = ["--model.width", "4", "--model.optimizer", "SGD", "--model.optimizer.lr", "0.1"]
    assert main(["fit", *names, *QUICK, *options]) == 0
    out = capsys.readouterr().out
    assert "no recipe is called tiny-fashion_mnist: training with the defaults" in out
    assert "Tiny: 3,190 parameters" in out
    assert "did you mean width?" in fails(capsys, "fit", *names, "--model.widht", "4")


def test_a_pair_of_names_takes_the_recipe_and_flags_win(capsys):
    argv = ["fit", "--model", "LeNet", "--data", "FashionMNIST", "--print_config"]
    assert main([*argv, "--trainer.max_epochs", "3", "--model.pooling", "max"]) == 0
    config = yaml.safe_load(capsys.readouterr().out)
    assert config["trainer"]["max_epochs"] == 3
    assert config["model"]["init_args"]["pooling"] == "max"
    assert config["model"]["init_args"]["optimizer"]["init_args"]["lr"] == 0.01
    assert "num_classes" not in config["model"]["init_args"]


def test_another_model_than_the_recipes_drops_its_arguments(capsys):
    assert main(["fit", "lenet_relu-fashion_mnist", "--model", "MLP", "--print_config"]) == 0
    config = yaml.safe_load(capsys.readouterr().out)["model"]
    assert config["class_path"].endswith("MLP")
    assert config["init_args"]["optimizer"] == "zoo.task.adam"


def printed(capsys, *options):
    """The model's arguments that a command would train with."""
    assert main(["fit", *options, "--print_config"]) == 0
    return yaml.safe_load(capsys.readouterr().out)["model"]["init_args"]


def test_another_optimizer_brings_its_own_settings(capsys):
    """Not those of the recipe's, or of the default, that have the same name."""
    argv = ["lenet-fashion_mnist", "--model.optimizer"]
    adadelta = printed(capsys, *argv, "Adadelta")["optimizer"]
    assert adadelta["class_path"] == "torch.optim.Adadelta"
    assert (adadelta["init_args"]["lr"], adadelta["init_args"]["eps"]) == (1.0, 1e-6)
    yogi = printed(capsys, *argv, "Yogi", "--model.optimizer.lr", "0.1")["optimizer"]
    assert yogi["class_path"] == "zoo.optimizers.yogi.Yogi"
    assert (yogi["init_args"]["lr"], yogi["init_args"]["eps"]) == (0.1, 1e-3)
    same = printed(capsys, *argv, "Adam")["optimizer"]
    assert same["init_args"]["lr"] == 0.01, "the recipe's, whose class it is"
    pair = ["--model", "MLPRegressor", "--data", "Airfoil"]
    default = printed(capsys, *pair, "--model.optimizer.lr", "0.5")
    assert default["optimizer"]["class_path"] == "torch.optim.Adam"
    assert default["optimizer"]["init_args"]["lr"] == 0.5


def test_a_name_that_torch_and_the_zoo_share_is_torchs(capsys):
    """Whatever has been imported already."""
    from zoo.optimizers.adam import Adam
    from zoo.optimizers.sgd import SGD

    for own in (SGD, Adam):
        name = own.__name__
        argv = ["polynomial_regression-polynomial", "--model.optimizer", name]
        assert printed(capsys, *argv)["optimizer"]["class_path"] == f"torch.optim.{name}"


def test_the_zoos_own_schedules_by_name(capsys):
    options = ["--model.lr_scheduler", "SquareRootLR", "--model.lr_scheduler.rate", "0.5"]
    chosen = printed(capsys, "lenet-fashion_mnist", *options)["lr_scheduler"]
    assert chosen["class_path"] == "zoo.optimizers.schedules.SquareRootLR"
    assert chosen["init_args"] == {"rate": 0.5}
    Path("mine.yaml").write_text(
        "model:\n  class_path: MLPRegressor\n  init_args: {optimizer: Yogi}\ndata: Airfoil\n"
    )
    chosen = printed(capsys, "--config", "mine.yaml")["optimizer"]
    assert chosen["class_path"] == "zoo.optimizers.yogi.Yogi"


@pytest.mark.drawn
def test_from_fit_to_compare(trained, monkeypatch, capsys):
    monkeypatch.chdir(trained.parents[2])
    path = f"{trained.relative_to(Path.cwd())}/checkpoints/best.ckpt"
    assert main(["validate", "--ckpt_path", path]) == 0
    assert main(["test", "--ckpt_path", path]) == 0
    tested = json.loads((trained / "test.json").read_text())
    assert tested["synthetic"] is True
    assert 0.3 < tested["metrics"]["test/accuracy"] <= 1
    assert (trained / "pictures" / "test_confusion.png").is_file()
    assert main(["fit", RECIPE, *QUICK, "--seed_everything", "1"]) == 0
    capsys.readouterr()
    runs = [str(trained.parent / number) for number in ("1", "2")]
    assert main(["compare", *runs]) == 0
    out = capsys.readouterr().out
    assert "  seed  " in out
    assert "test/accuracy" in out
    assert (trained.parent / "compare.png").stat().st_size > 10_000


def test_predict_needs_nothing_but_the_checkpoint(trained, tmp_path, capsys):
    checkpoint = tmp_path / "alone.ckpt"
    checkpoint.write_bytes((trained / "checkpoints" / "best.ckpt").read_bytes())
    corpus = FashionMNIST(synthetic=True)
    corpus.prepare_data()
    pictures = corpus.read("test").tensors[0][:3]
    for index, picture in enumerate(pictures):
        Image.fromarray(picture[0].numpy()).save(f"{index}.png")
    Image.new("RGBA", (300, 200), (255, 0, 0, 128)).save("wide.png")
    files = ["0.png", "1.png", "2.png", "wide.png"]
    for number in (1, 2):
        assert main(["predict", *files, "--ckpt_path", str(checkpoint)]) == 0
        assert Path(f"predictions/{number}.png").stat().st_size > 5000
    out = capsys.readouterr().out
    assert all(file in out for file in files)
    import zoo

    model = zoo.load(checkpoint)
    wanted = model(corpus.normalise(pictures)).argmax(1)
    assert [corpus.labels[i] in out for i in wanted] == [True] * 3


def test_resume_goes_on_from_the_last_checkpoint(trained, capsys):
    path = str(trained / "checkpoints" / "last.ckpt")
    line = fails(capsys, "fit", RECIPE, *QUICK, "--ckpt_path", path)
    assert "at the end of its 1 epoch already: raise --trainer.max_epochs" in line
    options = [*QUICK, "--trainer.max_epochs", "2"]
    line = fails(capsys, "fit", RECIPE, *options, "--ckpt_path", path)
    assert "schedule ends after 22 steps and the run has 44" in line
    options += ["--model.lr_scheduler", "null"]
    assert main(["fit", RECIPE, *options, "--ckpt_path", path]) == 0
    checkpoint = torch.load(f"runs/{RECIPE}/1/checkpoints/last.ckpt", weights_only=True)
    assert checkpoint["epoch"] == 1
    assert checkpoint["global_step"] == 2 * 22


def test_last_is_the_last_epoch_even_where_the_best_came_before(capsys):
    """Lightning's own save_last writes last.ckpt only together with a new best one."""
    options = ["--model.optimizer.lr", "2", "--trainer.max_epochs", "4"]
    assert main(["fit", "polynomial_regression-polynomial", *options]) == 0
    folder = Path("runs/polynomial_regression-polynomial/1/checkpoints")
    epochs = {
        name: torch.load(folder / f"{name}.ckpt", weights_only=True)["epoch"]
        for name in ("best", "last")
    }
    assert epochs == {"best": 0, "last": 3}
    options = ["--model.optimizer.lr", "2", "--trainer.max_epochs", "5"]
    path = str(folder / "last.ckpt")
    assert main(["fit", "polynomial_regression-polynomial", *options, "--ckpt_path", path]) == 0
    again = Path("runs/polynomial_regression-polynomial/2/checkpoints/last.ckpt")
    assert torch.load(again, weights_only=True)["epoch"] == 4


def test_all_rows_can_be_trained_on(capsys):
    assert main(["fit", RECIPE, *QUICK, "--data.validation_fraction", "0"]) == 0
    path = f"runs/{RECIPE}/1/checkpoints/best.ckpt"
    assert Path(path).is_file()
    assert "none is held out" in fails(capsys, "validate", "--ckpt_path", path)


@pytest.mark.parametrize(
    "options",
    [
        ["--trainer.fast_dev_run", "true"],
        ["--trainer.overfit_batches", "1"],
        ["--trainer.accumulate_grad_batches", "3"],
        ["--trainer.val_check_interval", "0.5"],
        ["--trainer.precision", "64-true"],
        ["--trainer.callbacks", "EarlyStopping", "--trainer.callbacks.monitor", "val/loss"],
        ["--trainer.callbacks", "LearningRateMonitor"],
        ["--trainer.logger", "false"],
        ["--trainer.enable_checkpointing", "false"],
        ["--trainer.max_steps", "3"],
        ["--data.augment", "[flip,crop]"],
        ["--data.on_device", "true"],
        ["--model.optimizer", "SGD", "--model.optimizer.lr", "0.1"],
        ["--model.lr_scheduler", "StepLR", "--model.lr_scheduler.step_size", "1"],
        ["--model.schedule_interval", "epoch"],
    ],
    ids=lambda options: options[0],
)
def test_options_of_trainer_model_and_data(options, capsys):
    argv = [*QUICK, "--trainer.limit_train_batches", "4", "--trainer.limit_val_batches", "1"]
    assert main(["fit", RECIPE, *argv, *options]) == 0


def test_a_run_that_never_validates_keeps_and_names_its_last_epoch(capsys):
    options = [*QUICK, "--trainer.limit_train_batches", "2", "--trainer.check_val_every_n_epoch"]
    assert main(["fit", RECIPE, *options, "2"]) == 0
    last = f"runs/{RECIPE}/1/checkpoints/last.ckpt"
    assert f"zoo test --ckpt_path {last}" in capsys.readouterr().out
    assert read(last)["global_step"] == 2


def test_an_option_may_have_spaces_in_its_value(capsys):
    options = ["--data.augment", "[flip, {crop: {padding: 2}}]", "--print_config"]
    assert main(["fit", "--model", "LeNet", "--data", "FashionMNIST", *options]) == 0
    out = capsys.readouterr().out
    assert yaml.safe_load(out)["data"]["init_args"]["augment"] == ["flip", {"crop": {"padding": 2}}]


def test_folders_whose_names_look_like_markup(capsys):
    runs = ["--runs", "r[/b]"]
    assert main(["fit", RECIPE, *QUICK, *runs]) == 0
    run = f"r[/b]/{RECIPE}/1"
    assert f"run:      {run}" in capsys.readouterr().out
    path = f"{run}/checkpoints/best.ckpt"
    for argv in (
        ["test", "--ckpt_path", path],
        ["compare", run],
        ["export", path, "--format", "safetensors"],
    ):
        assert main(argv) == 0
        assert "r[/b]" in capsys.readouterr().out
