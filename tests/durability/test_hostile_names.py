"""Settings and checkpoints of somebody else: what they name is neither imported nor called."""

import json
import random
import sys
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from copy import deepcopy
from io import StringIO
from itertools import cycle, islice, product
from pathlib import Path
from shutil import rmtree
from typing import Any

import pytest
import torch
import yaml
from lightning.pytorch import Trainer

import zoo
from datamodules import FashionMNIST
from tests.cli.conftest import write_safetensors
from zoo import LeNet
from zoo.checkpoints.checkpoint import read
from zoo.cli.main import main
from zoo.errors import InputError

NAMES = (  # of what leaves a trace, and of what would import it
    *("evil.C", "evil.f", " evil.C ", "evil_package.inner.C", "evil.C.method"),
    *("zoo.catalogue.imported", "zoo.catalogue.import_module", "zoo.cli.main.resolve_name"),
    *("datamodules.import_module", "lightning.pytorch.cli.instantiate_class"),
    *("torch.optim.lr_scheduler.partial", "importlib.import_module", "builtins.exec"),
)
ARGUMENTS = (  # which make those import it
    {},
    *({name: "evil"} for name in ("name", "class_path")),
    {"class_path": "evil.C"},
    {"args": [], "init": {"class_path": "evil.C"}},
    {"object": "open('trace', 'w')"},
)
SPEC = "{class_path: %s, init_args: {lr: 0.1}}"
FORMS = (  # of a text that jsonargparse parses
    *("%s", "'%s'", '"%s"', "!!str %s", "%s # harmless", "[%s]", "- %s", "['%s', '%s']"),
    *("{class_path: %s}", "class_path: %s", "[{class_path: %s}]", "{class_path: '%s'}"),
    *("&a {class_path: %s}", "--- {class_path: %s}", "? class_path\n: %s", SPEC),
    "'{class_path: %s}'",
    "{class_path: torch.optim.SGD, init_args: {lr: '{class_path: %s}'}}",
    "{class_path: torch.optim.SGD, init_args: {lr: '[\"{class_path: %s}\"]'}}",
    "{class_path: lightning.pytorch.callbacks.LambdaCallback, init_args: {on_fit_start: %s}}",
    "{class_path: torch.optim.lr_scheduler.LambdaLR, init_args: {lr_lambda: '%s'}}",
    "{init_args: {class_path: %s}}",
)
PLACES = (
    *("trainer.callbacks", "trainer.callbacks+", "trainer.logger", "trainer.strategy"),
    *("trainer.plugins", "trainer.profiler", "trainer.accelerator", "trainer.max_epochs"),
    *("trainer.callbacks.help", "trainer.logger.init_args.save_dir", "trainer.default_root_dir"),
    *("model.optimizer", "model.lr_scheduler", "model.optimizer.lr", "model.optimizer.class_path"),
    *("model.optimizer.init_args.lr", "model.init_args.optimizer", "model.optimizer.dict_kwargs.x"),
    *("model.init_args", "model.dropout", "model.help", "model.class_path", "data.class_path"),
    *("data.batch_size", "data.root", "data.init_args", "data.augment", "seed_everything"),
)
QUICK = ("--trainer.max_steps=2", "--trainer.limit_val_batches=1", "--wandb=disabled")
RECIPE = ("fit", "lenet-fashion_mnist", "--data.synthetic=true", *QUICK)


@pytest.fixture
def trace(evil):
    """Where hostile packages leave a trace; and files that name them, without a suffix too."""
    for name in ("fragment", "fragment.txt", "fragment.yml"):
        Path(name).write_text("class_path: evil.C\n")
    return evil


def settings() -> Iterator[list[str]]:
    """Yields commands with hostile settings, as an option or in a file, in an order by chance."""
    texts = [form.replace("%s", name) for form, name in product(FORMS, NAMES)]
    for name, arguments in product(NAMES, ARGUMENTS):
        texts.append(json.dumps({"class_path": name, "init_args": arguments}))
    texts += ["fragment", "./fragment", "fragment.txt", "fragment.yml", "[fragment]"]
    cases = [*product(PLACES, texts)]
    random.Random(0).shuffle(cases)
    for number, (place, text) in enumerate(cases):
        if number % 2 or place in ("seed_everything", "trainer.callbacks+", "model.help"):
            yield [*RECIPE, f"--{place}={text}"]
            continue
        value: Any = text if number % 8 else yaml.safe_load(text)  # as one text, or as a tree
        config: dict[str, Any] = {
            "model": {"class_path": "LeNet", "init_args": {}},
            "data": {"class_path": "FashionMNIST", "init_args": {"synthetic": True}},
            "trainer": {},
        }
        inner, (*keys, last) = config, place.split(".")
        for key in keys:
            given = inner.get(key)
            inner[key] = inner = given if isinstance(given, dict) else {}
        inner[last] = value
        Path("hostile.yaml").write_text(yaml.safe_dump(config))
        yield ["fit", "--config", "hostile.yaml", *QUICK]


def checkpoints(folder: Path) -> Iterator[Path]:
    """Yields checkpoints of a LeNet that name something else as well, of both kinds."""
    quiet = {"logger": False, "enable_progress_bar": False, "enable_model_summary": False}
    trainer = Trainer(accelerator="cpu", max_steps=1, limit_val_batches=0, **quiet)
    trainer.fit(LeNet(in_channels=1, num_classes=10), FashionMNIST(synthetic=True))
    trainer.save_checkpoint(folder / "good.ckpt")
    good = read(folder / "good.ckpt")
    yield folder / "good.ckpt"
    draw = random.Random(0)
    texts = [form.replace("%s", name) for form, name in product(FORMS, NAMES)]
    spots = ("class", "class", "corpus", "optimizer", "lr", "dropout", "argument", "backbone")
    kinds = cycle((".ckpt", ".safetensors"))
    for number, (spot, suffix) in enumerate(zip(cycle(spots), kinds, strict=False)):
        name, text = draw.choice(NAMES), draw.choice(texts)
        held: dict[str, Any] = deepcopy(good)
        given, state = held["hyper_parameters"], held["FashionMNIST"]
        if spot == "class":
            held["zoo"]["class_path"] = name
            held["hyper_parameters"] = draw.choice(ARGUMENTS)
        elif spot == "corpus":
            state |= {"class_path": name, "arguments": draw.choice(ARGUMENTS)}
        elif spot == "backbone":
            held["zoo"]["class_path"] = "zoo.object_detection.ssd.SSD"
            given |= {"backbone": name, "backbone_args": draw.choice(ARGUMENTS)}
            given["backbone"] = draw.choice((name, "zoo.image_classification.graph.import_module"))
        elif spot == "argument":
            state["arguments"] |= {draw.choice(("augment", "batch_size", "root")): text}
        elif spot == "lr":
            given["optimizer"] = {"class_path": "torch.optim.SGD", "init_args": {"lr": text}}
        else:
            given[spot] = draw.choice((text, {"class_path": name, "init_args": {}}))
        path = folder / f"{number}{suffix}"
        if suffix == ".ckpt":
            torch.save(held, path)
        else:
            write_safetensors(held, path)
        yield path


def failure(command: list[str], trace: Path, *, refused: bool = True) -> str | None:
    """Returns what went wrong with a command, None if nothing did."""
    said = StringIO()
    try:
        with redirect_stderr(said), redirect_stdout(StringIO()):
            code = main(command)
    except BaseException as error:
        return f"{command}: a traceback: {type(error).__name__}: {error}"
    if trace.exists():
        return f"{command}: {forgotten(trace)}"
    lines = [line for line in said.getvalue().splitlines() if line.startswith("zoo: ")]
    if code not in ((2,) if refused else (0, 2)) or (code and len(lines) != 1):
        return f"{command}: exit code {code}: {said.getvalue()}"
    return f"{command}: left a run" if refused and Path("runs").exists() else None


def forgotten(trace: Path) -> str:
    """Returns what was left in the trace, and forgets it and the modules that were imported."""
    text = trace.read_text() if trace.exists() else ""
    trace.unlink(missing_ok=True)
    for name in [name for name in sys.modules if name.startswith("evil")]:
        del sys.modules[name]
    return text


def uses(path: Path) -> Iterator[list[str]]:
    """Yields the commands that read a checkpoint."""
    few = ["--trainer.limit_test_batches=1", "--trainer.limit_val_batches=1"]
    yield ["test", "--ckpt_path", str(path), *few]
    yield ["validate", "--ckpt_path", str(path), "--data", "FashionMNIST", *few]
    yield ["predict", "--ckpt_path", str(path), "picture.png"]
    yield ["export", str(path), "--format", "safetensors", "--output", "out.safetensors"]
    same = ["--model.lr_scheduler=null", "--model.optimizer=Adam"]
    yield [*RECIPE, *same, "--ckpt_path", str(path)]


@pytest.mark.tries(40, 300)
def test_hostile_settings(outcome, tries, trace):
    for command in islice(settings(), tries):
        free = any(option.startswith("--data.root=") for option in command)  # any name of a folder
        outcome.count(failure(command, trace, refused=not free))
        rmtree("runs", ignore_errors=True)


@pytest.mark.tries(4, 60)
def test_hostile_checkpoints(outcome, tries, trace, tmp_path):
    for path in islice(checkpoints(tmp_path), tries):
        found = [failure(command, trace, refused=False) for command in uses(path)]
        try:
            zoo.load(path)
        except InputError:
            outcome.note("refused by zoo.load")
        outcome.count(next(filter(None, [*found, forgotten(trace)]), None))
