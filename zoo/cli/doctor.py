"""doctor: what this installation has, what is to mend, and how."""

import json
import netrc
import os
import platform
import shutil
import warnings
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from importlib import import_module
from importlib.metadata import PackageNotFoundError, metadata, requires, version
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pooch
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from rich.text import Text

from zoo.catalogue import arguments, corpora, definitions
from zoo.cli.report import plain_console
from zoo.version import zoo_version

PROJECT = "deep-learning-zoo"
PACKAGES = ("lightning", "torch", "torchvision", "torchmetrics", "jsonargparse", "wandb")
MALICIOUS = {"lightning": ("2.6.2", "2.6.3")}
POISON = "is malicious: it steals credentials when it is imported (GHSA-w37p-236h-pfx3)"
CLEAN = "replace every key and token that this account can read"
BUILDS = "take the build of torch for it: https://pytorch.org/get-started/locally"
UNSAFE = "TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD"
SPARE = 1 << 30  # bytes free on the disk of the runs


@dataclass
class Finding:
    """One line.

    Attributes:
        topic: Heading that it stands under.
        name: What was looked at.
        value: What was found.
        sound: None where something is absent that a run can do without.
        advice: What to do about it.
    """

    topic: str
    name: str
    value: str
    sound: bool | None = True
    advice: str = ""


def doctor(as_json: bool = False) -> int:
    """Looks at versions, accelerators, data, cache, W&B and disk.

    Args:
        as_json: Print one JSON object instead of lines.

    Returns:
        0 if nothing must be mended, else 1.
    """
    findings = list(_versions())
    poisoned = any(POISON in finding.value for finding in findings)
    findings += [*_accelerators(), *_data(poisoned), *_cache(), *_wandb(), *_runs()]
    faults = sum(finding.sound is False for finding in findings)
    if as_json:
        print(json.dumps({"faults": faults, "findings": [asdict(f) for f in findings]}, indent=2))
    else:
        _print(findings, faults)
    return min(faults, 1)


def _print(findings: list[Finding], faults: int) -> None:
    console = plain_console()
    marks = {True: ("✓", "green"), False: ("✗", "red"), None: ("·", "yellow")}
    if console.options.ascii_only:
        marks = {True: ("+", ""), False: ("x", ""), None: (".", "")}
    width = max(len(finding.name) for finding in findings)
    for topic in dict.fromkeys(finding.topic for finding in findings):
        console.print(topic, style="bold")
        for finding in findings:
            if finding.topic == topic:
                text = f"{finding.name:<{width}}  {finding.value}"
                line = Text.assemble("  ", marks[finding.sound], f" {text}")
                console.print(line, soft_wrap=True)
                if finding.advice:
                    console.print(f"    {'':<{width}}  mend: {finding.advice}", soft_wrap=True)
    verdict = "nothing must be mended" if not faults else f"to mend: {faults}"
    console.print(verdict, style="bold")


def _versions() -> Iterator[Finding]:
    topic = "versions"
    try:
        wanted = {r.name: r.specifier for r in map(Requirement, requires(PROJECT) or ())}
        wanted["python"] = SpecifierSet(metadata(PROJECT)["Requires-Python"])
        yield Finding(topic, "zoo", zoo_version())
    except PackageNotFoundError:
        wanted = {}
        yield Finding(topic, "zoo", "not installed", False, "in its checkout: pip install -e .")
    for name in ("python", *PACKAGES):
        needed = wanted.get(name, SpecifierSet())
        advice = f'pip install --upgrade "{name}{needed}"'
        try:
            value = platform.python_version() if name == "python" else version(name)
        except PackageNotFoundError:
            yield Finding(topic, name, "not installed", False, advice)
            continue
        if value in MALICIOUS.get(name, ()):
            yield Finding(topic, name, f"{value} {POISON}", False, f"{advice}, and {CLEAN}")
        elif not needed.contains(value, prereleases=True):
            if name == "python":
                advice = "make a virtual environment with a newer Python"
            yield Finding(topic, name, f"{value}, wanted {needed}", False, advice)
        else:
            yield Finding(topic, name, f"{value} ({needed})" if str(needed) else value)


def _accelerators() -> Iterator[Finding]:
    topic = "accelerators"
    try:
        import torch
    except Exception as error:  # a broken build fails in many ways
        yield Finding(topic, "torch", _reason(error), False, "pip install --force-reinstall torch")
        return
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        usable = torch.cuda.is_available()
    for index in range(torch.cuda.device_count() if usable else 0):
        card = torch.cuda.get_device_properties(index)
        memory = f"{card.total_memory / 2**30:.0f} GiB"
        yield Finding(topic, f"CUDA {index}", f"{card.name}, {memory}")
    if not usable:
        # The device files, not the driver's: a container may see the driver of a closed card.
        cards = len(list(Path("/dev").glob("nvidia[0-9]*")))
        if cards and "CUDA_VISIBLE_DEVICES" not in os.environ:
            reason = f": {_reason(said[0].message)}" if said else ""
            value = f"torch {torch.__version__} cannot use the {cards} cards here{reason}"
            yield Finding(topic, "CUDA", value, False, "update the driver, or " + BUILDS)
        else:
            yield Finding(topic, "CUDA", "none", None)
    mps = torch.backends.mps.is_available()
    yield Finding(topic, "MPS", "usable" if mps else "none", mps or None)
    yield Finding(topic, "CPU", f"{torch.get_num_threads()} of {os.cpu_count()} threads")


def _data(poisoned: bool) -> Iterator[Finding]:
    """Which corpora lie under the root; nothing is imported where that would do harm."""
    topic = "data"
    root = Path(os.environ.get("ZOO_DATA") or "data").expanduser()
    source = "$ZOO_DATA" if os.environ.get("ZOO_DATA") else "by default; ZOO_DATA sets another"
    value = f"{root.absolute()} ({source})"
    if root.is_dir():
        yield Finding(topic, "folder", value)
    elif _writable(root):
        yield Finding(topic, "folder", f"{value}: made when needed", None)
    else:
        yield Finding(
            topic, "folder", f"{value}: cannot be made", False, "set ZOO_DATA to a folder"
        )
    for name, definition in {} if poisoned else corpora().items():
        if "path" in arguments(definition, definitions()):
            continue  # of files of one's own, which may be anywhere
        module, _, cls = definition.class_path.rpartition(".")
        try:
            found = getattr(import_module(module), cls)().files_exist
        except Exception as error:  # one broken corpus must not hide the rest
            yield Finding(topic, name, _reason(error), False, f"see {definition.path}")
            continue
        absent = f"not there: zoo prepare {name}, or train with --data.synthetic true"
        yield Finding(topic, name, "found" if found else absent, bool(found) or None)


def _cache() -> Iterator[Finding]:
    folder = Path(os.environ.get("ZOO_CACHE") or pooch.os_cache("zoo")).absolute()
    advice = "set ZOO_CACHE to a folder that can be written"
    yield _folder("cache", "stand-ins", folder, advice)


def _wandb() -> Iterator[Finding]:
    """The mode, and whether there is a login: never the key, nor what may hold it."""
    topic, mode = "Weights & Biases", os.environ.get("WANDB_MODE") or "offline"
    modes = ("online", "offline", "disabled")
    if mode in modes:
        asked = "WANDB_MODE" if os.environ.get("WANDB_MODE") else "by default; --wandb sets another"
        yield Finding(topic, "mode", f"{mode} ({asked})")
    else:
        advice = f"set it to {', '.join(modes[:2])} or {modes[2]}"
        yield Finding(topic, "mode", "WANDB_MODE is none of the modes", False, advice)
    if source := _login():
        yield Finding(topic, "login", f"found in {source}")
    else:
        needed = mode == "online"
        yield Finding(topic, "login", "none", False if needed else None, "wandb login" * needed)


def _login() -> str:
    """Where W&B would find its key; nothing is sent."""
    for name in ("WANDB_API_KEY", "WANDB_IDENTITY_TOKEN_FILE"):
        if os.environ.get(name):
            return f"${name}"
    host = urlsplit(os.environ.get("WANDB_BASE_URL") or "https://api.wandb.ai").hostname or ""
    given = os.environ.get("NETRC")
    for path in [Path(given)] if given else [Path.home() / ".netrc", Path.home() / "_netrc"]:
        try:
            if netrc.netrc(path.expanduser()).authenticators(host):
                return str(path)
        except (OSError, UnicodeDecodeError, netrc.NetrcParseError):
            continue  # its message may quote the key
    return ""


def _runs() -> Iterator[Finding]:
    folder = Path("runs").absolute()
    yield _folder("runs", "folder", folder, "zoo fit RECIPE --runs DIR")
    free = shutil.disk_usage(_nearest(folder)).free
    advice = "delete old runs, or zoo fit RECIPE --runs DIR on another disk"
    scarce = free < SPARE
    value = f"{free / 2**30:.1f} GiB free"
    yield Finding("runs", "disk", value, not scarce, advice * scarce)
    if os.environ.get(UNSAFE):
        yield Finding("runs", "checkpoints", f"{UNSAFE} lets them run code", False, "unset it")


def _folder(topic: str, name: str, folder: Path, advice: str) -> Finding:
    if _writable(folder):
        return Finding(topic, name, f"{folder}")
    return Finding(topic, name, f"{folder} cannot be written", False, advice)


def _writable(folder: Path) -> bool:
    nearest = _nearest(folder)
    return nearest.is_dir() and os.access(nearest, os.W_OK | os.X_OK)


def _nearest(folder: Path) -> Path:
    """The folder, or what would hold it once it is made."""
    path = folder.absolute()
    return next(parent for parent in (path, *path.parents) if parent.exists())


def _reason(error: Any) -> str:
    text = str(error).strip().partition("\n")[0]
    return text or type(error).__name__
