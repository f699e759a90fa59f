"""What a trained model makes of an input: a module for each family, which is called like it.

Each says what its models do (`DOES`) and the endings of files that it writes (`WRITES`), adds its
options to the command (`add_arguments`), and takes them as keyword arguments of
`predict(prediction, inputs, ...)`, which returns where the output is. Their heads import no torch,
for the command reads the options of all of them.
"""

from functools import cache
from importlib import import_module
from inspect import signature
from pathlib import Path
from typing import Any

FAMILIES = Path(__file__).parents[2]


@cache
def families() -> dict[str, Any]:
    """Returns the modules of the families whose models predict, by the family's name."""
    names = sorted(path.parent.name for path in FAMILIES.glob("*/task.py"))
    here = [name for name in names if Path(__file__).with_name(f"{name}.py").is_file()]
    return {name: import_module(f"{__name__}.{name}") for name in here}


def options(module: Any) -> set[str]:
    """Returns the names of a family's own options: the keyword arguments of its `predict`."""
    parameters = signature(module.predict).parameters.values()
    return {each.name for each in parameters if each.kind is each.KEYWORD_ONLY}
