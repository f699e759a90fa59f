"""Settings are checked before anything is imported: those of somebody else run no code."""

import inspect
import re
import typing
from collections.abc import Iterator
from contextlib import redirect_stderr
from io import StringIO
from itertools import pairwise, product
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from tests.conftest import all_architectures, all_recipes, fails, imported
from zoo.catalogue import corpora
from zoo.cli import allowed
from zoo.cli.allowed import CLASSES, refuse_foreign_classes
from zoo.cli.main import main
from zoo.errors import InputError

SETTINGS: dict[str, Any] = {
    "model": {"class_path": "LeNet"},
    "data": {"class_path": "FashionMNIST", "init_args": {"synthetic": True}},
    "trainer": {"max_epochs": 1, "accelerator": "cpu", "limit_train_batches": 1},
}
PLACES = (
    *("model", "model.class_path", "data", "data.class_path"),
    *("model.init_args.optimizer", "model.init_args.optimizer.class_path"),
    *("model.init_args.lr_scheduler", "model.init_args.lr_scheduler.class_path"),
    *("trainer.callbacks", "trainer.callbacks.0", "trainer.callbacks.0.class_path"),
    *("trainer.logger", "trainer.logger.class_path", "trainer.accelerator"),
    *("trainer.strategy", "trainer.strategy.class_path"),
    *("trainer.plugins.0.class_path", "trainer.profiler.class_path"),
)
NAMES = (
    *("evil.C", "evil.inner.C", " evil.C", "evil.f", "evil.C.D", "evil_package.C", "os.system"),
    *("subprocess.Popen", "builtins.exec", "zoo.cli.main.os.system", "torch.optim.evil.C"),
    "evil.yaml",
)


def put(settings: Any, place: str, value: Any) -> Any:
    """The settings with a value at a dotted place; numbers stand for items of lists."""
    name, _, rest = place.partition(".")
    if rest:
        inner = settings.get(name) if isinstance(settings, dict) else None
        value = put(inner if isinstance(inner, dict) else {}, rest, value)
    return [value] if name.isdigit() else {**settings, name: value}


def commands() -> Iterator[list[str]]:
    """Ways to name a foreign class: in a file, which lies in the folder then, and by an option."""
    for place, name in product(PLACES, NAMES):
        Path("hostile.yaml").write_text(yaml.safe_dump(put(SETTINGS, place, name)))
        yield ["fit", "--config", "hostile.yaml", "--wandb", "disabled"]
    recipe = ["fit", "lenet-fashion_mnist", "--data.synthetic", "true", "--wandb", "disabled"]
    for option, name in product(
        (
            *("--trainer.callbacks+", "--trainer.logger", "--trainer.strategy"),
            *("--model.optimizer", "--model.lr_scheduler", "--model.optimizer.class_path"),
            *("--trainer.callbacks.help", "--model.optimizer.help"),
        ),
        NAMES,
    ):
        yield [*recipe, f"{option}={name}"]
        yield [*recipe, f'{option}={{"class_path": "{name}"}}']
    for name in NAMES:
        yield ["fit", "--model", name, "--data", "FashionMNIST", "--data.synthetic", "true"]
        yield ["fit", "--model", "LeNet", "--data", name]


def test_functions_of_others_are_no_callbacks(capsys):
    line = fails(
        capsys,
        *("fit", "lenet-fashion_mnist", "--data.synthetic", "true"),
        "--trainer.callbacks+=lightning.pytorch.callbacks.LambdaCallback",
        "--trainer.callbacks.init_args.on_fit_start=os.system",
    )
    assert line == (
        "zoo: trainer.callbacks.init_args.on_fit_start: os.system is not of the zoo, Lightning or "
        "torch and is not imported; where you trust it: --allow os"
    )


def test_settings_of_a_class_are_not_read_from_another_file(capsys):
    Path("sgd.yaml").write_text("class_path: os.system\n")
    for file in ("sgd.yaml", "./sgd.yaml", str(Path("sgd.yaml").absolute())):
        options = ("fit", "lenet-fashion_mnist", "--data.synthetic", "true")
        line = fails(capsys, *options, f"--model.optimizer={file}")
        assert "not in a file of their own" in line


def test_a_hostile_checkpoint(evil, capsys):
    arguments = {"in_channels": 1, "num_classes": 10, "optimizer": {"class_path": "evil.C"}}
    torch.save(
        {
            "zoo": {"class_path": "zoo.image_classification.lenet.LeNet", "corpus": None},
            "hyper_parameters": arguments,
            "state_dict": {},
        },
        "hostile.ckpt",
    )
    for verb in ("test", "validate"):
        options = ("--ckpt_path", "hostile.ckpt", "--data", "FashionMNIST")
        assert "evil.C" in fails(capsys, verb, *options, "--data.synthetic", "true")
    assert not evil.exists()


def test_a_package_that_the_user_trusts(tmp_path, monkeypatch):
    (tmp_path / "mine.py").write_text(
        "from zoo.image_classification.lenet import LeNet\nclass Mine(LeNet): pass\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    options = ("fit", "--model", "mine.Mine", "--data", "FashionMNIST", "--data.synthetic", "true")
    quick = [
        *("--trainer.max_epochs", "1", "--trainer.limit_train_batches", "1"),
        *("--trainer.limit_val_batches", "1", "--trainer.num_sanity_val_steps", "0"),
    ]
    assert main([*options, *quick]) == 2
    assert main([*options, *quick, "--allow", "mine"]) == 0
    (checkpoint,) = Path("runs").rglob("last.ckpt")
    assert main(["test", "--ckpt_path", str(checkpoint)]) == 2
    few = ("--trainer.limit_test_batches", "1")
    assert main(["test", "--ckpt_path", str(checkpoint), *few, "--allow", "mine"]) == 0


def test_all_recipes_pass():
    for recipe in all_recipes():
        refuse_foreign_classes(recipe.config, ())


@pytest.mark.parametrize("text", ["photo.jpg", "test.jpg", "os.txt", "data/os.path.txt"])
def test_files_are_no_classes(text):
    refuse_foreign_classes(SETTINGS, [f"--data.content={text}", f"--model.feature_network={text}"])


def test_no_other_argument_may_be_a_class():
    """What jsonargparse could import, by its type, is looked at by its name."""
    for definition in [*all_architectures(), *corpora().values()]:
        cls = imported(definition.class_path)
        for parent in cls.__mro__[:-1]:
            for name, kind in typing.get_type_hints(parent.__init__).items():
                if name == "self":
                    continue  # which some tests' tracing annotates
                plain = re.sub(r"typing\.|collections\.abc\.|pathlib\._?\w*\.?", "", str(kind))
                if inspect.isclass(kind) and kind in (str, int, float, bool, Path, type(None)):
                    continue
                if re.search(r"Callable|Optimizer|Scheduler|Module|type\[", plain):
                    assert CLASSES.fullmatch(name), (definition.name, name, plain)


def test_other_settings_than_an_experiments():
    with pytest.raises(InputError, match="has seed_everything, trainer, model, data, not config"):
        refuse_foreign_classes({"config": "other.yaml"}, ())


def test_no_way_to_name_a_foreign_class_imports_it(evil):
    wrong = [found for command in commands() if (found := refused(command, evil))]
    assert wrong == []


def refused(command: list[str], trace: Path) -> str | None:
    """Returns what is wrong with how a command is refused, None if nothing is."""
    said = StringIO()
    try:
        with redirect_stderr(said):
            code = main(command)
    except BaseException as error:
        return f"{command}: a traceback: {type(error).__name__}: {error}"
    if trace.exists():
        trace.unlink()
        return f"{command}: imported"
    if code != 2 or len(said.getvalue().strip().splitlines()) != 1:
        return f"{command}: exit code {code}: {said.getvalue()}"
    return f"{command}: left a run" if Path("runs").exists() else None


def test_functions_and_foreign_classes_are_named_in_a_line(capsys):
    recipe = ("fit", "lenet-fashion_mnist", "--data.synthetic", "true")
    for option, words in {
        "--model.optimizer=zoo.catalogue.imported": "is no class that is defined there",
        "--model.optimizer=zoo.task.LightningModule": "is no class that is defined there",
        "--trainer.callbacks+=lightning.pytorch.cli.instantiate_class": "is no class",
        "--trainer.callbacks+=zoo.training.signals.Nothing": "cannot be imported",
        "--trainer.logger.name={class_path: torch.optim.SGD": "",
        "--data.root={class_path: torch.optim.SGD}": "no class may stand there",
        "--model.init_args.dropout='{class_path: this}'": "no class may stand there",
        "--trainer.callbacks=&a [*a]": "more than 100,000 values, or one another",
        f"--trainer.callbacks={'[' * 900}{']' * 900}": "",
        "--model.optimizer=zoo.image_classification.lenet.LeNet": "",
    }.items():
        assert words in fails(capsys, *recipe, option)
    for model in ("zoo.task.Task", "zoo.catalogue.imported", "datamodules.FashionMNIST", ".x.Y"):
        line = fails(capsys, "fit", "--model", model, "--data", "FashionMNIST")
        assert model in line
        assert "is no model of the zoo" in line or "cannot be imported" in line
    line = fails(capsys, "fit", "--model", "LeNet", "--data", "datamodules.corpus.Corpus")
    assert "datamodules.corpus.Corpus is no corpus of the zoo" in line


def test_little_yaml_that_holds_much(monkeypatch, capsys):
    monkeypatch.setattr(allowed, "MOST", 1000)
    names = "abcdefghi"
    lines = ["a: &a [x, x, x, x, x, x, x, x, x]"]
    lines += [f"{b}: &{b} [{', '.join([f'*{a}'] * 9)}]" for a, b in pairwise(names)]
    Path("bomb.yaml").write_text("trainer:\n  callbacks:\n    " + "\n    ".join(lines))
    assert "more than 1,000 values" in fails(capsys, "fit", "--config", "bomb.yaml")
    Path("deep.yaml").write_text(f"trainer: {'[' * 1000}{']' * 1000}")
    assert "deep.yaml: " in fails(capsys, "fit", "--config", "deep.yaml")


def test_a_file_beside_does_not_change_what_names_mean(capsys):
    for name in ("LeNet", "FashionMNIST", "cpu"):
        Path(name).write_text("class_path: os.system\n")
    options = ("fit", "--model", "LeNet", "--data", "FashionMNIST", "--print_config")
    assert main([*options, "--data.synthetic", "true"]) == 0
    options = (*options[:-1], "--trainer.accelerator", "cpu")
    assert "not in a file of their own (cpu)" in fails(capsys, *options)


@pytest.mark.parametrize("name", ["...yaml", "..yaml", ". .yaml", "a\nb.yaml"])
def test_a_file_whose_name_is_no_folders(name, capsys):
    Path(name).write_text(yaml.safe_dump(SETTINGS))
    line = fails(capsys, "fit", "--config", name)
    assert "its name cannot be that of a folder of runs" in line


@pytest.mark.parametrize("package", ["my-package", "", "mine.", "jsonargparse", "../mine"])
def test_only_a_package_can_be_trusted(package, capsys):
    line = fails(capsys, "fit", "lenet-fashion_mnist", "--allow", package)
    assert line == f"zoo: --allow {package}: wanted the name of a package with your classes"


def test_short_paths_of_both_packages():
    options = ("fit", "--model", "zoo.LeNet", "--data", "datamodules.FashionMNIST")
    assert main([*options, "--print_config"]) == 0
