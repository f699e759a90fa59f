"""Texts of other programs that the command matches, provoked: a new wording is seen here."""

import argparse
import re
from importlib.util import find_spec
from pathlib import Path

import jsonargparse
import pytest
import torch
from lightning.pytorch import Trainer
from lightning.pytorch.utilities.exceptions import MisconfigurationException

from tests.conftest import fails
from zoo.cli.foreign_errors import (
    NOISE,
    causes,
    in_one_line,
    of_argparse,
    of_trainer,
)
from zoo.cli.parser_errors import of_jsonargparse
from zoo.errors import InputError

RECIPE = ["fit", "softmax_regression-fashion_mnist", "--data.synthetic=true"]
WARNINGS = [  # where Lightning or torch has the text
    ("lightning.pytorch.loops.fit_loop", "is smaller than the logging interval"),
    (
        "lightning.pytorch.callbacks.model_checkpoint",
        "Checkpoint directory {dirpath} exists and is not empty.",
    ),
    (
        "lightning.fabric.loggers.csv_logs",
        "Experiment logs directory {self.log_dir} exists and is not empty.",
    ),
    ("torch.utils._pytree", "`isinstance(treespec, LeafSpec)` is deprecated"),
    (
        "lightning.pytorch.utilities.data",
        "Total length of `{type(dataloader).__name__}` across ranks is zero.",
    ),
    ("lightning.pytorch.callbacks.model_checkpoint", "The dirpath has changed from"),
    (
        "lightning.pytorch.trainer.call",
        " callbacks used to create the checkpoint need to be provided during",
    ),
    (
        "lightning.fabric.plugins.environments.slurm",
        "The `srun` command is available on your system but",
    ),
]


@pytest.mark.parametrize(
    ("pattern", "module", "text"),
    [(pattern, *where) for pattern, where in zip(NOISE, WARNINGS, strict=True)],
)
def test_a_warning_that_is_silenced_is_still_worded_so(pattern, module, text):
    assert text in Path(find_spec(module).origin).read_text(encoding="utf-8")
    assert re.match(pattern, re.sub(r"\{.*?\}", "list", text))


def test_argparse_names_a_choice():
    parser = argparse.ArgumentParser(exit_on_error=False)
    parser.add_argument("verb", choices=("list", "show-all"))
    with pytest.raises(argparse.ArgumentError) as caught:
        parser.parse_args(["lst"])
    said = of_argparse(str(caught.value))
    assert said == "there is no lst (did you mean list?); choose from list, show-all"
    assert of_argparse("something else") == "something else"


def parser_error(argument: dict, *given: str) -> str:
    parser = jsonargparse.ArgumentParser(exit_on_error=False, allow_abbrev=False)
    parser.add_argument("--config", action="config")
    parser.add_argument("--trainer.max_epochs", **argument)
    with pytest.raises(jsonargparse.ArgumentError) as caught:
        parser.parse_args(given)
    return of_jsonargparse(caught.value)


def test_jsonargparse_does_not_know_an_option():
    near = "there is no option --trainer.max_epoch (did you mean --trainer.max_epochs?)"
    assert parser_error({"type": int}, "--trainer.max_epoch=3") == near
    assert parser_error({"type": int}, "--config", "trainer: {max_epoch: 3}") == near
    assert parser_error({"type": int}, "--zzz=3") == "there is no option --zzz"


def test_jsonargparse_refuses_a_value():
    said = parser_error({"type": int}, "--trainer.max_epochs=many")
    assert said.startswith("--trainer.max_epochs: ")
    assert "many" in said
    assert "\n" not in said


@pytest.mark.parametrize(
    ("option", "words"),
    [
        ("--model.optimizer=Yogy", "no optimizer is called Yogy (did you mean Yogi?)"),
        ("--model.lr_scheduler=StepRL", "no schedule is called StepRL (did you mean StepLR?)"),
        ("--data.batch_size=many", "--data.batch_size: "),
    ],
)
def test_jsonargparse_refuses_a_class_or_its_argument(option, words, capsys):
    assert words in fails(capsys, *RECIPE, option)


@pytest.mark.skipif(torch.cuda.is_available(), reason="an accelerator is there")
def test_lightning_does_not_say_which_accelerator_was_asked_for():
    with pytest.raises(MisconfigurationException) as caught:
        Trainer(accelerator="gpu", logger=False)
    said = of_trainer(caught.value, {"accelerator": "gpu"})
    assert said == "--trainer.accelerator gpu: No supported gpu backend found; `zoo doctor` tells"


def test_lightnings_complaints_are_one_line():
    with pytest.raises(InputError, match=r"^`max_epochs` must be [^\n]*$"), in_one_line():
        Trainer(max_epochs=-2, accelerator="cpu", logger=False)
    with pytest.raises(InputError, match=r"^two lines$"), in_one_line():
        raise MisconfigurationException("two\nlines")


def test_torchs_complaints_name_the_optimizer_or_the_schedule():
    weight = torch.nn.Parameter(torch.zeros(1))
    with pytest.raises(InputError, match=r"^SGD: Invalid learning rate: -1"), in_one_line():
        torch.optim.SGD([weight], lr=-1)
    optimizer = torch.optim.SGD([weight], lr=1)
    with pytest.raises(InputError, match=r"^StepLR: .*zero"), in_one_line():
        torch.optim.lr_scheduler.StepLR(optimizer, step_size=0).step()
    with pytest.raises(ValueError, match=r"^another$"), in_one_line():
        raise ValueError("another")


def test_onednn_has_no_kernel_for_a_precision():
    with pytest.raises(InputError, match="precision 32-true"), in_one_line():
        raise RuntimeError("could not create a primitive descriptor for the LSTM. Run with ...")
    with pytest.raises(RuntimeError, match="another"), in_one_line():
        raise RuntimeError("another")


def test_lightning_ends_the_process_at_a_second_interrupt():
    def interrupted_twice():
        try:
            raise KeyboardInterrupt
        except KeyboardInterrupt:
            raise SystemExit(1)  # noqa: B904

    with pytest.raises(KeyboardInterrupt), in_one_line():
        interrupted_twice()


def test_causes_of_an_error():
    error = ValueError("theirs")
    error.__cause__ = InputError("ours")
    assert [str(each) for each in causes(error)] == ["theirs", "ours"]
