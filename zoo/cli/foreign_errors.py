"""Texts of other programs that the command matches, each turned into the one line that helps.

Of argparse, Lightning, torch and oneDNN; each has its test. Imports no torch.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from traceback import walk_tb
from typing import Any

from zoo.cli.names import suggestion
from zoo.errors import InputError

THEIRS = "lightning.pytorch."
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
    kind = re.search(r"argument (\S+?)(?:/\S+)?: invalid (int|float) value: '(.*)'", message)
    if kind:
        wanted = "a whole number" if kind[2] == "int" else "a number"
        return f"{kind[1]}: wanted {wanted}, not {kind[3]}"
    if missing := re.search(
        r"argument (\S+?)(?:/\S+)?: expected (one|at least one) argument", message
    ):
        return (
            f"{missing[1]} needs a value; one that begins with a dash is given as {missing[1]}=-1"
        )
    if flag := re.search(r"argument (\S+?)(?:/\S+)?: ignored explicit argument", message):
        return f"{flag[1]} takes no value"
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
    except (ValueError, ZeroDivisionError, TypeError, NotImplementedError, AttributeError) as error:
        complaint = _of_options(error)
        if complaint is None:
            raise
        raise InputError(complaint) from None
    except RuntimeError as error:
        complaint = _of_options(error)
        if complaint and re.search(r"Early stopping conditioned|does not support", complaint):
            raise InputError(complaint) from None
        # Of oneDNN, for an LSTM in bfloat16 on processors without it.
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
    frames = [frame for frame, _ in walk_tb(error.__traceback__)]
    frame = frames[-1]
    where, said = str(frame.f_globals["__name__"]), joined(error)
    for caller in frames[-2:] if where.startswith(("torch.", "lightning.")) else ():
        if str(caller.f_globals["__name__"]).startswith("lightning.pytorch.callbacks."):
            return f"{type(caller.f_locals.get('self')).__name__}: {said}"
    if where.startswith("torch.optim."):
        who = frame.f_locals.get("self")
        said = said or "a base class; name one that is derived from it"
        return f"{type(who).__name__}: {said}" if who is not None else said
    # Of an object that Lightning was handed, a bug shows in the same two ways: with its traceback.
    home = "lightning.pytorch.tuner." if isinstance(error, TypeError | AttributeError) else THEIRS
    return said if where.startswith(home) else None


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


def with_option(text: str, config: Any) -> str:
    """Returns a complaint of a model or a corpus; with the whole option where it names an argument.

    Args:
        text: What was said: "order is 60; ...".
        config: Settings of the run.
    """
    name, _, rest = text.partition(" ")
    for group in ("model", "data"):
        given = getattr(getattr(config, group, None), "init_args", None) or {}
        if name in given and re.match(r"(is|are|must|has|have) ", rest):
            return f"--{group}.{text}"
    return text
