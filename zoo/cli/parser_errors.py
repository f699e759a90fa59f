"""What jsonargparse finds wrong with a setting, in one line: the option, its value, the way out.

Its texts are trees by indentation: the keys that lead to a setting, and a reason for each type that
the setting may have. Imports no torch before there is an error.
"""

import inspect
import re
from collections.abc import Iterator
from difflib import get_close_matches
from typing import Any

from zoo.catalogue import imported, optimizers, schedules
from zoo.cli.names import listed, suggestion
from zoo.cli.short_options import OTHER_NAMES

KEY = re.compile(r'^(\s*).*?[Pp]arser key "([\w.]+)":', re.MULTILINE)
CLASSES = {"callbacks": "Callback", "logger": "Logger"}  # options of the Trainer
KINDS = {  # types of Python as people say them
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "str": "a text",
    "list": "a list",
    "tuple": "a list",
    "dict": "a mapping",
    "Iterable": "a list",
    "Sequence": "a list",
}


def of_jsonargparse(error: Exception) -> str:
    """Returns what is wrong with a setting, with a suggestion for a name that is not there."""
    message = str(error)
    option, rest = _place(message)
    for find in (_unknown, _missing, _absent_class, _of_class, _other_kind):
        if said := find(option, rest):
            return said
    if option:
        return f"{option}: not of a kind that it may be: {_value(rest) or 'see `zoo show`'}"
    return " ".join(message.split())


def _place(message: str) -> tuple[str, str]:
    """Returns the option that a text is about, and what is said of it."""
    keys: list[str] = []
    depth, end = -1, 0
    for match in KEY.finditer(message):
        if len(match[1]) > depth:  # a key on the same level belongs to another type or entry
            keys.append(match[2])
            depth, end = len(match[1]), match.end()
    nested = re.search(r"NestedArg\(key='([\w.]+)'", message)
    if nested and keys:
        keys = max(keys, [keys[0], nested[1]], key=lambda each: len(".".join(each)))
    return f"--{'.'.join(keys)}" if keys else "", message[end:]


def _unknown(option: str, rest: str) -> str:
    """Says that there is no such option, and which are."""
    top = re.search(r"unrecognized arguments: --([\w.]+)", rest)
    found = top or re.search(r"ption '([^']+)' is not accepted", rest)
    group = re.search(r"Group '(\w+)' does not accept option '([^']+)'", rest)
    if not (found or group):
        return ""
    if group:
        name = f"{group[1]}.{group[2]}"
    elif found and not top:
        option, inner = option.removeprefix("--"), found[1]
        last = option.rpartition(".")[2]  # which may be the first of those that are not accepted
        option = option.removesuffix(f".{last}") if inner.split(".")[0] == last else option
        name = f"{option}.{inner}".lstrip(".")
    else:
        name = top[1] if top else ""
    before, _, last = name.rpartition(".")
    chosen = re.search(r"class_path='([\w.]+)'", rest)
    own = _arguments(before, chosen[1] if chosen else "")
    same = next((ours for ours, others in OTHER_NAMES.items() if last in others), last)
    near = [same] if same in own else get_close_matches(last, own, n=1)
    hint = f" (did you mean --{before}.{near[0]}?)" if near else ""
    title = chosen[1].rpartition(".")[2] if chosen else ""
    return f"there is no option --{name}{hint}" + (f"; {title} takes {listed(own)}" * bool(title))


def _arguments(group: str, path: str) -> list[str]:
    """Returns the arguments of the Trainer, or of a class, but for what it is handed by the zoo."""
    from lightning.pytorch import Trainer

    if not path and group != "trainer":
        return []
    parameters = inspect.signature(imported(path) if path else Trainer).parameters.values()
    plain = [
        each for each in parameters if each.kind not in (each.VAR_KEYWORD, each.VAR_POSITIONAL)
    ]
    return [each.name for each in plain if each.name not in ("params", "optimizer")]


def _missing(option: str, rest: str) -> str:
    """Says which arguments a class needs, and how to give one."""
    found = re.search(r"following arguments are required: ([\w, ]+)", rest)
    found = found or re.search(r'[Kk]ey "([\w.]+)" is required', rest)
    if not found:
        return ""
    names = [each.strip().rpartition(".")[2] for each in found[1].split(",")]
    chosen = re.search(r"class_path='([\w.]+)'", rest)
    title = chosen[1].rpartition(".")[2] if chosen else option
    return f"{title} needs {listed(names)}: add {option}.{names[0]} VALUE"


def _absent_class(option: str, rest: str) -> str:
    """Says that there is no such optimizer, schedule, callback ..., and which there are."""
    argument = option.rpartition(".")[2]
    text = re.search(r"Expected a path but (\S+)", rest)
    if argument.endswith(("optimizer", "lr_scheduler")):
        if text and re.fullmatch(r"[A-Za-z_][\w.]*", text[1]):
            return _no_such(argument, text[1])
        kind = "an optimizer" if argument.endswith("optimizer") else "a schedule"
        return f"{option}: wanted the name of {kind}, or class_path and init_args"
    base, name = CLASSES.get(argument), text[1] if text else _value(rest)
    if base is None or not re.fullmatch(r"[A-Za-z_][\w.]*", name):
        return ""
    from lightning.pytorch import callbacks, loggers

    known = [each for each in (*vars(callbacks), *vars(loggers)) if each.endswith(base)]
    known += [each for each in vars(callbacks) if base == "Callback" and each[:1].isupper()]
    if name.rpartition(".")[2] in known:
        return ""
    return f"{option}: no {base} is called {name}{suggestion(name.rpartition('.')[2], known)}"


def _of_class(option: str, rest: str) -> str:
    """Says what a class finds wrong with its arguments."""
    found = re.search(r"Problem with given class_path '([\w.]+)':\s+(?!\s*-)(.+)", rest)
    if not found or re.match(r"Parser key|Does not", found[2]):
        return _of_value(option, rest)
    if "denied by" in found[2]:
        return f"{option}: name the class first, and then what it is given"
    return f"{option} {found[1].rpartition('.')[2]}: {found[2].strip()}".strip()


def _of_value(option: str, rest: str) -> str:
    """Says what was found wrong with a value other than its kind."""
    reasons = re.findall(r"^\s*- (.+)", rest, re.MULTILINE)
    own = [each for each in reasons if not re.match(r"Expected|Not a valid|Does not|Problem", each)]
    return ": ".join(filter(None, (option, own[0].partition(". Got value")[0]))) if own else ""


def _other_kind(option: str, rest: str) -> str:
    """Says which kinds of value there may be."""
    kinds = list(dict.fromkeys(_kinds(rest)))
    kinds = [kind for kind in kinds if kind.startswith("'")] or kinds  # choices say more
    if not (kinds and option):
        return ""
    value = _value(rest)
    near = suggestion(value, [kind.strip("'") for kind in kinds if kind.startswith("'")])
    *others, last = (kind.strip("'") for kind in kinds)
    wanted = f"{', '.join(others)} or {last}" if others else last
    return f"{option}: wanted {wanted}{f', not {value}' if value else ''}{near}"


def _kinds(rest: str) -> Iterator[str]:
    """Yields the kinds of value that are expected: types in words, or choices in quotes."""
    for text in re.findall(r"Expected an? (\S.*)", rest):
        text = text.partition(". Got value")[0]
        if text.startswith("typing.Literal["):
            yield from re.findall(r"'[^']*'", text)
            continue
        name = re.sub(r"<class '(.*?)'>", r"\1", text).partition("[")[0].rpartition(".")[2]
        if name in KINDS:
            yield KINDS[name]


def _value(rest: str) -> str:
    """Returns the value that was given, of a class its name."""
    found = re.search(r"(?:Given|Got) value: (.*)", rest)
    if not found:
        return ""
    text = found[1].partition(". Got value:")[0]
    if nested := re.match(r"NestedArg\(.*?val=(.*)\)$", text):
        text = nested[1].strip("'\"")
    if chosen := re.match(r"\[?Namespace\(class_path='([\w.]+)'", text):
        text = chosen[1].rpartition(".")[2]
    return text if len(text) <= 80 else f"{text[:79]}…"


def _no_such(argument: str, name: str) -> str:
    """Returns what to say of an optimizer or a schedule that is not there: what there is."""
    import torch
    from torch.optim import lr_scheduler

    kind, module, base, own = {
        "optimizer": ("optimizer", torch.optim, torch.optim.Optimizer, optimizers()),
        "lr_scheduler": ("schedule", lr_scheduler, lr_scheduler.LRScheduler, schedules()),
    }["optimizer" if argument.endswith("optimizer") else "lr_scheduler"]
    torchs = [n for n, v in vars(module).items() if isinstance(v, type) and issubclass(v, base)]
    names: set[Any] = {*own, *torchs} - {base.__name__, "_LRScheduler"}
    near = suggestion(name.rpartition(".")[2], names)
    return f"no {kind} is called {name}{near}; there are: {listed(names)}"
