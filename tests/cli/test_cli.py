"""The command: names, errors of one line and exit 2, the way from fit to compare."""

import inspect
import json
import os
import re
import subprocess
import sys
from importlib import import_module
from io import StringIO
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from PIL import Image
from rich.console import Console

from datamodules import FashionMNIST
from datamodules.formats.idx import write_idx
from tests.conftest import ROOT, all_architectures, fails
from zoo.checkpoints.checkpoint import read
from zoo.cli.bounds import refuse_out_of_bounds
from zoo.cli.foreign_errors import in_one_line
from zoo.cli.main import main
from zoo.cli.report import _print_metrics
from zoo.errors import InputError

RECIPE = "softmax_regression-fashion_mnist"
QUICK = [
    *("--data.synthetic", "true", "--trainer.max_epochs", "1"),
    *("--trainer.accelerator", "cpu", "--trainer.enable_model_summary", "false"),
]


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A folder in which one recipe has been trained."""
    folder = tmp_path_factory.mktemp("trained")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        assert main(["fit", RECIPE, *QUICK]) == 0
    return folder / "runs" / RECIPE / "1"


# Light commands


@pytest.mark.parametrize(
    "arguments",
    [["--help"], ["--version"], ["list"], ["list", "--json"], ["show", "LeNet"], ["fit", "lnet"]],
    ids=" ".join,
)
def test_light_commands_are_quick_and_import_no_torch(arguments):
    code = (
        "import sys; from zoo.cli.main import main\n"
        f"try: main({arguments})\nexcept SystemExit: pass\n"
        "assert not {'torch', 'lightning', 'numpy'} & set(sys.modules), 'heavy'"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
    assert seconds("-m", "zoo.cli", *arguments) < 10 * seconds("-c", "import rich.table, yaml")


def seconds(*arguments):
    """Of the processor, which others may share, that Python takes at least."""
    times = []
    for _ in range(3):
        before = os.times()
        subprocess.run([sys.executable, *arguments], capture_output=True)
        after = os.times()
        times.append(sum(after[2:4]) - sum(before[2:4]))
    return min(times)


def test_lists_everything(capsys):
    assert main(["list", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)
    assert {"LeNet", "MLP", "SoftmaxRegression"} <= {row["name"] for row in listed["models"]}
    assert {"FashionMNIST", "HousePrices", "Polynomial"} <= {r["name"] for r in listed["corpora"]}
    files = (ROOT / "zoo" / "recipes").glob("*/*.yaml")
    assert len(listed["recipes"]) == len([f for f in files if f.parent.name != "overlays"])
    assert main(["list", "models", "*lenet", "--json"]) == 0
    models = json.loads(capsys.readouterr().out)["models"]
    assert {row["name"] for row in models} == {"LeNet", "BatchNormLeNet", "GoogLeNet"}


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("lenet", ["Figure 2", "61,706", "activation", "lenet_relu-fashion_mnist"]),
        ("FashionMNIST", ["1708.07747", "in_channels", "batch_size"]),
        (RECIPE, ["class_path: zoo.image_classification", f"zoo fit {RECIPE}"]),
    ],
)
def test_shows_one(name, words, capsys):
    assert main(["show", name]) == 0
    shown = capsys.readouterr().out
    assert all(word in shown for word in words)


@pytest.mark.parametrize("shell", ["bash", "zsh", "tcsh"])
def test_completion_knows_verbs_and_recipes(shell, capsys):
    assert main(["completion", shell]) == 0
    script = capsys.readouterr().out
    assert "compare" in script
    assert RECIPE in script


# Bad input

EVERY_0 = ["--model.lr_scheduler", "StepLR", "--model.lr_scheduler.step_size", "0"]
ON_CPU = ["--trainer.accelerator", "cpu"]
SYNTHETIC = ["--data.synthetic", "true"]


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["lst"], "did you mean list?"),
        (["fit", "lenet-fashion_mnst"], "did you mean lenet-fashion_mnist?"),
        (["fit", "resnet"], "resnet-fashion_mnist, resnet_fast-cifar10, resnet_small-cifar10, "),
        (["fit", "nothing_like_it"], "no recipe is called nothing_like_it; `zoo list` names all "),
        (["fit", "--model", "LeNt", "--data", "FashionMNIST"], "did you mean LeNet?"),
        (["fit", "--model", "LeNet", "--data", "FashonMNIST"], "did you mean FashionMNIST?"),
        (["fit", "--model", "LeNet"], "--data NAME"),
        (["fit"], "zoo list"),
        (["fit", RECIPE, "--wandbb", "offline"], "did you mean --wandb?"),
        (["fit", RECIPE, "--wandb", "sometimes"], "online, offline, disabled"),
        (["fit", RECIPE, "--model.optimzer", "SGD"], "did you mean optimizer?"),
        (["fit", RECIPE, "--data.batchsize", "3"], "did you mean batch_size?"),
        (["fit", RECIPE, "--model.optimizer", "Yogy"], "did you mean Yogi?"),
        (["fit", RECIPE, "--model.lr_scheduler", "StepRL"], "did you mean StepLR?"),
        (["fit", RECIPE, "--model.weight_decay", "-1"], "weight_decay has to be 0 or more, not -1"),
        (["fit", "mlp-fashion_mnist", "--model.hidden_sizes", "[9,0]"], "1 or more, not 0"),
        (["fit", "mlp-fashion_mnist", "--model.dropout", "[.1,1.5]"], "from 0 to 1, not 1.5"),
        (["fit", "lstm-time_machine", "--model.dropout", "-0.1"], "from 0 to 1, not -0.1"),
        (["fit", "seq2seq-fra_eng", "--model.beam_size", "0"], "beam_size has to be 1 or more"),
        (["fit", "text_cnn-imdb", *SYNTHETIC, "--model.kernel_sizes", "[]"], "kernel_sizes"),
        (["fit", RECIPE, *SYNTHETIC, "--model.optimizer.lr", "-1"], "Adam: Invalid learning rate"),
        (["fit", RECIPE, *SYNTHETIC, *EVERY_0], "zoo: StepLR: "),
        (["fit", RECIPE, "--data.num_workers", "-1"], "num_workers must be at least 0, not -1"),
        (["fit", RECIPE, "--data.fold", "6"], "fold must be from 1 to 5"),
        (["fit", RECIPE, "--data.num_folds", "1"], "num_folds must be at least 2"),
        (["fit", RECIPE, "--trainer.max_epoch", "3"], "did you mean --trainer.max_epochs?"),
        (["fit", RECIPE, "--trainer.max_epochs"], "needs a value"),
        (["fit", RECIPE, "--trainer.max_epochs", "many"], "--trainer.max_epochs: Expected"),
        (["fit", RECIPE, "--model.in_features", "3"], "follows from the corpus FashionMNIST"),
        (["fit", RECIPE, "--data.batch_size", "0"], "at least 1"),
        (["fit", "lenet-fashion_mnist", "--data.resize", "8"], "at least 12 pixels"),
        (["fit", RECIPE, "--trainer.devices", "0"], "devices"),
        (["fit", RECIPE, "--trainer.devices", "[0,0]", *ON_CPU], "devices"),
        (["fit", RECIPE, "--trainer.num_nodes", "0"], "num_nodes"),
        (["fit", RECIPE, "--trainer.accelerator", "gpuu"], "accelerator='gpuu'"),
        (["fit", RECIPE, "--trainer.accelerator", "tpu"], "torch_xla"),
        (["fit", RECIPE, "--trainer.strategy", "ddpp"], "strategy='ddpp'"),
        (["fit", RECIPE, "--trainer.strategy", "fsdp", *ON_CPU], "fsdp"),
        (["fit", RECIPE, "--trainer.precision", "transformer-engine"], "transformer_engine"),
        (["fit", RECIPE, "--trainer.accumulate_grad_batches", "0"], "at least 1"),
        (["fit", RECIPE, *SYNTHETIC, "--trainer.val_check_interval", "999"], "(999) must be less"),
        (["fit", RECIPE, "--config", "x.yaml"], "not both"),
        (["fit", "--config", "missing.yaml"], "missing.yaml: cannot be read"),
        (["fit", RECIPE, "--ckpt_path", "missing.ckpt"], "missing.ckpt: there is no such"),
        (["test", "--ckpt_path", "missing.ckpt"], "missing.ckpt: there is no such"),
        (["show", "lenett"], "did you mean LeNet?"),
        (["prepare", "FashonMNIST"], "did you mean FashionMNIST?"),
        (["prepare", "FashionMNIST", "--from", "nowhere"], "nowhere holds none of"),
        (["compare", "nowhere"], "nowhere"),
        (["list", "lenett"], "did you mean LeNet?"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_bad_words_get_one_line(argv, words, capsys):
    assert words in fails(capsys, *argv)


@pytest.mark.parametrize("definition", all_architectures(), ids=lambda d: d.name)
def test_what_a_model_is_by_itself_is_in_bounds(definition):
    module, _, name = definition.class_path.rpartition(".")
    signature = inspect.signature(getattr(import_module(module), name).__init__)
    defaults = {name: each.default for name, each in signature.parameters.items()}
    refuse_out_of_bounds({k: v for k, v in defaults.items() if v is not inspect.Parameter.empty})


def test_an_offline_machine_without_the_corpus_is_told_both_ways_out(capsys, monkeypatch):
    files = [
        type(file)(file.name, ("http://127.0.0.1:9/x",), file.sha256, file.size)
        for file in FashionMNIST.files
    ]
    monkeypatch.setattr(FashionMNIST, "files", tuple(files))
    assert main(["fit", RECIPE, "--data.root", "here"]) == 2
    line = capsys.readouterr().err
    assert line.count("\n") == 1
    for file in files:
        assert Path(file.name).name in line
    assert "zoo prepare FashionMNIST --from" in line
    assert "--data.synthetic true" in line
    assert not Path("runs").exists()


@pytest.mark.parametrize(
    ("images", "labels", "words"),
    [(100, 90, "100 pictures"), (0, 0, "28 x 28")],
)
def test_a_bad_corpus_is_named(images, labels, words, capsys):
    folder = Path("root/FashionMNIST/raw")
    folder.mkdir(parents=True)
    for stem in ("train", "t10k"):
        write_idx(folder / f"{stem}-images-idx3-ubyte.gz", np.zeros((images, 28, 28), np.uint8))
        write_idx(folder / f"{stem}-labels-idx1-ubyte.gz", np.zeros(labels, np.uint8))
    line = fails(capsys, "fit", RECIPE, "--data.root", "root")
    assert words in line
    assert "train-images-idx3-ubyte.gz" in line


def damaged(path: Path, how: str) -> Path:
    content = path.read_bytes()
    target = Path(f"{how}.ckpt")
    flipped = bytearray(content)
    flipped[len(content) // 2] ^= 4
    target.write_bytes(
        {"empty": b"", "cut": content[:-1000], "flipped": bytes(flipped), "text": b"hello"}[how]
    )
    return target


@pytest.mark.parametrize("how", ["empty", "cut", "flipped", "text"])
@pytest.mark.parametrize("verb", ["fit", "test", "validate", "predict"])
def test_a_bad_checkpoint_is_named(trained, how, verb, capsys):
    path = damaged(trained / "checkpoints" / "best.ckpt", how)
    arguments = {"fit": [RECIPE], "predict": ["x.png"]}.get(verb, [])
    assert str(path) in fails(capsys, verb, *arguments, "--ckpt_path", str(path))


def test_a_flip_of_any_byte_is_refused_or_harmless(trained, tmp_path):
    from zoo.checkpoints.checkpoint import read
    from zoo.errors import InputError

    content = (trained / "checkpoints" / "best.ckpt").read_bytes()
    whole = read(trained / "checkpoints" / "best.ckpt")["state_dict"]
    refused = 0
    for position in range(0, len(content), len(content) // 200):
        flipped = bytearray(content)
        flipped[position] ^= 1 << (position % 8)
        path = tmp_path / "flipped.ckpt"
        path.write_bytes(flipped)
        try:
            state = read(path)["state_dict"]
        except InputError as error:
            refused += "\n" not in str(error)
        else:
            assert all(torch.equal(state[name], whole[name]) for name in whole)
    assert refused > 150


def test_a_checkpoint_of_another_class_is_refused(trained, capsys):
    path = str(trained / "checkpoints" / "best.ckpt")
    line = fails(capsys, "fit", "lenet-fashion_mnist", "--ckpt_path", path)
    assert "a checkpoint of SoftmaxRegression, not of LeNet" in line
    line = fails(capsys, "test", "--model", "LeNet", "--ckpt_path", path)
    assert "not of LeNet" in line


def test_a_checkpoint_of_another_size_is_refused(trained, capsys):
    path = str(trained / "checkpoints" / "best.ckpt")
    line = fails(capsys, "fit", RECIPE, *QUICK, "--data.resize", "32", "--ckpt_path", path)
    assert "do not fit this SoftmaxRegression: size mismatch for linear.weight" in line


def test_a_checkpoint_with_code_is_not_run(tmp_path, capsys):
    class Payload:
        def __reduce__(self):
            return (Path.touch, (tmp_path / "ran",))

    torch.save({"zoo": {}, "state_dict": Payload()}, "code.ckpt")
    assert "more than plain data" in fails(capsys, "test", "--ckpt_path", "code.ckpt")
    assert not (tmp_path / "ran").exists()


def test_a_checkpoint_of_foreign_code_is_not_imported(trained, tmp_path, monkeypatch, capsys):
    (tmp_path / "foreign.py").write_text("open('ran', 'w')\nclass Net: pass")
    monkeypatch.syspath_prepend(tmp_path)
    checkpoint = torch.load(trained / "checkpoints" / "best.ckpt", weights_only=True)
    checkpoint["zoo"]["class_path"] = "foreign.Net"
    torch.save(checkpoint, "foreign.ckpt")
    for verb, rest in (("test", []), ("predict", ["x.png"])):
        line = fails(capsys, verb, *rest, "--ckpt_path", "foreign.ckpt")
        assert "foreign.Net is not of the zoo" in line
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("content", "words"), [(b"", "not a picture"), (b"hello", "not a picture"), (None, "No such")]
)
def test_predict_names_what_is_no_picture(trained, content, words, capsys):
    if content is not None:
        Path("x.png").write_bytes(content)
    path = str(trained / "checkpoints" / "best.ckpt")
    line = fails(capsys, "predict", "--ckpt_path", path, "x.png")
    assert "x.png" in line
    assert words in line


def test_predict_refuses_a_cut_and_a_huge_picture(trained, capsys):
    path = str(trained / "checkpoints" / "best.ckpt")
    noise = np.random.default_rng(0).integers(0, 256, (64, 64), dtype=np.uint8)
    Image.fromarray(noise).save("cut.png")
    Path("cut.png").write_bytes(Path("cut.png").read_bytes()[:2000])
    assert "cut.png" in fails(capsys, "predict", "--ckpt_path", path, "cut.png")
    Image.new("1", (6000, 5000)).save("huge.png")
    assert "6000 x 5000" in fails(capsys, "predict", "--ckpt_path", path, "huge.png")


def test_a_run_folder_that_cannot_be_written(capsys):
    Path("file").write_text("in the way")
    line = fails(capsys, "fit", RECIPE, *QUICK, "--runs", "file")
    assert "file" in line
    assert "--runs" in line


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("model: [", "not YAML in line"),
        ("hello", "not a configuration"),
        ("model: LeNt\ndata: FashionMNIST", "did you mean LeNet?"),
        ("model: LeNet", "names no corpus"),
    ],
)
def test_a_bad_configuration_file(text, words, capsys):
    Path("bad.yaml").write_text(text)
    assert words in fails(capsys, "fit", "--config", "bad.yaml")


# The way from prepare to compare


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
    assert "no recipe is called own_network-fashion_mnist: training with the defaults" in out
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
    assert "seed_everything" in out
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
    assert "at the end of its 1 epochs already: raise --trainer.max_epochs" in line
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


def test_channels_last_is_refused_where_it_is_not_safe(capsys):
    options = ["--data.synthetic", "true", "--model.width_ratio", "0.0625"]
    line = fails(capsys, "fit", "resnet_small-cifar10", *options)
    assert "--model.channels_last false" in line


def test_a_precision_without_a_kernel_is_one_line():
    with pytest.raises(InputError, match="precision 32-true"), in_one_line():
        raise RuntimeError("could not create a primitive descriptor for the LSTM. Run with ...")
    with pytest.raises(RuntimeError, match="another"), in_one_line():
        raise RuntimeError("another")


def test_results_are_listed_by_name():
    with StringIO() as text:
        _print_metrics(Console(file=text), "results", {"val/loss": 1, "train/loss": 2, "val/f1": 3})
        listed = re.findall(r"\S+/\S+", text.getvalue())
    assert listed == ["train/loss", "val/f1", "val/loss"]
