"""Runs, sweeps and checkpoints that the tests of several verbs begin with."""

import csv
import json
import re
import sys
from pathlib import Path

import pytest
import torch
import yaml
from matplotlib.figure import Figure

import datamodules
from tests.conftest import imported, quiet_trainer
from zoo.catalogue import architectures, arguments, corpora, definitions, facts
from zoo.checkpoints import safetensors_file
from zoo.cli.main import main
from zoo.cli.sweep import runner, verb

STAND_IN = """
import os, sys, time
from pathlib import Path
from zoo.cli import trial
from zoo.runs import folder as run_folder

def fit(argv):
    given = dict(t[2:].split("=", 1) for t in argv if "=" in t)
    quality = float(given.get("model.quality", 0.5))
    epochs = int(given.get("trainer.max_epochs", 2))
    folder = run_folder.create(Path(), "x")
    print(argv)
    (folder.parent / "begun.txt").open("a").write(f"{folder.name} {os.getpid()}\\n")
    (folder.parent / "env.txt").open("a").write(os.environ.get("CUDA_VISIBLE_DEVICES", "-") + "\\n")
    if quality == 0.13:
        print("zoo: nobody likes 0.13", file=sys.stderr)
        return 3
    (folder / "config.yaml").write_text("data: {synthetic: true}\\nmodel: {quality: %s}" % quality)
    lines = ["epoch,step,val/accuracy,train/loss_epoch"]
    for epoch in range(epochs):
        time.sleep(float(os.environ.get("PACE", 0)))
        value = "nan" if quality == 0.17 else quality * (1 - 0.5 ** (epoch + 1))
        lines.append(f"{epoch},{epoch},{value},{1 - quality}")
        (folder / "metrics.csv").write_text("\\n".join(lines) + "\\n")
    return 0

if "--print_config" in sys.argv:
    print("trainer: {max_epochs: 4}\\nmodel: {class_path: zoo.image_classification.lenet.LeNet}")
else:
    trial.zoo = fit
    raise SystemExit(trial.main(sys.argv[1:]))
"""
GRID = {
    "name": "s",
    "method": "grid",
    "metric": {"name": "val/accuracy", "goal": "maximize"},
    "parameters": {
        "model.quality": {"values": [0.2, 0.9, 0.5]},
        "data.batch_size": {"values": [64, 256]},
        "seed_everything": {"values": [0, 1]},
    },
    "command": ["zoo", "fit", "lenet-fashion_mnist", "${args}"],
}


@pytest.fixture
def stand_in(tmp_path_factory, monkeypatch):
    """Trials that take no time."""
    path = tmp_path_factory.mktemp("stand_in") / "fit.py"
    path.write_text(STAND_IN)
    monkeypatch.setattr(verb, "FIT", (sys.executable, str(path)))
    monkeypatch.setattr(runner, "COMMAND", (sys.executable, str(path)))
    monkeypatch.setattr(runner, "PAUSE", 0.02)
    return path


@pytest.fixture
def really(monkeypatch):
    """Trials that train, on the CPU."""
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    monkeypatch.setattr(verb, "FIT", (sys.executable, "-m", "zoo.cli"))
    command = (sys.executable, "-m", "zoo.cli.trial")
    monkeypatch.setattr(runner, "COMMAND", command)


def write_sweep(changes=None, path="s.yaml", **more):
    config = {**GRID, **(changes or {}), **more}
    Path(path).write_text(
        yaml.safe_dump({k: v for k, v in config.items() if v is not None}, sort_keys=False)
    )
    return path


def results(folder="runs/s"):
    with (Path(folder) / "results.csv").open() as file:
        return list(csv.DictReader(file))


JUDGE = {
    "features": "zoo.image_classification.resnet.ResNet",
    "features_args": {"depth": 18, "width_ratio": 1 / 16},
}
PAIRS = {"num_pairs": 200, "max_length": 6, "num_val": 0, "num_test": 0}
CASES = {  # of each family: corpus, its arguments, and the model's
    "LeNet": ("FashionMNIST", {}, {}),
    "NiN": ("FashionMNIST", {}, {"width_ratio": 1 / 16, "stem": "small"}),
    "TinySSD": ("Pikachu", {}, {"width_ratio": 1 / 16}),
    "MLPRegressor": ("HousePrices", {"logarithms": True}, {"hidden_sizes": [8]}),
    "GRU": ("TimeMachine", {"num_steps": 9}, {"hidden_size": 8}),
    "TransformerLanguageModel": (
        "TimeMachine",
        {"num_steps": 9},
        {"embed_dim": 16, "num_layers": 1},
    ),
    "NGram": ("TimeMachine", {}, {"order": 3}),
    "BidirectionalTagger": ("WordBoundaries", {"num_steps": 9}, {"hidden_size": 8}),
    "BidirectionalRNN": ("IMDB", {"max_length": 5}, {"hidden_size": 8, "num_layers": 1}),
    "Seq2Seq": ("FraEng", PAIRS, {"num_layers": 1}),
    "Transformer": ("FraEng", PAIRS, {}),
    "FastText": ("PennTreebankWindows", {}, {"embed_dim": 8, "num_buckets": 50}),
    "DCGAN": ("FashionMNIST", {"scale": "symmetric"}, {"width_ratio": 1 / 16, "latent_dim": 6}),
    "FastStyle": (
        "StylePictures",
        {"pictures": "CIFAR10", "size": 32},
        {**JUDGE, "width_ratio": 1 / 16, "num_blocks": 1},
    ),
    "NeuralStyle": ("StylePair", {"sizes": [40]}, JUDGE),
    "Surface": ("GradientNoise", {}, {}),
}


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory):
    """Makes the checkpoint of a case, once: of a step on the corpus's stand-in."""
    folder, made = tmp_path_factory.mktemp("trained"), {}

    def of(name):
        if name not in made:
            corpus_name, given, options = CASES[name]
            corpus = getattr(datamodules, corpus_name)(synthetic=True, **given)
            definition = architectures()[name]
            wanted = arguments(definition, definitions())
            offered = facts(corpora()[corpus_name], definitions())
            linked = {fact: getattr(corpus, fact) for fact in wanted if fact in offered}
            torch.manual_seed(0)
            model = imported(definition.class_path)(**linked, **options)
            trainer = quiet_trainer(limit_train_batches=1, limit_val_batches=0)
            trainer.fit(model, corpus)
            made[name] = folder / f"{name}.ckpt"
            trainer.save_checkpoint(made[name])
        return made[name]

    return of


def exported(path, kind, output, *options):
    argv = ("export", str(path), "--format", kind, "--output", str(output), *options)
    assert main(list(argv)) == 0
    return Path(output)


def assert_same(one, other, place=""):
    """Equal to the last bit, kinds of values and the order of keys included."""
    assert type(one) is type(other), place
    if isinstance(one, torch.Tensor):
        assert one.dtype == other.dtype, place
        torch.testing.assert_close(one, other, rtol=0, atol=0, equal_nan=True)
    elif isinstance(one, dict):
        assert list(one) == list(other), place
        for key, value in one.items():
            assert_same(value, other[key], f"{place}.{key}")
    elif isinstance(one, list | tuple):
        assert len(one) == len(other), place
        for index, value in enumerate(one):
            assert_same(value, other[index], f"{place}.{index}")
    else:
        assert repr(one) == repr(other), place  # nan too


RECIPE = "softmax_regression-fashion_mnist"
QUICK = [
    *("--data.synthetic", "true", "--trainer.max_epochs", "1"),
    *("--trainer.accelerator", "cpu", "--trainer.enable_model_summary", "false"),
]


@pytest.fixture(scope="session")
def trained(tmp_path_factory):
    """A folder in which one recipe has been trained."""
    folder = tmp_path_factory.mktemp("trained")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        assert main(["fit", RECIPE, *QUICK]) == 0
    return folder / "runs" / RECIPE / "1"


COLUMNS = [
    *("epoch", "step", "train/accuracy", "train/accuracy_epoch"),
    *("train/loss", "train/loss_epoch", "val/accuracy", "val/loss"),
]


def settings(lr=0.1, batch_size=256, seed=0, **data):
    model = {"class_path": "zoo.LeNet", "init_args": {"optimizer": {"init_args": {"lr": lr}}}}
    return {
        "seed_everything": seed,
        "trainer": {"max_epochs": 3, "default_root_dir": f"/run/{lr}", "logger": {"name": lr}},
        "model": model,
        "data": {"class_path": "d.FashionMNIST", "init_args": {"batch_size": batch_size, **data}},
    }


def lines(accuracies, start=0, losses=None):
    """What Lightning logs in epochs of 100 steps, a window of 50 steps, one validation each."""
    rows = []
    for epoch, accuracy in enumerate(accuracies, start):
        loss = losses[epoch - start] if losses else 1 - accuracy
        for step in (49, 99):
            window = {"train/loss": loss, "train/accuracy": accuracy}
            rows.append({"epoch": epoch, "step": 100 * epoch + step, **window})
        end = {"epoch": epoch, "step": 100 * epoch + 99}
        rows.append({**end, "val/loss": loss, "val/accuracy": accuracy})
        rows.append({**end, "train/loss_epoch": loss + 0.001, "train/accuracy_epoch": accuracy})
    return rows


def write_csv(path, rows, columns=COLUMNS):
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, columns)
        writer.writeheader()
        writer.writerows(rows)


def write_run(folder, rows=None, config=None, test=None, record=None):
    folder = Path(folder)
    folder.mkdir(parents=True)
    (folder / "config.yaml").write_text("# lightning\n" + yaml.safe_dump(config or settings()))
    write_csv(folder / "metrics.csv", lines([0.5, 0.7, 0.6]) if rows is None else rows)
    if test:
        (folder / "test.json").write_text(json.dumps({"metrics": test, "epoch": 3}))
    if record:
        (folder / "run.json").write_text(json.dumps(record))
    return folder


@pytest.fixture
def wide(monkeypatch):
    """Tables of 200 columns."""
    monkeypatch.setenv("COLUMNS", "200")


@pytest.fixture
def undrawn(monkeypatch):
    """Leaves the slow part out of tests that look at the tables."""
    monkeypatch.setattr("zoo.cli.compare_runs.draw", lambda runs, title: Figure((1, 1)))


def cells(text, title):
    """The cells of the column `title`, a line each; of the best epoch it is `<metric>, best`."""
    found = []
    for block in text.split("\n\n"):
        lines = [re.split(r"  +", line) for line in block.splitlines() if line]
        for place, header in enumerate(lines):
            names = [
                f"{before}, best" if name == "best (epoch)" else name
                for before, name in zip(["", *header], header, strict=False)
            ]
            if title in names and len(lines) > place + 1:
                rows = [line for line in lines[place + 1 :] if len(line) == len(names)]
                found.append([row[names.index(title)] for row in rows])
    assert len(found) == 1, f"{title} in {len(found)} tables of:\n{text}"
    return found[0]


RECORD = {
    "state": "finished",
    "seconds": 245.0,
    "rows_per_second": 1234.5,
    "device": "cpu",
    "peak_memory_bytes": 3 << 29,
    "versions": {"zoo": "1", "torch": "2"},
}


def write_seeds():
    """Three seeds of one setting and one of another."""
    for seed, accuracy in enumerate((0.5, 0.7, 0.6)):
        rows, record = lines([0.25, accuracy]), {**RECORD, "seconds": 10.0 * seed}
        write_run(f"runs/lenet/{seed + 1}", rows, settings(seed=seed), record=record)
    write_run("runs/lenet/4", lines([0.3]), settings(lr=0.5))


def write_safetensors(checkpoint, path):
    """Writes a checkpoint as `zoo export --format safetensors` does."""
    path.write_bytes(b"".join(safetensors_file.encode(checkpoint, path)))
