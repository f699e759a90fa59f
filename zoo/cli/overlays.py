"""Overlays: `+ddp`, `+bf16` ... lay settings of the Trainer over those of any recipe.

No torch, but where an overlay that was named needs it to say whether it can work.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from copy import deepcopy
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any

from zoo.catalogue import RECIPES, Recipe, architectures, definitions, lineage
from zoo.cli.names import listed, meant
from zoo.errors import InputError

if TYPE_CHECKING:
    from zoo.cli.experiment import Experiment

OVERLAY = re.compile(r"\+[A-Za-z]\w*$")
ONE_PROCESS = ("LBFGS", "RowSGD", "NeuralStyle")
TRAIN = ("fit", "cross-validate", "tune", "submit")  # the verbs that take overlays


@cache
def overlays() -> dict[str, Recipe]:
    """The overlays by name, without the plus."""
    paths = sorted((RECIPES / "overlays").glob("*.yaml"))
    return {p.stem: Recipe(p.stem, p, p.read_text(encoding="utf-8")) for p in paths}


def taken(argv: Sequence[str]) -> tuple[list[str], list[str]]:
    """Parts the overlays, which may stand anywhere, from the rest of a command line.

    Raises:
        InputError: There is no such overlay.
    """
    if not argv or argv[0] not in TRAIN:
        return list(argv), []
    names = [token[1:] for token in argv if OVERLAY.match(token)]
    for name in names:
        if name not in overlays():
            known = [f"+{known}" for known in overlays()]
            near = meant(name, [k.lstrip("+") for k in known]).replace("mean ", "mean +")
            raise InputError(f"no overlay is called +{name}{near}; there are: {listed(known)}")
    return [token for token in argv if not OVERLAY.match(token)], list(dict.fromkeys(names))


def lay(names: Iterable[str], config: dict[str, Any]) -> None:
    """Lays overlays over the settings of a recipe; lists are added to.

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


def refuse_for_recipe(names: Iterable[str], experiment: "Experiment") -> None:
    """Refuses the overlays that cannot work with a model or an optimizer, on any machine.

    Raises:
        InputError: One cannot.
    """
    for name in _in_force(names, experiment):
        reason = RECIPE_RULES.get(name, _anything)(experiment)
        if reason:
            raise InputError(f"+{name} cannot train {experiment.name}: {reason}")


def refuse_here(names: Iterable[str], experiment: "Experiment") -> None:
    """Refuses the overlays that cannot work on this machine.

    Raises:
        InputError: One cannot.
    """
    for name in _in_force(names, experiment):
        reason = MACHINE_RULES.get(name, _anything)(experiment)
        if reason:
            raise InputError(f"+{name} does not work here: {reason}")


def _in_force(names: Iterable[str], experiment: "Experiment") -> Iterator[str]:
    """The overlays whose settings no option of the user's replaces."""
    replaced = {option.partition("=")[0] for option in experiment.overrides}
    for name in names:
        options = [f"--trainer.{option}" for option in overlays()[name].config["trainer"]]
        if options[0] not in replaced:
            yield name


def _anything(experiment: "Experiment") -> str:
    return ""


# What an overlay asks of the recipe


def _ddp(experiment: "Experiment") -> str:
    path = _optimizer(experiment)
    name = path.rpartition(".")[2]
    if name in ONE_PROCESS or hasattr(_class(path), "objective"):  # a second-order method
        return f"{name} steps by what one process knows; take SGD or Adam"
    model = experiment.config["model"]["class_path"].rpartition(".")[2]
    return f"{model} trains in one process" if model in ONE_PROCESS else ""


def _fsdp(experiment: "Experiment") -> str:
    if _steps_by_hand(experiment.config["model"]["class_path"]):
        return "it steps its optimizers itself, of networks that have to be whole; take +ddp"
    if reason := _ddp(experiment):
        return reason
    if _setting(experiment, "gradient_clip_val") and (
        _setting(experiment, "gradient_clip_algorithm") != "value"
    ):
        return (
            "no process knows the norm of all gradients: --trainer.gradient_clip_algorithm value, "
            "or --trainer.gradient_clip_val null, or +ddp"
        )
    return ""


def _fp16(experiment: "Experiment") -> str:
    if _optimizer(experiment).rpartition(".")[2] == "LBFGS":
        return "L-BFGS compares losses that differ by less than float16 can tell; take +bf16"
    return ""


def _compile(experiment: "Experiment") -> str:
    """At the sizes of the header: what a model is made of hangs on its class."""
    from zoo.examples import build, device
    from zoo.training.compiled import networks, nothing_to_compile

    path = experiment.config["model"]["class_path"]
    definition = next((d for d in architectures().values() if d.class_path == path), None)
    if definition is None:
        return ""
    with device(definition):
        return "" if networks(build(definition)) else nothing_to_compile(definition.name)


def _optimizer(experiment: "Experiment") -> str:
    """Class path of the optimizer in the end, or its name as given."""
    for option in reversed(experiment.overrides):
        if option.startswith(("--model.optimizer=", "--model.optimizer.class_path=")):
            return option.partition("=")[2]
    given = (experiment.config["model"].get("init_args") or {}).get("optimizer") or {}
    return given.get("class_path", "") if isinstance(given, dict) else str(given)


def _class(path: str) -> Any:
    module, _, name = path.rpartition(".")
    return getattr(import_module(module), name, None) if module.startswith("zoo.") else None


def _steps_by_hand(class_path: str) -> bool:
    """Whether a model's optimization is manual, by the source of its bases."""
    known = definitions().get(class_path)
    paths = [class_path, *lineage(known, definitions())] if known else []
    files = [definitions()[path].path for path in paths if path in definitions()]
    return any("automatic_optimization = False" in f.read_text(encoding="utf-8") for f in files)


def _setting(experiment: "Experiment", option: str) -> Any:
    """An option of the Trainer in the end."""
    for given in reversed(experiment.overrides):
        if given.startswith(f"--trainer.{option}="):
            value = given.partition("=")[2]
            return None if value in ("null", "None") else value
    return (experiment.config.get("trainer") or {}).get(option)


# What an overlay asks of the machine


def _gpu(experiment: "Experiment") -> bool:
    import torch

    accelerator = _setting(experiment, "accelerator") or "auto"
    return accelerator in ("auto", "gpu", "cuda") and torch.cuda.is_available()


def _needs_gpu(experiment: "Experiment") -> str:
    return "" if _gpu(experiment) else "it needs an NVIDIA or AMD GPU, and none is in use"


def _bf16_here(experiment: "Experiment") -> str:
    import torch

    if not _gpu(experiment) or torch.cuda.is_bf16_supported(including_emulation=False):
        return ""
    return f"the {torch.cuda.get_device_name()} has no bfloat16; take +fp16"


RECIPE_RULES = {"ddp": _ddp, "fsdp": _fsdp, "fp16": _fp16, "compile": _compile}
MACHINE_RULES = {"fsdp": _needs_gpu, "fp16": _needs_gpu, "bf16": _bf16_here}
