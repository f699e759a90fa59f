"""Overlays: what they lay over a recipe, where they are refused, and that they train."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn

from tests.conftest import all_architectures, all_recipes, fails, imported, shrunk
from zoo.catalogue import recipes
from zoo.cli.compose import compose
from zoo.cli.main import main
from zoo.cli.overlays import overlays, refuse, split
from zoo.errors import InputError
from zoo.examples import build, device
from zoo.training.compiled import networks

RECIPE = "lenet_relu-fashion_mnist"
QUICK = [
    *("--data.synthetic", "true", "--data.batch_size", "32", "--trainer.accelerator", "cpu"),
    *("--trainer.limit_train_batches", "3", "--trainer.limit_val_batches", "1"),
    *("--trainer.max_epochs", "1", "--model.lr_scheduler", "null"),
]


def trainer(names, *overrides, recipe=RECIPE):
    return compose(recipe, None, None, None, list(overrides), names).config["trainer"]


# What they are


def test_each_is_a_file_that_says_what_it_does_and_no_recipe():
    assert {"ddp", "fsdp", "bf16", "fp16", "compile"} <= set(overlays())
    assert not set(overlays()) & set(recipes())
    for overlay in overlays().values():
        assert overlay.text.startswith("# ")
        assert set(overlay.config) == {"trainer"}


def test_they_are_listed_and_shown(capsys):
    assert main(["list", "overlays", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)["overlays"]
    assert "gradients are averaged" in {r["name"]: r["summary"] for r in listed}["+ddp"]
    assert main(["show", "+ddp"]) == 0
    shown = capsys.readouterr().out
    assert "DDPStrategy" in shown
    assert "zoo fit RECIPE +ddp" in shown


def test_they_stand_anywhere_and_once():
    words = ["fit", "+bf16", RECIPE, "--trainer.max_epochs=1", "+ddp", "+bf16"]
    assert split(words) == (["fit", RECIPE, "--trainer.max_epochs=1"], ["bf16", "ddp"])
    assert split(["predict", "+ddp"]) == (["predict", "+ddp"], [])  # the name of a file


def test_they_come_after_the_recipe_and_before_the_options(capsys):
    assert trainer(["fp16"], recipe="resnet_fast-cifar10")["precision"] == "16-mixed"
    assert trainer([])["max_epochs"] == trainer(["bf16"])["max_epochs"]
    assert recipes()["resnet_fast-cifar10"].config["trainer"]["precision"] == "bf16-mixed"
    words = ["fit", RECIPE, "+bf16", "--trainer.precision", "64-true", "--print_config"]
    assert main(words) == 0
    assert "precision: 64-true" in capsys.readouterr().out


def test_lists_are_added_to():
    with pytest.MonkeyPatch.context() as patch:
        text = "trainer: {callbacks: [other]}"
        patch.setitem(overlays(), "x", replace(overlays()["compile"], text=text))
        callbacks = trainer(["x", "compile"])["callbacks"]
    assert callbacks == ["other", {"class_path": "zoo.training.compiled.Compile"}]


def test_ddp_waits_five_minutes_and_leaves_samplers_alone(capsys):
    assert main(["fit", RECIPE, "+ddp", "--print_config"]) == 0
    shown = capsys.readouterr().out
    assert "timeout: 0:05:00" in shown
    assert "find_unused_parameters: false" in shown
    assert "use_distributed_sampler: false" in shown


# Where they are refused


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["fit", RECIPE, "+dpd"], "no overlay is called +dpd (did you mean +ddp?)"),
        (["fit", RECIPE, "+nothing_like_it"], "there are: +bf16, +compile, +ddp"),
        (["show", "+comple"], "did you mean +compile?"),
        (["fit", RECIPE, "+ddp", "+fsdp"], "+ddp and +fsdp contradict"),
        (["fit", RECIPE, "+bf16", "+fp16"], "+bf16 and +fp16 contradict"),
        (["fit", "surface_newton-gradient_noise", "+ddp"], "Newton steps by what one process"),
        (["fit", RECIPE, "+ddp", "--model.optimizer", "LBFGS"], "LBFGS steps by what"),
        (["fit", "skip_gram-penn_treebank_windows", "+ddp"], "RowSGD steps by what"),
        (["fit", "neural_style-style_pair", "+ddp"], "NeuralStyle trains in one process"),
        (["fit", "gan-gaussian2d", "+fsdp"], "steps its optimizers itself"),
        (["fit", "gru-time_machine", "+fsdp"], "--trainer.gradient_clip_algorithm value"),
        (["fit", "ngram-time_machine", "+compile"], "NGram is made of single kernels"),
        (["fit", "neural_style-style_pair", "+compile"], "single kernels"),
        (["fit", RECIPE, "+fp16", "--model.optimizer", "LBFGS"], "take +bf16"),
        (["fit", RECIPE, "+fsdp", "--trainer.accelerator", "cpu"], "needs an NVIDIA or AMD GPU"),
        (["fit", RECIPE, "+fp16", "--trainer.accelerator", "cpu"], "needs an NVIDIA or AMD GPU"),
        (["cross-validate", RECIPE, "+fsdp", "--trainer.accelerator", "cpu"], "does not work"),
        (["test", "+ddp", "--ckpt_path", "x.ckpt"], "zoo test does not know +ddp"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_one_line_says_why(argv, words, capsys):
    assert words in fails(capsys, *argv)


def test_what_an_option_replaces_is_not_refused():
    options = ["--trainer.strategy=auto", "--trainer.accelerator=cpu"]
    experiment = compose("gan-gaussian2d", None, None, None, options, ["fsdp"])
    refuse(["fsdp"], experiment, here=False)
    with pytest.raises(InputError, match="itself"):
        refuse(["fsdp"], compose("gan-gaussian2d", None, None, None, [], ["fsdp"]))


def test_clipping_by_value_can_be_sharded():
    options = ["--trainer.gradient_clip_algorithm=value"]
    experiment = compose("gru-time_machine", None, None, None, options, ["fsdp"])
    refuse(["fsdp"], experiment, here=False)


def test_a_card_without_bfloat16_is_named(capsys, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: False)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "Tesla V100")
    assert "the Tesla V100 has no bfloat16; take +fp16" in fails(capsys, "fit", RECIPE, "+bf16")


@pytest.mark.parametrize("recipe", all_recipes(), ids=lambda r: r.name)
def test_every_recipe_is_trained_by_ddp_or_says_why_not(recipe):
    experiment = compose(recipe.name, None, None, None, [], ["ddp"])
    alone = {"RowSGD", "Newton", "NeuralStyle"}
    if any(name in recipe.text for name in alone):
        with pytest.raises(InputError, match=r"one process"):
            refuse(["ddp"], experiment, here=False)
    else:
        refuse(["ddp"], experiment, here=False)


# That they train


def launch(folder, *arguments):
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "zoo.cli", *arguments]
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=180
    )


def processes_of(folder) -> list[str]:
    """Commands of the processes that work in a folder."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if (process / "cwd").resolve() == folder:
                found.append((process / "cmdline").read_text())
        except OSError:  # it has ended, or is another's
            continue
    return found


FAMILIES = [  # but for style transfer, which needs a trained network
    "gan-gaussian2d",
    RECIPE,
    "gru-time_machine",
    "tiny_ssd-bananas",
    "surface-gradient_noise",
    "linear_regression-house_prices",
    "bidirectional_tagger-word_boundaries",
    "text_cnn-imdb",
    "transformer-fra_eng",
    "glove-penn_treebank_cooccurrences",
]


@pytest.mark.slow
@pytest.mark.parametrize("name", FAMILIES)
def test_ddp_trains_a_recipe_of_each_family_to_its_end(name, tmp_path):
    folder = tmp_path / "work"
    folder.mkdir()
    options = [option for option in QUICK if option not in ("--model.lr_scheduler", "null")]
    done = launch(folder, "fit", name, "+ddp", *options, "--trainer.devices", "2")
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    assert processes_of(folder) == []
    assert [path.name for path in (folder / "runs" / name).iterdir()] == ["1"]
    checkpoints = folder / "runs" / name / "1" / "checkpoints"
    assert {path.name for path in checkpoints.iterdir()} == {"best.ckpt", "last.ckpt"}
    assert torch.load(checkpoints / "last.ckpt", weights_only=True)["global_step"] > 0


@pytest.fixture
def quickly(monkeypatch):
    """Compiles without a compiler: the same graphs, run as they are."""
    overlay = overlays()["compile"]
    text = f"{overlay.text.rstrip()}\n      init_args: {{backend: aot_eager}}\n"
    monkeypatch.setitem(overlays(), "compile", replace(overlay, text=text))


def compilable(definition) -> bool:
    cls = imported(definition.class_path)
    with device(cls):
        return bool(networks(build(cls)))


def test_compiled_networks_learn_the_same_and_keep_their_names(quickly, monkeypatch):
    compiled = []
    original = nn.Module.compile
    monkeypatch.setattr(
        nn.Module, "compile", lambda self, **given: (compiled.append(self), original(self, **given))
    )
    name, options = "mlp_regressor-house_prices", [*QUICK, "--trainer.max_epochs"]
    assert main(["fit", name, *options, "1"]) == 0
    assert not compiled
    assert main(["fit", name, "+compile", *options, "1"]) == 0
    assert [type(network).__name__ for network in compiled] == ["Sequential"]
    plain, fast = (Path("runs") / name / n / "checkpoints/last.ckpt" for n in "12")
    states = [torch.load(path, weights_only=True)["state_dict"] for path in (plain, fast)]
    assert list(states[0]) == list(states[1])
    for key, value in states[0].items():
        torch.testing.assert_close(states[1][key], value, rtol=1e-4, atol=1e-6)
    assert main(["fit", name, "+compile", *options, "2", "--ckpt_path", str(fast)]) == 0
    resumed = Path("runs") / name / "3/checkpoints/last.ckpt"
    assert torch.load(resumed, weights_only=True)["global_step"] == 6
    assert main(["validate", "--ckpt_path", str(fast)]) == 0


@pytest.mark.slow
@pytest.mark.parametrize(
    "recipe",
    [
        next(r for r in all_recipes() if r.model == d.name and "weights" not in r.text)
        for d in all_architectures()
        if d.family != "style_transfer" and d.name != "FineTunedResNet" and compilable(d)
    ],
    ids=lambda r: r.name,
)
def test_every_architecture_that_is_compiled_trains(recipe, quickly):
    assert main(["fit", recipe.name, "+compile", *shrunk(recipe)]) == 0


def test_without_a_compiler_one_line_says_so(capsys, monkeypatch):
    def compiled(*given, **options):
        def call(*inputs):
            raise RuntimeError("No working C++ compiler found\nand so on")

        return call

    monkeypatch.setattr(torch, "compile", compiled)
    line = fails(capsys, "fit", RECIPE, "+compile", *QUICK)
    assert "No working C++ compiler found" in line
    assert "leave +compile out" in line


SHARDED = """
import sys
from functools import partial
import torch
import torch.distributed.fsdp as fsdp
from lightning.pytorch import Trainer
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.strategies import DDPStrategy
from datamodules.synthetic_regression import SyntheticRegression
from zoo.regression.mlp_regressor import MLPRegressor
from zoo.checkpoints.checkpoint import DurableCheckpointIO
from zoo.training.process_group import destroy_group
from zoo.training.sharded import Sharded

class OnCPU(fsdp.FullyShardedDataParallel):  # which Lightning names no device
    def __init__(self, module, device_id=None, **options):
        super().__init__(module, device_id=torch.device("cpu"), **options)

fsdp.FullyShardedDataParallel = OnCPU

def fit(strategy, epochs, name, resumed=None):
    torch.manual_seed(0)
    # Of one state: on a CPU, FSDP copies the last of several into the others where it gathers them.
    sgd = partial(torch.optim.SGD, lr=0.05, momentum=0.9)
    model = MLPRegressor(in_features=2, optimizer=sgd, weight_decay=1.0)
    Trainer(
        accelerator="cpu", devices=2, strategy=strategy, max_epochs=epochs, logger=False,
        limit_train_batches=5, limit_val_batches=1, plugins=[DurableCheckpointIO()],
        use_distributed_sampler=False, enable_progress_bar=False, enable_model_summary=False,
        callbacks=[ModelCheckpoint(dirpath=name, filename="last")],
    ).fit(model, SyntheticRegression(batch_size=16), ckpt_path=resumed)

fit(DDPStrategy(), 2, "ddp")
fit(Sharded(), 1, "half")
fit(Sharded(), 2, "sharded", "half/last.ckpt")
destroy_group()
"""


@pytest.mark.slow
def test_sharded_training_ends_where_ddp_does(tmp_path):
    """With weight decay, which depends on the dimensions of parameters, and resumed half-way."""
    program = tmp_path / "program.py"
    program.write_text(SHARDED)
    done = subprocess.run(
        [sys.executable, str(program)],
        cwd=tmp_path,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=180,
    )
    assert done.returncode == 0, done.stderr
    one, other = (
        torch.load(tmp_path / name / "last.ckpt", weights_only=True)["state_dict"]
        for name in ("ddp", "sharded")
    )
    assert list(one) == list(other)
    for key, value in one.items():
        torch.testing.assert_close(other[key], value, rtol=0, atol=1e-6)
