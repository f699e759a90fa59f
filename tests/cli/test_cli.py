"""The command: light verbs, names, errors of one line and exit 2."""

import json
import os
import re
import subprocess
import sys
from io import StringIO
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from datamodules import FashionMNIST
from datamodules.formats.idx import write_idx
from tests.cli.conftest import QUICK, RECIPE
from tests.conftest import ROOT, fails
from zoo.cli.main import main
from zoo.cli.report import print_metrics

# Light commands


@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        ["predict", "--help"],
        ["fit", RECIPE, "--help"],
        ["completion", "bash", f"zoo fit {RECIPE} --model."],
        ["--version"],
        ["list"],
        ["list", "--json"],
        ["show", "LeNet"],
        ["fit", "lnet"],
    ],
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


EDITABLE = f"""
import sys
from importlib.machinery import PathFinder

class Editable:
    @staticmethod
    def find_spec(name, path=None, target=None):
        root, _, rest = name.partition(".")
        if root in ("zoo", "datamodules") and "." not in rest:
            return PathFinder.find_spec(name, [{str(ROOT)!r} + f"/{{root}}" * bool(rest)])

sys.meta_path.insert(sys.meta_path.index(PathFinder) + 1, Editable)
"""


@pytest.fixture
def beside_a_clone(tmp_path, monkeypatch):
    """Works beside a clone called zoo, the package installed as `pip install -e` does."""
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "sitecustomize.py").write_text(EDITABLE)
    for folder in ("zoo", "datamodules", "runs"):  # of which runs/ hides another package
        (tmp_path / "zoo" / folder).mkdir(parents=True)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "site"))
    monkeypatch.delenv("PYTHONSAFEPATH", raising=False)


SWEEP = f"""
command: [zoo, fit, {RECIPE}, "${{args}}"]
method: grid
metric: {{name: val/loss}}
parameters: {{seed_everything: {{values: [1]}}}}
"""


@pytest.mark.parametrize(
    "arguments",
    [
        ["-m", "zoo.cli", "show", "LeNet"],
        ["-m", "zoo.cli", "fit", RECIPE, *QUICK, "--trainer.devices", "2", "+ddp"],
        # As the script `zoo` does:
        ["-P", "-c", "import sys; from zoo.cli.main import main; sys.exit(main())", "sweep"],
    ],
    ids=["light", "ranks", "sweep"],
)
def test_a_clone_called_zoo_hides_no_package(arguments, beside_a_clone):
    if arguments[-1] == "sweep":
        Path("sweep.yaml").write_text(SWEEP)
        arguments = [*arguments, "sweep.yaml", *QUICK]
    done = subprocess.run([sys.executable, *arguments], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stdout + done.stderr


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
        (
            ["fit", "lstm-time_machine", *SYNTHETIC, "--model.dropout", "-0.1"],
            "to 1, not -0.1",
        ),
        (
            ["fit", "seq2seq-fra_eng", *SYNTHETIC, "--model.beam_size", "0"],
            "beam_size has to be 1 or more",
        ),
        (["fit", "text_cnn-imdb", *SYNTHETIC, "--model.kernel_sizes", "[]"], "kernel_sizes"),
        (["fit", RECIPE, *SYNTHETIC, "--model.optimizer.lr", "-1"], "Adam: Invalid learning rate"),
        (["fit", RECIPE, *SYNTHETIC, *EVERY_0], "zoo: StepLR: "),
        (["fit", RECIPE, "--data.num_workers", "-1"], "num_workers must be at least 0, not -1"),
        (["fit", RECIPE, "--data.fold", "6"], "fold must be from 1 to 5"),
        (["fit", RECIPE, "--data.num_folds", "1"], "num_folds must be at least 2"),
        (["fit", RECIPE, "--trainer.max_epoch", "3"], "did you mean --trainer.max_epochs?"),
        (["fit", RECIPE, "--trainer.max_epochs"], "needs a value"),
        (
            ["fit", RECIPE, "--trainer.max_epochs", "many"],
            ": wanted a whole number, not many",
        ),
        (["fit", RECIPE, "--model.in_features", "3"], "follows from the corpus FashionMNIST"),
        (["fit", RECIPE, "--data.batch_size", "0"], "at least 1"),
        (["fit", "lenet-fashion_mnist", "--data.resize", "8"], "at least 12 pixels"),
        (["fit", RECIPE, "--trainer.devices", "0"], "devices"),
        (["fit", RECIPE, "--trainer.devices", "[0,0]", *ON_CPU], "devices"),
        (["fit", RECIPE, *SYNTHETIC, "--trainer.devices", "99", *ON_CPU], "cores"),
        (["fit", RECIPE, *SYNTHETIC, *ON_CPU, "--trainer.devices", "65", "+ddp"], "devices 65: "),
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


def test_channels_last_is_refused_where_it_is_not_safe(capsys):
    options = ["--data.synthetic", "true", "--model.width_ratio", "0.0625"]
    line = fails(capsys, "fit", "resnet_small-cifar10", *options)
    assert "--model.channels_last false" in line


def test_results_are_listed_by_name():
    with StringIO() as text:
        print_metrics(Console(file=text), "results", {"val/loss": 1, "train/loss": 2, "val/f1": 3})
        listed = re.findall(r"\S+/\S+", text.getvalue())
    assert listed == ["train/loss", "val/f1", "val/loss"]
