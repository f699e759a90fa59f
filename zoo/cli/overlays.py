"""Overlays: `+ddp`, `+bf16` ... set options of the Trainer on top of any recipe.

No torch, but where an overlay that was named needs it to say whether it can work.
"""

import re
from collections.abc import Iterable, Sequence
from copy import deepcopy
from functools import cache
from typing import Any

from zoo.catalogue import RECIPES, Recipe, imported
from zoo.cli.experiment import Experiment
from zoo.cli.names import listed, suggestion
from zoo.errors import InputError

OVERLAY = re.compile(r"\+[A-Za-z]\w*$")
TRAIN = ("fit", "cross-validate", "tune", "submit")  # the verbs that take overlays


@cache
def overlays() -> dict[str, Recipe]:
    """Returns the overlays by name, without the plus."""
    paths = sorted((RECIPES / "overlays").glob("*.yaml"))
    return {p.stem: Recipe(p.stem, p, p.read_text(encoding="utf-8")) for p in paths}


def split(argv: Sequence[str]) -> tuple[list[str], list[str]]:
    """Returns a command line without its overlays, which may stand anywhere, and those.

    Raises:
        InputError: There is no such overlay.
    """
    if not argv or argv[0] not in TRAIN:
        return list(argv), []
    names = [token[1:] for token in argv if OVERLAY.match(token)]
    for name in names:
        if name not in overlays():
            known = [f"+{known}" for known in overlays()]
            near = suggestion(name, overlays()).replace("mean ", "mean +")
            raise InputError(f"no overlay is called +{name}{near}; there are: {listed(known)}")
    return [token for token in argv if not OVERLAY.match(token)], list(dict.fromkeys(names))


def apply(names: Iterable[str], config: dict[str, Any]) -> None:
    """Sets the options of overlays in the settings of a recipe; lists are added to.

    Raises:
        InputError: Two of them set one option in two ways.
    """
    by: dict[str, str] = {}
    trainer = dict(config.get("trainer") or {})
    for name in names:
        for option, value in overlays()[name].config["trainer"].items():
            if isinstance(value, list):
                trainer[option] = [*(trainer.get(option) or []), *deepcopy(value)]
                continue
            if option in by and trainer[option] != value:
                raise InputError(f"+{by[option]} and +{name} contradict: both set {option}")
            by[option], trainer[option] = name, deepcopy(value)
    if trainer:
        config["trainer"] = trainer


def added_by(callback: str) -> str:
    """Returns the overlay that adds a callback, or, if there is none, its class name."""
    ends = f".{callback}\n"
    return next((f"+{name}" for name, each in overlays().items() if ends in each.text), callback)


def refuse(names: Iterable[str], experiment: Experiment, *, here: bool = True) -> None:
    """Refuses the overlays that cannot work with a model or an optimizer, or on this machine.

    An overlay whose settings an option of the user's replaces is not looked at.

    Args:
        names: Names of the overlays.
        experiment: Experiment that they are part of.
        here: Whether it is to run on this machine.

    Raises:
        InputError: One cannot.
    """
    replaced = {option.partition("=")[0] for option in experiment.overrides}
    for name in names:
        first = next(iter(overlays()[name].config["trainer"]))
        if f"--trainer.{first}" in replaced:
            continue
        if reason := RECIPE_RULES.get(name, _anything)(experiment):
            raise InputError(f"+{name} cannot train {experiment.name}: {reason}")
        if here and (reason := MACHINE_RULES.get(name, _anything)(experiment)):
            raise InputError(f"+{name} does not work here: {reason}")


def _anything(experiment: Experiment) -> str:
    return ""


# What an overlay asks of the recipe


def _ddp(experiment: Experiment) -> str:
    from torch.optim import LBFGS

    optimizer, model = _optimizer(experiment), _model(experiment)
    if getattr(optimizer, "one_process", False) or issubclass(optimizer, LBFGS):
        return f"{optimizer.__name__} steps by what one process knows; take SGD or Adam"
    return f"{model.__name__} trains in one process" if model.one_process else ""


def _fsdp(experiment: Experiment) -> str:
    if _model(experiment).manual_optimization:
        return "it steps its optimizers itself, of networks that have to be whole; take +ddp"
    if reason := _ddp(experiment):
        return reason
    if experiment.trainer_option("gradient_clip_val") and (
        experiment.trainer_option("gradient_clip_algorithm") != "value"
    ):
        return (
            "no process knows the norm of all gradients: --trainer.gradient_clip_algorithm value, "
            "or --trainer.gradient_clip_val null, or +ddp"
        )
    return ""


def _fp16(experiment: Experiment) -> str:
    from torch.optim import LBFGS

    if issubclass(_optimizer(experiment), LBFGS):
        return "L-BFGS compares losses that differ by less than float16 can tell; take +bf16"
    return ""


def _compile(experiment: Experiment) -> str:
    """At the sizes of the header: what a model is made of hangs on its class."""
    from zoo.examples import build, device
    from zoo.training.compiled import networks, nothing_to_compile

    model = _model(experiment)
    if "example_sizes" not in vars(model):  # a user's own
        return ""
    with device(model):
        return "" if networks(build(model)) else nothing_to_compile(model.__name__)


def _model(experiment: Experiment) -> Any:
    return imported(experiment.config["model"]["class_path"])


def _optimizer(experiment: Experiment) -> type:
    """Returns the optimizer's class, Adam for a default or a name that is none of torch's."""
    from torch import optim

    name = experiment.optimizer()
    found = imported(name) if "." in name else getattr(optim, name, None)
    return found if isinstance(found, type) else optim.Adam


# What an overlay asks of the machine


def _gpu(experiment: Experiment) -> bool:
    import torch

    accelerator = experiment.trainer_option("accelerator") or "auto"
    return accelerator in ("auto", "gpu", "cuda") and torch.cuda.is_available()


def _needs_gpu(experiment: Experiment) -> str:
    return "" if _gpu(experiment) else "it needs an NVIDIA or AMD GPU, and none is in use"


def _bf16_here(experiment: Experiment) -> str:
    import torch

    if not _gpu(experiment) or torch.cuda.is_bf16_supported(including_emulation=False):
        return ""
    return f"the {torch.cuda.get_device_name()} has no bfloat16; take +fp16"


RECIPE_RULES = {"ddp": _ddp, "fsdp": _fsdp, "fp16": _fp16, "compile": _compile}
MACHINE_RULES = {"fsdp": _needs_gpu, "fp16": _needs_gpu, "bf16": _bf16_here}
