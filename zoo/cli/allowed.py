"""Which classes settings may name: to import a class is to run its module.

A configuration, a checkpoint and an option may come from somebody else: what they name is checked
before it is imported or called, and jsonargparse imports nothing else.
"""

import re
from collections.abc import Iterator, Sequence
from functools import cache
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import yaml

from zoo.catalogue import (
    CORPUS,
    OWN,
    TASK,
    architectures,
    corpora,
    imported,
    is_a,
    owner,
    trusted,
)
from zoo.errors import InputError

OTHERS = ("lightning.pytorch", "torch.optim", "torch.nn", "torchvision")
TRANSFORMS = ("torchvision.transforms.v2",)  # random changes of pictures
HOMES = (*OWN, "lightning", "torch", "torchvision")  # where classes that those hold are defined
GROUPS = {"trainer": "", "model": TASK, "data": CORPUS}
KEYS = ("seed_everything", *GROUPS)
CLASSES = re.compile(r"class_path|help|.*optimizer|.*lr_scheduler")  # what may be a class
SPEC = ("class_path", "help", "init_args", "dict_kwargs")  # jsonargparse's: no arguments
MOST = 100_000  # values in settings
Place = tuple[str, ...]


def refuse_foreign_classes(
    config: Any, overrides: Sequence[str], allow: Sequence[str] = ()
) -> None:
    """Refuses settings that name what is neither of the zoo nor of what it is built on.

    Texts are parsed as YAML as long as there is YAML in them, as jsonargparse does.

    Args:
        config: Settings as they are read from a file or a checkpoint.
        overrides: Options `--group.option=value`.
        allow: Further packages that the user trusts.

    Raises:
        InputError: A class is of another package, is none of the kind that its place asks for, or
            stands where none may, or in a file of its own; or there are settings of something
            else than an experiment.
    """
    from jsonargparse import set_parsing_settings  # here, as it takes a quarter of a start

    for package in allow:
        if not all(name.isidentifier() for name in package.split(".")) or package == "jsonargparse":
            raise InputError(f"--allow {package}: wanted the name of a package with your classes")
    if isinstance(config, dict):
        for key in config:
            if key not in KEYS:
                raise InputError(f"a configuration has {', '.join(KEYS)}, not {key}")
    given = [option.removeprefix("--").partition("=") for option in overrides]
    values: list[tuple[Place, Any]] = [(tuple(name.split(".")), text) for name, _, text in given]
    own = _classes_of_users(config)
    allow = (*allow, *trusted())
    for place, text in _texts([*values, ((), config)]):
        _check(place, text, own, allow)
    # What may yet be hidden from this look is neither imported nor called: jsonargparse's own way.
    set_parsing_settings(
        instantiate_subclass_spec_in_any=False,
        import_path_denylist=["*"],
        import_path_allowlist=[*OWN, *OTHERS, "lightning.fabric", *allow],
    )


def _texts(values: list[tuple[Place, Any]]) -> Iterator[tuple[Place, str]]:
    """Yields the texts in settings, each with the keys that lead to it, as given and as parsed.

    Raises:
        InputError: There is no end of them: YAML can hold itself, or little of it very much.
    """
    rest = values[::-1]
    for _ in range(MOST):
        if not rest:
            return
        place, value = rest.pop()
        if isinstance(value, dict):
            rest += [((*place, *str(key).split(".")), item) for key, item in value.items()]
        elif isinstance(value, list | tuple | set):
            rest += [(place, item) for item in value]
        elif isinstance(value, str):
            yield tuple(name.rstrip("+") for name in place), value
            if (parsed := _parsed(value)) != value:
                rest.append((place, parsed))
    raise InputError(f"the settings hold more than {MOST:,} values, or one another")


def _parsed(text: str) -> Any:
    from jsonargparse import get_loader

    try:
        return get_loader("yaml")(text)
    except (yaml.YAMLError, ValueError):
        return text


def _classes_of_users(config: Any) -> set[str]:
    """Returns the groups whose class is not of the zoo: its arguments may be anything."""
    found = set()
    for group in GROUPS:
        given = config.get(group) if isinstance(config, dict) else None
        chosen = str((given.get("class_path") if isinstance(given, dict) else given) or "")
        if "." in chosen and not owner(chosen, OWN):
            found.add(group)
    return found


def _check(place: Place, text: str, own: set[str], allow: Sequence[str]) -> None:
    """Refuses a text where it would be imported, or read as a file of settings."""
    key, group, names = ".".join(place), place[0] if place else "", place[1:]
    arguments = [name for name in names if name not in SPEC]
    wanted = GROUPS.get(group, "") if not arguments else ""
    here = (
        group not in ("model", "data")
        or not arguments
        or any(CLASSES.fullmatch(name) for name in arguments)
    )
    changes = group == "data" and arguments[:1] == ["augment"]  # which a corpus checks itself
    if changes and owner(text, TRANSFORMS):
        return
    if not here and "class_path" in names and group not in own:
        raise InputError(f"{key}: no class may stand there, as {text} does")
    if here and not wanted and (text.endswith((".yaml", ".yml", ".json")) or _is_file(text)):
        raise InputError(f"{key}: write its settings there, not in a file of their own ({text})")
    parts = text.strip().split(".")
    if len(parts) < 2 or not all(part.isidentifier() for part in parts):
        return
    if (here or group in own) and not owner(text.strip(), allow):
        _refuse_foreign(key, text.strip(), wanted)


def _refuse_foreign(key: str, text: str, wanted: str) -> None:
    """Refuses what is no class, or of another package; of the zoo's if there is one wanted."""
    package, _, name = text.partition(".")
    if not owner(text, (*OWN, *OTHERS)):
        if _spec(package) or wanted:
            raise InputError(
                f"{key}: {text} is not of the zoo, Lightning or torch and is not imported; where "
                f"you trust it: --allow {package}"
            )
    elif wanted:
        short = architectures() if package == "zoo" else corpora()  # zoo.LeNet
        if not is_a(short[name].class_path if name in short else text, wanted):
            kind = "model" if wanted == TASK else "corpus"
            raise InputError(f"{key}: {text} is no {kind} of the zoo")
    else:
        try:
            found = imported(text)
        except InputError as error:
            raise InputError(f"{key}: {error}") from None
        home = str(getattr(found, "__module__", ""))
        own = package in OWN and home == text.rpartition(".")[0]
        if isinstance(found, type):
            known = own or (package not in OWN and owner(home, HOMES))
        else:
            known = own and _makes_optimizers(found)
        if not known:
            trust = "" if package in OWN else f"; where you trust it: --allow {text}"
            raise InputError(f"{key}: {text} is no class that is defined there{trust}")


def _makes_optimizers(function: Any) -> bool:
    """Whether that is a function like `zoo.task.adam`, a default that is saved by its name."""
    from torch.optim import Optimizer

    made = getattr(function, "__annotations__", {}).get("return")
    return isinstance(made, type) and issubclass(made, Optimizer)


def _is_file(text: str) -> bool:
    try:
        path = Path(text).expanduser()
        return path.exists() and not path.is_dir()  # a pipe, too
    except (OSError, RuntimeError):  # no name of a file
        return False


@cache
def _spec(package: str) -> ModuleSpec | None:
    try:
        return find_spec(package)  # of a top level: imports nothing
    except (ImportError, ValueError):
        return None
