"""Options of the classes of torch and Lightning, read from their files. No torch.

Only the class itself is parsed: their files have thousands of lines.
"""

import ast
import re
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from zoo.catalogue import ancestry, owner
from zoo.cli.show.docstrings import Option, options_of, read, signature_of

LIBRARIES = ("torch", "lightning")
FILLED = ("optimizer", "params", "last_epoch")  # arguments that the zoo gives
TRAINER = "lightning.pytorch.trainer.trainer.Trainer"


@cache
def options_at(class_path: str) -> tuple[Option, ...]:
    """Returns the options of any class by its path; none where its source cannot be read."""
    if owner(class_path, LIBRARIES):
        return _of_library(class_path)
    found = ancestry(class_path).get(class_path)
    known = options_of(found, fillable=()) if found else []
    return tuple(option for option in known if option.name not in FILLED)


def trainer_options() -> dict[str, Option]:
    """Returns the options of Lightning's Trainer by name."""
    return {option.name: option for option in options_at(TRAINER)}


def torch_classes(kind: str) -> dict[str, str]:
    """Returns class paths of torch's optimizers or schedules by class name.

    Args:
        kind: optimizer or schedule.
    """
    if kind == "optimizer":
        names = re.findall(
            r"^from torch\.optim\.\w+ import ([A-Z]\w+)", _source("torch.optim.A"), re.M
        )
        return {name: f"torch.optim.{name}" for name in names if name != "Optimizer"}
    module = "torch.optim.lr_scheduler"
    names = re.findall(r"^class ([A-Z]\w+)\(LRScheduler\)", _source(f"{module}.A"), re.M)
    return {name: f"{module}.{name}" for name in names}


def first_sentence(text: str) -> str:
    """Returns the first sentence of a docstring's text, without its markup and its default."""
    text = re.sub(r":\w+:`~?(?:[\w.]*\.)?(\w+)`|`+([^`]+?)`+_?", r"\1\2", text)
    text = re.sub(r"\s*(\(default:? .*?\)+|Default: .*)$", "", text, flags=re.S)
    text = re.sub(r"^\{.*?\}\.?\s+", "", text)  # its choices
    sentence = re.split(r"(?<=[^.][^.)])\.\s+(?=[A-Z])|\s\(default", text)[0].rstrip(". ")
    return f"{sentence[:1].upper()}{sentence[1:]}." if sentence else ""


def _of_library(class_path: str) -> tuple[Option, ...]:
    text, name = _source(class_path), class_path.rpartition(".")[2]
    top = re.search(rf"^class {name}\b.*?(?=^[^\s)#]|\Z)", text, re.M | re.S)
    if not top:
        return ()
    init = re.search(r"^    def __init__\(.*?(?=^    (?:def|@|class)|\Z)", top[0], re.M | re.S)
    node = ast.parse(top[0][: init.end()] if init else top[0]).body[0]
    if not isinstance(node, ast.ClassDef):
        return ()
    functions = [item for item in node.body if isinstance(item, ast.FunctionDef)]
    docstrings = [ast.get_docstring(node), *map(ast.get_docstring, functions[-1:])]
    said = {name: each for said in docstrings for name, each in read(said or "").arguments.items()}
    said |= _assigned(name, text)
    return tuple(
        Option(name, default, said.get(name, ""), node.name, linked=False, choices=choices)
        for name, (default, choices) in signature_of(node, {}).items()
        if name not in FILLED
    )


def _assigned(name: str, text: str) -> dict[str, str]:
    """Returns the text of each argument in a docstring that is assigned: `Adam.__doc__ = ...`."""
    found = re.search(rf"^{name}\.__doc__ = .*?(?=^(?:def|class|@|\w+\()|\Z)", text, re.M | re.S)
    tree = ast.parse(found[0]) if found else ast.Module([], [])
    texts = [node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)]
    whole = "\n".join(each for each in texts if isinstance(each, str))
    entry = r"^ {8}(\w+) \(.*?\):\s+(.*?)(?=^ {0,8}\S|\Z)"
    return {name: " ".join(said.split()) for name, said in re.findall(entry, whole, re.M | re.S)}


def _source(class_path: str) -> str:
    """Returns the text of the file that defines a class, "" where there is none."""
    module, _, name = class_path.rpartition(".")
    package, *inner = module.split(".")
    spec = find_spec(package)
    for place in (spec.submodule_search_locations if spec else None) or ():
        folder = Path(place, *inner)
        for file in (folder.with_suffix(".py"), folder / "__init__.py"):
            if file.is_file():
                text = file.read_text(encoding="utf-8")
                imported = re.search(rf"^from ([\w.]+) import .*\b{name}\b", text, re.M)
                return _source(f"{imported[1]}.{name}") if imported else text
    return ""
