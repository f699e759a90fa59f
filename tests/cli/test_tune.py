"""tune: a learning rate near the best of a grid, sizes that fit, nothing left but a picture."""

import shlex
import signal
import tempfile
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest
import torch
from PIL import Image

from datamodules import FashionMNIST
from tests.conftest import fails, quiet_trainer
from zoo.cli.main import main
from zoo.cli.tune import batch as tune_batch
from zoo.cli.tune import verb
from zoo.cli.tune.batch import speeds, suggested
from zoo.cli.tune.rate import range_test
from zoo.image_classification.mlp import MLP
from zoo.image_classification.softmax_regression import SoftmaxRegression

RECIPE = "softmax_regression-fashion_mnist"
QUICK = ["--data.synthetic", "true", "--trainer.accelerator", "cpu"]


@pytest.fixture(autouse=True)
def scratch(tmp_path, monkeypatch):
    """Where what is of no further use goes: it has to be gone."""
    folder = tmp_path / "scratch"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    yield folder
    assert not list(folder.iterdir())


def trainer(**options):
    return quiet_trainer(
        **{"max_epochs": -1, "check_val_every_n_epoch": 10**9, **options},
        default_root_dir=tempfile.gettempdir(),
    )


def network(lr=0.001, optimizer=torch.optim.SGD):
    torch.manual_seed(0)
    return MLP(784, 10, hidden_sizes=(16,), optimizer=lambda parameters: optimizer(parameters, lr))


def corpus():
    return FashionMNIST(synthetic=True, batch_size=64)


def loss_after(steps, lr, optimizer):
    fitted = trainer(max_steps=steps, limit_val_batches=0)
    fitted.fit(network(lr, optimizer), corpus())
    loss = fitted.callback_metrics["train/loss_epoch"].item()
    return loss if loss == loss else float("inf")


# The learning rate


@pytest.mark.parametrize("optimizer", [torch.optim.SGD, torch.optim.Adam])
def test_the_suggestion_is_within_a_decade_of_the_best_of_a_grid(optimizer):
    best = min(
        (10.0**exponent for exponent in range(-5, 2)), key=lambda lr: loss_after(60, lr, optimizer)
    )
    test = range_test(
        trainer(), network(optimizer=optimizer), corpus(), least=1e-6, most=10.0, steps=100
    )
    assert 0.1 <= test.suggested / best <= 10
    assert len(test.rates) == 100
    assert test.rates[0] == pytest.approx(1e-6)
    assert test.rates == sorted(test.rates)


def test_nothing_of_the_search_remains_in_the_model():
    model, used = network(), trainer()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    attributes = set(vars(model))
    range_test(used, model, corpus(), least=1e-6, most=1.0, steps=40)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert set(vars(model)) <= attributes | {"_jit_is_scripting"}
    assert used.global_step == 0
    (group,) = model.configure_optimizers().param_groups
    assert group["lr"] == 0.001


def test_the_command_says_how_to_use_it(capsys):
    assert main(["tune", RECIPE, *QUICK]) == 0
    out = capsys.readouterr().out
    (line,) = [line for line in out.splitlines() if line.startswith("next:")]
    argv = shlex.split(line.removeprefix("next:"))[1:]
    assert argv[:2] == ["fit", RECIPE]
    rate = argv[argv.index("--model.optimizer.lr") + 1]
    assert argv[argv.index("--model.lr_scheduler.max_lr") + 1] == rate
    assert 0.0003 < float(rate) < 0.05  # of the recipe's 0.005
    assert main([*argv, "--print_config"]) == 0
    assert f"max_lr: {float(rate)}" in capsys.readouterr().out


def test_nothing_is_left_but_pictures_in_numbered_folders():
    for _ in range(2):
        assert main(["tune", RECIPE, "--steps", "40", *QUICK]) == 0
    left = sorted(str(path) for path in Path("runs").rglob("*") if path.is_file())
    assert left == [f"runs/{RECIPE}/tune-{number}/lr_finder.png" for number in (1, 2)]
    with Image.open(left[0]) as picture:
        assert len(picture.convert("RGB").getcolors(1 << 20)) > 20


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["gan-gaussian2d"], "GAN steps its optimizers itself"),
        (["skip_gram-penn_treebank_windows"], "SkipGram steps its optimizers itself"),
        (["surface_newton-gradient_noise"], "Newton takes its steps' lengths"),
        (["linear_regression-airfoil", "--model.optimizer", "LBFGS"], "LBFGS takes its steps'"),
        (["ngram-time_machine"], "NGram counts"),
        ([RECIPE, "--min-lr", "1", "--max-lr", "0.1"], "--min-lr is 1"),
        ([RECIPE, "--steps", "5"], "at least 20"),
        ([RECIPE, "--trainer.devices", "2"], "--trainer.devices 1"),
        ([RECIPE, "--batch-size", "--max", "1"], "--max is 1"),
        ([RECIPE, "--batch-size", "--max", "20000"], "--mode binsearch"),
        (["neural_style-style_pair", "--batch-size"], "StylePair has no batches of another size"),
        (["lenet-fashion_mnst"], "did you mean lenet-fashion_mnist?"),
        ([RECIPE, "--batchsize"], "did you mean --batch-size?"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_cannot_be_found_gets_one_line(argv, words, capsys):
    assert words in fails(capsys, "tune", *argv, *QUICK)


def test_rates_that_change_nothing_are_not_suggested(capsys):
    assert main(["tune", RECIPE, "--min-lr", "1e-9", "--max-lr", "1e-8", *QUICK]) == 2
    last = capsys.readouterr().err.splitlines()[-1]
    assert "no learning rate from 1e-09 to 1e-08 lowers the loss" in last
    assert not Path("runs").exists()


def test_an_interruption_leaves_nothing(scratch, monkeypatch, capsys):
    step, seen = SoftmaxRegression.step, []

    def interrupted(self, batch):
        seen.append(len(list(scratch.glob("*/.lr_find_*.ckpt"))))
        if len(seen) == 5:
            raise KeyboardInterrupt
        return step(self, batch)

    monkeypatch.setattr(SoftmaxRegression, "step", interrupted)
    handler = signal.getsignal(signal.SIGINT)
    try:
        assert main(["tune", RECIPE, *QUICK]) == 130
    finally:
        signal.signal(signal.SIGINT, handler)
    assert seen == [1] * 5
    assert not Path("runs").exists()


# The size of a batch


def out_of_memory(kind):
    if kind == "cuda":
        return torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
    return RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes")


@pytest.mark.parametrize(
    ("mode", "largest", "kind"),
    [
        ("power", 128, "cuda"),
        pytest.param("binsearch", 200, "cpu", marks=pytest.mark.slow),
    ],
)
def test_the_largest_size_that_fits(kind, mode, largest, monkeypatch):
    step, tried = MLP.step, set()

    def limited(self, batch):
        tried.add(len(batch[0]))
        if len(batch[0]) > 200:
            raise out_of_memory(kind)
        return step(self, batch)

    monkeypatch.setattr(MLP, "step", limited)
    model, data = network(), corpus()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    found = speeds(trainer(), model, data, mode=mode, most=1024)
    assert max(found) == largest
    assert [*found] == sorted(found)
    assert {2, 4, 8, 16, 32, 64, 128} <= found.keys() <= tried
    assert 256 in tried
    assert 512 not in tried
    assert all(speed > 0 for speed in found.values())
    assert data.batch_size == data.hparams.batch_size == 64
    assert "on_train_batch_end" not in vars(model)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_memory_that_is_not_there_is_not_asked_for(monkeypatch):
    """The system would kill this process otherwise; each row takes 8 MB here."""
    step, free = MLP.step, SimpleNamespace(available=400_000 * 1024)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: free)

    def hungry(self, batch):
        torch.empty(len(batch[0]), 8_000_000, dtype=torch.uint8)
        return step(self, batch)

    monkeypatch.setattr(MLP, "step", hungry)
    found = speeds(trainer(), network(), corpus(), mode="power", most=1024)
    assert max(found) == 32
    torch.empty(1024, 8_000_000, dtype=torch.uint8)


@pytest.mark.parametrize(
    "recipe",
    [
        pytest.param("text_cnn-imdb", marks=pytest.mark.slow),
        "gan-gaussian2d",
        pytest.param("gru-time_machine", marks=pytest.mark.slow),
        pytest.param("skip_gram-penn_treebank_windows", marks=pytest.mark.slow),
    ],
)
def test_every_corpus_hands_out_what_is_tried(recipe, monkeypatch, capsys):
    sizes = {}
    original = tune_batch._timed

    def spied(model, data):
        start = model.on_train_batch_start

        def spied_start(batch, batch_idx):
            sizes.setdefault(data.batch_size, set()).add(len(batch[0]))
            return start(batch, batch_idx)

        monkeypatch.setattr(model, "on_train_batch_start", spied_start)
        return original(model, data)

    monkeypatch.setattr(tune_batch, "_timed", spied)
    assert main(["tune", recipe, "--batch-size", "--max", "16", *QUICK]) == 0
    assert list(sizes) == [2, 4, 8, 16]
    assert all(size / 2 < max(rows) <= size for size, rows in sizes.items())
    assert "16 is the largest tried of at most 16" in capsys.readouterr().out
    assert not Path("runs").exists()


def test_the_smallest_of_the_fast_sizes_is_suggested():
    assert suggested({2: 10.0, 4: 97.0, 8: 100.0, 16: 90.0}) == 4
    assert suggested({2: 10.0, 4: 94.0, 8: 100.0, 16: 90.0}) == 8


@pytest.mark.slow
def test_both_are_found_one_after_the_other(capsys):
    assert main(["tune", RECIPE, "--lr", "--batch-size", "--max", "64", *QUICK]) == 0
    (line,) = [x for x in capsys.readouterr().out.splitlines() if x.startswith("next:")]
    assert line.count("--data.batch_size") == line.count("--model.optimizer.lr") == 1


def test_the_next_command_trusts_the_same_packages(monkeypatch, capsys):
    monkeypatch.setattr(verb, "_find_rate", lambda *given: ["--model.optimizer.lr 0.1"])
    assert main(["tune", RECIPE, "--allow", "json", "--data.synthetic", "true"]) == 0
    (line,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith("next:")]
    assert line.endswith(
        f"zoo fit {RECIPE} --allow json --data.synthetic=true --model.optimizer.lr 0.1"
    )
