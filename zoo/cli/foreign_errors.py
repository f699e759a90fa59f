"""Texts of other programs that the command matches, each turned into the one line that helps.

Of argparse, jsonargparse, Lightning, torch and oneDNN; each has its test. Imports no torch.
"""

import inspect
import re
from collections.abc import Iterator
from contextlib import contextmanager
from difflib import get_close_matches
from traceback import walk_tb
from typing import Any

from zoo.catalogue import optimizers, schedules
from zoo.cli.names import listed, suggestion
from zoo.errors import InputError

NOISE = (  # Lightning's warnings in a normal run
    ".*smaller than the logging interval.*",
    ".*Checkpoint directory .* exists and is not empty.*",
    ".*Experiment logs directory .* exists and is not empty.*",
    ".*isinstance.*LeafSpec.*",
    "Total length of `list` across ranks is zero.*",  # nothing is held out
    "The dirpath has changed from.*",  # a resumed run has a folder of its own
    ".*callbacks used to create the checkpoint need to be provided.*",
    "The `srun` command is available on your system.*",  # on every machine of a cluster
)


def of_argparse(message: str) -> str:
    """Returns what argparse finds wrong, with a suggestion for a misspelt choice."""
    choice = re.search(r"invalid choice: '(.*?)' \(choose from (.*)\)", message)
    if not choice:
        return message
    known = re.findall(r"[\w-]+", choice[2])
    return f"there is no {choice[1]}{suggestion(choice[1], known)}; choose from {', '.join(known)}"


@contextmanager
def in_one_line() -> Iterator[None]:
    """Raises complaints about options as one line; W&B ends with the run, come what may."""
    from lightning.pytorch.utilities.exceptions import MisconfigurationException

    from zoo.runs.wandb_logger import finish

    try:
        yield
    except MisconfigurationException as error:
        raise InputError(joined(error)) from None
    except (ValueError, ZeroDivisionError) as error:
        complaint = _of_options(error)
        if complaint is None:
            raise
        raise InputError(complaint) from None
    except RuntimeError as error:  # of oneDNN, for an LSTM in bfloat16 on processors without it
        reason = str(error).partition(". ")[0]
        if not reason.startswith("could not create a primitive"):
            raise
        raise InputError(
            f"this processor cannot compute a layer in this precision ({reason}): "
            "--trainer.precision 32-true"
        ) from None
    except SystemExit as error:  # into which Lightning turns a second Ctrl-C
        raise error.__context__ or error from None
    finally:
        finish()


def _of_options(error: Exception) -> str | None:
    """Returns what Trainer, optimizer or schedule says of its options; None of other errors."""
    *_, (frame, _) = walk_tb(error.__traceback__)
    where, said = str(frame.f_globals["__name__"]), joined(error)
    if where.startswith("torch.optim."):
        return f"{type(frame.f_locals.get('self')).__name__}: {said}"
    return said if where.startswith("lightning.pytorch.") else None


def joined(error: BaseException) -> str:
    """Returns the text of an error as one line."""
    return " ".join(str(error).split())


def causes(error: BaseException | None) -> Iterator[BaseException]:
    """Yields an error and those that it was raised from."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def of_trainer(error: Exception, given: Any) -> str:
    """Returns what the Trainer finds wrong with its options, in one line."""
    line = joined(error)
    if line.startswith("No supported"):  # accelerator; Lightning does not say which was asked for
        return f"--trainer.accelerator {given['accelerator']}: {line[:-1]}; `zoo doctor` tells"
    return line


def of_jsonargparse(error: Exception) -> str:
    """Returns the heart of a parser's error, with a suggestion for an option that is not there."""
    from lightning.pytorch import Trainer

    message = str(error)
    unknown = re.search(r"unrecognized arguments: --([\w.]+)", message) or re.search(
        r"Option '([\w.]+)' is not accepted", message
    )
    if unknown:
        name = unknown[1]
        known = [f"trainer.{n}" for n in inspect.signature(Trainer).parameters]
        near = get_close_matches(name, [*known, "seed_everything"], n=1)
        return f"there is no option --{name}" + (f" (did you mean --{near[0]}?)" if near else "")
    chosen = re.search(r'key "(optimizer|lr_scheduler)":\s+- Expected a path but ([\w.]+)', message)
    if chosen:
        return _no_such(*chosen.groups())
    lines = [line.strip(" -") for line in message.splitlines() if line.strip()]
    key = re.search(r'key "([\w.]+)"', message)
    reasons = [line for line in lines if re.search(r"not accepted|Expected|[Ii]nvalid|not a", line)]
    cause = next((c for c in reasons if "NoneType" not in c), lines[-1] if lines else message)
    cause = cause.replace("typing.", "").replace("<class ", "").replace(">", "")
    option = f"--{key.group(1)}" if key else ""
    value = re.search(r"Given value: (.*)", message)
    given = re.search(r"key='(\w+)', val=(.*)\)", value.group(1)) if value else None
    if given:
        option += f".{given.group(1)}"
    elif value and "Got value" not in cause:
        cause += f", not {value.group(1)}"
    return f"{option}: {cause}" if option else cause


def _no_such(argument: str, name: str) -> str:
    """Returns what to say of an optimizer or a schedule that is not there: what there is."""
    import torch
    from torch.optim import lr_scheduler

    kind, module, base, own = {
        "optimizer": ("optimizer", torch.optim, torch.optim.Optimizer, optimizers()),
        "lr_scheduler": ("schedule", lr_scheduler, lr_scheduler.LRScheduler, schedules()),
    }[argument]
    torchs = [n for n, v in vars(module).items() if isinstance(v, type) and issubclass(v, base)]
    names = {*own, *torchs} - {base.__name__, "_LRScheduler"}
    near = suggestion(name.rpartition(".")[2], names)
    return f"no {kind} is called {name}{near}; there are: {listed(names)}"
