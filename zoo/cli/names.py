"""Names of models, corpora and recipes: what there is, and suggestions for a misspelt one."""

import re
from collections.abc import Callable, Iterable, Sequence
from difflib import get_close_matches
from pathlib import Path

from zoo.catalogue import Definition, recipes
from zoo.errors import InputError

MANY = 24  # names, more than which a message does not list


def pick(kind: str, name: str, known: Iterable[str]) -> str:
    """Returns `name` as it is written in `known`; case does not matter.

    Raises:
        InputError: It is not known; suggests the nearest, and names them all, or where they are
            many those alike.
    """
    names = list(known)
    for candidate in names:
        if candidate.lower() == name.lower():
            return candidate
    raise InputError(f"no {kind} is called {name}{suggestion(name, names)}; {_choice(name, names)}")


def only_recipe_of(name: str) -> str:
    """Returns the one recipe of a model, by its file's name; `name` where there is not just one."""
    fitting = [recipe for recipe in recipes() if recipe.partition("-")[0] == name.lower()]
    return fitting[0] if len(fitting) == 1 else name


def suggestion(name: str, known: Iterable[str]) -> str:
    """Returns " (did you mean X?)" where one of the known names is near, else ""."""
    spelt = {candidate.lower().lstrip("-"): candidate for candidate in known}
    near = get_close_matches(name.lower().lstrip("-"), spelt, n=1)
    return f" (did you mean {spelt[near[0]]}?)" if near else ""


def _choice(name: str, known: Sequence[str]) -> str:
    """Returns what there is, in a line that can still be read."""
    if len(known) <= MANY:
        return f"there are: {listed(known)}"
    alike = [candidate for candidate in known if name.lower() in candidate.lower()]
    some = f"there are: {listed(alike)}; " if 0 < len(alike) <= MANY else ""
    return f"{some}`zoo list` names all {len(known)}"


def listed(names: Iterable[str]) -> str:
    """Returns the names in alphabetical order, parted by commas."""
    return ", ".join(sorted(names, key=str.lower))


def class_path(kind: str, name: str, known: Callable[[], dict[str, Definition]]) -> str:
    """Returns the class path of a short name, or a full class path as it is, and asks for none."""
    refuse_place(kind, name)
    return name if "." in name else known()[pick(kind, name, known())].class_path


def refuse_place(kind: str, name: str) -> None:
    """Refuses a path where the name of a model or a corpus is wanted.

    Raises:
        InputError: It is one.
    """
    refuse_address(name)
    if "/" in name or ("." in name and Path(name).exists()):
        of_files = (
            f"your own files are read by one of a kind: --data PictureFolder --data.path {name}"
        )
        way = (
            of_files
            if kind == "corpus"
            else "a class of your own is PACKAGE.Class, and --allow PACKAGE"
        )
        raise InputError(f"no {kind} is called {name}; {way}")


def is_address(text: object) -> bool:
    """Returns whether a text is the address of something elsewhere; of a path one slash is lost."""
    return bool(re.match(r"[a-z][a-z0-9+.-]+:/", str(text), re.IGNORECASE))


def refuse_address(text: object) -> None:
    """Refuses an address where a file is wanted.

    Raises:
        InputError: It is one.
    """
    if is_address(text):
        raise InputError(f"{text} is an address: download it first (curl -O), and name the file")
