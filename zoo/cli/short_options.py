"""Short forms of the options that everybody sets: `--lr 0.1` for `--model.optimizer.lr 0.1`.

What they set depends on the recipe; a run says it. No torch.
"""

import math
import re
import shlex
from collections.abc import Collection, Iterable, Iterator
from contextlib import suppress
from typing import Any

import yaml

from zoo.catalogue import schedules
from zoo.cli.foreign_signatures import options_at
from zoo.cli.names import suggestion
from zoo.errors import InputError

SHORT = {  # what each is, and the option that it sets; that of a rate follows from the recipe
    "lr": ("learning rate", ""),
    "epochs": ("number of epochs", "trainer.max_epochs"),
    "batch_size": ("number of rows per batch and process", "data.batch_size"),
    "devices": ("number of devices, or a list of them", "trainer.devices"),
    "precision": ("precision of the computation, as 16-mixed", "trainer.precision"),
}
OTHER_NAMES = {  # by which people know them
    "lr": ("learning_rate", "learningrate", "rate", "base_lr", "max_lr"),
    "epochs": ("max_epochs", "num_epochs", "n_epochs", "epoch", "nepochs"),
    "batch_size": ("batchsize", "batch", "bs", "train_batch_size", "per_device_batch_size"),
    "gpus": ("devices", "gpu", "num_gpus", "gpus_per_node"),  # of zoo submit
    "devices": ("gpus", "gpu", "num_gpus", "ngpus", "num_devices", "n_gpus", "num_processes"),
    "precision": ("amp", "fp16", "bf16", "mixed_precision", "dtype"),
    "seed_everything": ("seed", "random_seed", "manual_seed"),
    "ckpt_path": ("resume", "resume_from_checkpoint", "checkpoint", "ckpt", "resume_from"),
    "config": ("config_file", "cfg"),
    "runs": ("output_dir", "save_dir", "log_dir", "logdir", "out_dir", "default_root_dir"),
}
FORM = re.compile(rf"--({'|'.join(SHORT)})=(.*)", re.S)


def in_full(
    config: dict[str, Any], overrides: Iterable[str], arguments: Collection[str]
) -> tuple[list[str], list[str]]:
    """Returns options with the short ones in full, and a line for each that says so.

    Args:
        config: Settings of the recipe, its classes by their class paths.
        overrides: Options `--name=value`.
        arguments: Names of the arguments of the model.

    Raises:
        InputError: The model has no learning rate, or an option is given both ways.
    """
    given = [option for option in overrides if not FORM.fullmatch(option)]
    known = {_plain(option.partition("=")[0]): option for option in given}
    lines = []
    for name, value in filter(None, map(_parts, overrides)):
        names = [*_rates(config, known, arguments)] if name == "lr" else [SHORT[name][1]]
        others = [key for key in known if re.fullmatch(r"--model\..*\b(max_)?lr", key)]
        for other in others if name == "lr" else {f"--{names[0]}"} & set(known):
            raise InputError(f"--{name} sets --{names[0]}: leave out {known[other]}, or --{name}")
        if name == "lr" and not _is_number(value):
            raise InputError(f"--lr {value}: wanted a number")
        given += [f"--{full}={value}" for full in names]
        shown = shlex.quote(value)
        lines.append(f"--{name} {shown} -> {' '.join(f'--{full} {shown}' for full in names)}")
    return given, lines


def _parts(option: str) -> tuple[str, str] | None:
    found = FORM.fullmatch(option)
    return (found[1], found[2]) if found else None


def _is_number(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False


def _plain(option: str) -> str:
    """Returns the name of an option without what may be left out of it."""
    return option.replace(".init_args.", ".")


def rates(
    config: dict[str, Any], overrides: Iterable[str], arguments: Collection[str]
) -> list[str]:
    """Returns the names of the options that `--lr` sets; none where a model has no rate."""
    known = {_plain(option.partition("=")[0]): option for option in overrides}
    with suppress(InputError):
        return [*_rates(config, known, arguments)]
    return []


def _rates(
    config: dict[str, Any], given: dict[str, str], arguments: Collection[str]
) -> Iterator[str]:
    """Yields where the learning rates stand: of each optimizer that has its own, or its schedule.

    A schedule with a peak, `max_lr`, passes the rate of its optimizer by.
    """
    path, settings = config["model"]["class_path"], config["model"].get("init_args") or {}
    optimizers = [name for name in arguments if name.endswith("optimizer")]
    plain = next((name for name in ("lr", "learning_rate") if name in arguments), None)
    if not optimizers and plain is None:
        raise InputError(f"--lr: {path.rpartition('.')[2]} has no learning rate")
    found = dict.fromkeys([] if optimizers else [f"model.{plain}"])
    for name in optimizers:
        own = settings.get(name) or any(key.startswith(f"--model.{name}") for key in given)
        if name != "optimizer" and not own:  # it is that of the first
            continue
        schedules_of = (name.replace("optimizer", "lr_scheduler"), "lr_scheduler")
        chosen = ((each, _class_of(each, settings, given)) for each in schedules_of)
        schedule, cls = next(((each, cls) for each, cls in chosen if cls), ("", ""))
        peaks = cls and "max_lr" in (option.name for option in options_at(cls))
        found |= {f"model.{schedule}.max_lr" if peaks else f"model.{name}.lr": None}
    yield from found


def _class_of(schedule: str, settings: dict[str, Any], given: dict[str, str]) -> str:
    """Returns the class path of the schedule that is in effect, "" where there is none."""
    option = f"--model.{schedule}"
    text = given.get(f"{option}.class_path") or given.get(option)
    chosen = yaml.safe_load(text.partition("=")[2]) if text else settings.get(schedule)
    name = chosen.get("class_path") if isinstance(chosen, dict) else chosen
    if not name or "." in name:
        return name or ""
    return schedules().get(name, f"torch.optim.lr_scheduler.{name}")


def hint(option: str, known: Iterable[str]) -> str:
    """Returns " (did you mean X?)" for an option that there is under another name, else "".

    Args:
        option: Option, with its dashes.
        known: Options that there are, with theirs.
    """
    known = list(known)
    for some in ([each for each in known if "." not in each], known):  # a verb's own come first
        if other := other_name(option, some):
            return f" (did you mean {other}?)"
        if near := suggestion(option, some):
            return near
    return ""


def other_name(option: str, known: Iterable[str]) -> str:
    """Returns the known option that others call by this name, "" where there is none."""
    known = list(known)
    word = option.rpartition(".")[2].strip("-").replace("-", "_")
    for ours, others in OTHER_NAMES.items():
        full = SHORT.get(ours, ("", ""))[1]
        found = [each for each in (f"--{ours}", f"--{full}") if each in known and each != option]
        if word in (ours, *others) and found:
            return found[0]
    wholes = [f"--{group}.{word}" for group in ("trainer", "model", "data")]
    return next((each for each in wholes if "." not in option and each in known), "")
