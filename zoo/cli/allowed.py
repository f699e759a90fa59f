"""Which classes settings may name: to import a class is to run its module. No torch.

Checked as text, before anything is imported: a configuration, a checkpoint and an option may come
from somebody else.
"""

import re
from collections.abc import Iterator, Sequence
from functools import cache
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import yaml

from zoo.catalogue import OWN, definitions, owner
from zoo.errors import InputError

TRUSTED = (*OWN, "lightning.pytorch", "torch.optim", "torch.nn", "torchvision")
GROUPS = ("trainer", "model", "data")
KEYS = ("seed_everything", *GROUPS)
DOTTED = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)+")
CLASSES = re.compile(r"class_path|help|.*optimizer|.*lr_scheduler")  # what may be a class


def refuse_foreign_classes(
    config: Any, overrides: Sequence[str], allow: Sequence[str] = ()
) -> None:
    """Refuses settings that name what is neither of the zoo nor of what it is built on.

    Args:
        config: Settings as they are read from a file or a checkpoint.
        overrides: Options `--group.option=value`.
        allow: Further packages that the user trusts.

    Raises:
        InputError: A class, or what looks like one where a class may stand, is of another package,
            or stands in a file of its own; or there are settings of something else than an
            experiment.
    """
    trusted = (*TRUSTED, *allow)
    if isinstance(config, dict):
        for key in config:
            if key not in KEYS:
                raise InputError(f"a configuration has {', '.join(KEYS)}, not {key}")
    given = [(tuple(option[2:].partition("=")[0].split(".")), option) for option in overrides]
    values = [(path, _parsed(option.partition("=")[2])) for path, option in given]
    for path, value in [*values, ((), config)]:
        for key, text in _leaves(value, path):
            if _may_be_class(key, config):
                _check(".".join(key), text.strip(), trusted)


def _parsed(text: str) -> Any:
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError:
        return text


def _leaves(value: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], str]]:
    """Texts, each with the keys that lead to it."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _leaves(item, (*path, str(key)))
    elif isinstance(value, list):
        for item in value:
            yield from _leaves(item, path)
    elif isinstance(value, str):
        yield path, value


def _may_be_class(path: tuple[str, ...], config: Any) -> bool:
    """Whether a class, or a function, may stand there; text that is a file's name may not."""
    names = [name.rstrip("+") for name in path]
    group = names[0] if names else ""
    if group not in GROUPS or group == "trainer" or len(names) == 1:
        return True
    if any(CLASSES.fullmatch(name) for name in names[1:]):
        return True
    given = config.get(group) if isinstance(config, dict) else None
    chosen = given.get("class_path") if isinstance(given, dict) else given
    return "." in str(chosen or "") and chosen not in definitions()  # arguments of a user's class


def _check(key: str, text: str, trusted: Sequence[str]) -> None:
    if text.endswith((".yaml", ".yml", ".json")) or ("/" in text and Path(text).is_file()):
        raise InputError(f"{key}: write its settings there, not in a file of their own ({text})")
    if not DOTTED.fullmatch(text):
        return
    package = text.partition(".")[0]
    package_of = owner(text, trusted)
    if package_of is None:
        if _spec(package):
            raise InputError(
                f"{key}: {text} is not of the zoo, Lightning or torch and is not imported; where "
                f"you trust it: --allow {package}"
            )
        return
    if package_of != text and not _is_module(text.rpartition(".")[0]):
        raise InputError(f"{key}: there is no module {text.rpartition('.')[0]}")


@cache
def _spec(package: str) -> ModuleSpec | None:
    try:
        return find_spec(package)  # of a top level: imports nothing
    except (ImportError, ValueError):
        return None


@cache
def _is_module(name: str) -> bool:
    """Whether that is a module or package on disk, and not what a module has imported."""
    package, *inner = name.split(".")
    spec = _spec(package)
    if spec is None or not inner:
        return spec is not None
    for folder in spec.submodule_search_locations or ():
        path = Path(folder, *inner)
        if path.is_dir() or path.with_suffix(".py").is_file():
            return True
    return False
