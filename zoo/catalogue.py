"""What the zoo holds, read from the source text: nothing is imported, so nothing can break it.

An architecture is a public class in a module whose docstring has a `Paper:` line and whose bases
lead to `zoo.task.Task`; a corpus is a public class whose bases lead to
`datamodules.corpus.Corpus`.
"""

import ast
import gc
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache, cached_property
from importlib import import_module
from importlib.metadata import entry_points
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import yaml

from zoo.errors import InputError

OWN = ("zoo", "datamodules")  # packages whose models and corpora are imported unasked
TASK, CORPUS = "zoo.task.Task", "datamodules.corpus.Corpus"  # what those derive from
RECIPES = Path(__file__).parent / "recipes"
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # in C where there is one: 10 times faster
WITHOUT_FOLDS = dict.fromkeys(("split_seed", "num_folds", "fold"))
RENAMED: dict[str, dict[str, str | None]] = {  # arguments in earlier versions, by family or corpus
    "penn_treebank_windows": {**WITHOUT_FOLDS, "validation_fraction": None},  # had no effect
    "text_file_windows": WITHOUT_FOLDS,
    "object_detection": {
        "match_overlap": "iou_thresh",
        "least_score": "score_thresh",
        "nms_overlap": "nms_thresh",
        "most": "detections_per_img",
    },
}
BACK_ROOMS = ("cli", "training", "checkpoints", "pretrained", "runs", "export")
HEADER = re.compile(r"^(Paper|Shapes|Size|Config|Result|Source|Batch): *(.*(?:\n {2,}.*)*)", re.M)


@dataclass(frozen=True)
class Definition:
    """A class as its source text shows it.

    Attributes:
        name: Name of the class.
        class_path: Module and class, as recipes write it.
        path: Path of the source file.
        summary: First line of the docstring of the class.
        docstring: Docstring of the class.
        header: The `Paper:`, `Shapes:` ... lines of the module; continuation lines joined by " ".
        results: The `Result:` lines of the module, one a recipe.
        bases: Class paths of the direct bases.
        arguments: Arguments of `__init__`, without self and `**`: name -> whether it has a default.
        passes_on: Whether `__init__` takes `**` and passes it to its base.
        facts: Names of the cached properties.
    """

    name: str
    class_path: str
    path: Path
    summary: str
    docstring: str
    header: dict[str, str] = field(repr=False)
    results: tuple[str, ...]
    bases: tuple[str, ...]
    arguments: dict[str, bool]
    passes_on: bool
    facts: frozenset[str]

    @property
    def family(self) -> str:
        """Folder of the file: image_classification, ..."""
        return self.path.parent.name


@cache
def architectures() -> dict[str, Definition]:
    """Returns the architectures of the zoo by class name, in order of family and name.

    After them come those of installed packages; a name of the zoo's is its own.
    """
    found = _headed("zoo", Path(__file__).parent, "Paper")
    return installed("zoo.models") | {
        definition.name: definition
        for path, definition in found.items()
        if TASK in lineage(definition, ancestry(path))
    }


@cache
def installed(group: str) -> dict[str, Definition]:
    """Returns the classes that installed packages add, by class name, from their source text.

    Their distributions name them by entry points: `Mine = "package.module:Mine"`. One whose source
    is not there, or has no such class, is passed over.

    Args:
        group: Group of the entry points: zoo.models or zoo.corpora.
    """
    return {path.rpartition(".")[2]: _source(path)[path] for path in _entry_points(group)}


@cache
def trusted() -> tuple[str, ...]:
    """Returns class paths that installed packages add: who installs one lets it be imported."""
    return (*_entry_points("zoo.models"), *_entry_points("zoo.corpora"))


_all_entry_points = cache(entry_points)  # which reads the metadata of all that is installed


@cache
def _entry_points(group: str) -> tuple[str, ...]:
    found = _all_entry_points().select(group=group)
    paths = sorted(point.value.replace(":", ".") for point in found)
    return tuple(path for path in paths if path in _source(path))


@cache
def _source(class_path: str) -> dict[str, Definition]:
    """Returns the public classes of the module of a class path, without an import of it."""
    package, *inner = class_path.split(".")[:-1]
    try:
        spec = find_spec(package)
        places = [*((spec.submodule_search_locations if spec else None) or [])]
        files = [Path(place, *inner[:-1], f"{inner[-1]}.py") for place in places if inner]
        files += [Path(place, *inner, "__init__.py") for place in places]
        files += [Path(spec.origin)] if spec and spec.origin and not inner else []
        file = next(file for file in files if file.is_file())
        return _classes(class_path.rpartition(".")[0], file)
    except (ImportError, ValueError, OSError, SyntaxError, StopIteration):
        return {}


@cache
def ancestry(class_path: str) -> dict[str, Definition]:
    """Returns a class and its bases of the zoo or of its own package, by class path.

    Only their own files are read, in a tenth of the time of `definitions`. Empty where there is no
    such class.
    """
    found = {path: each for path, each in _source(class_path).items() if path == class_path}
    packages = (*OWN, class_path.partition(".")[0])
    for base in found[class_path].bases if found else ():
        if owner(base, packages):
            found = ancestry(base) | found
    return found


@cache
def scan(package: str, folder: Path) -> dict[str, Definition]:
    """Returns every public class below `folder` that is no back room's, by class path."""
    return _headed(package, folder, "")


@cache
def _headed(package: str, folder: Path, title: str) -> dict[str, Definition]:
    """Returns the classes of `scan` in modules whose docstring has a line `title:`; "" for all.

    To parse the others would take most of the time.
    """
    found: dict[str, Definition] = {}
    others = {path for name in BACK_ROOMS for path in folder.glob(f"{name}/**/*.py")}
    for path in sorted(set(folder.rglob("*.py")) - others):
        source = path.read_text(encoding="utf-8")
        if "class " in source and (not title or f"\n{title}:" in source):
            module = ".".join((package, *path.relative_to(folder).with_suffix("").parts))
            classes = _classes(module, path)
            found |= {p: each for p, each in classes.items() if not title or title in each.header}
    return found


def lineage(definition: Definition, found: dict[str, Definition]) -> list[str]:
    """Returns class paths of all bases, nearest first, as far as the scanned files show them."""
    paths = list(definition.bases)
    for path in definition.bases:
        if path in found:
            paths += lineage(found[path], found)
    return paths


def arguments(definition: Definition, found: dict[str, Definition]) -> dict[str, bool]:
    """Returns arguments of a class and, through `**`, of its bases: name -> has a default."""
    merged = dict(definition.arguments)
    if definition.passes_on:
        for path in definition.bases:
            if path in found:
                merged = {**arguments(found[path], found), **merged}
    return merged


def facts(definition: Definition, found: dict[str, Definition]) -> set[str]:
    """Returns the facts that a corpus offers, its bases' among them."""
    inherited = [found[path].facts for path in lineage(definition, found) if path in found]
    names = set(definition.facts).union(*inherited)
    return {name for name in names if not name.startswith("_")}


def imported(class_path: str) -> Any:
    """Returns the class of a class path; imports its module, which has to be trusted.

    Raises:
        InputError: There is no such module, or no such class in it.
    """
    module, _, name = class_path.rpartition(".")
    try:
        return getattr(import_module(module), name)
    except (ImportError, AttributeError, ValueError, TypeError) as error:
        raise InputError(f"{class_path} cannot be imported ({error})") from None


def is_a(class_path: str, base: str) -> bool:
    """Returns whether that is a class of the zoo, by where it is defined, derived from `base`."""
    definition = definitions().get(class_path)
    return definition is not None and base in lineage(definition, definitions())


def renamed(class_path: str, arguments: dict[str, Any]) -> dict[str, Any]:
    """Returns arguments of a model or corpus that a file may give as earlier versions had them."""
    root, _, rest = class_path.partition(".")
    names = RENAMED.get(rest.partition(".")[0], {}) if root in OWN else {}
    now = {names.get(name, name): value for name, value in arguments.items()}
    return {name: value for name, value in now.items() if name is not None}


def owner(class_path: str, packages: Iterable[str]) -> str | None:
    """Returns the first of some packages that a class is in, if any."""
    return next((name for name in packages if f"{class_path}.".startswith(f"{name}.")), None)


def family_of(cls: type) -> str:
    """Returns the family of a class, or of a user's own; "" where it has none.

    It is the folder, with a task in it, of the nearest base that is the zoo's.
    """
    for base in cls.__mro__:
        root, _, rest = base.__module__.partition(".")
        family = rest.partition(".")[0]
        if root == "zoo" and (Path(__file__).parent / family / "task.py").is_file():
            return family
    return ""


@cache
def _classes(module: str, path: Path) -> dict[str, Definition]:
    """Returns the public classes of a file, by class path."""
    gc.disable()  # trees have many nodes and no garbage: a fifth of the time
    try:
        tree = ast.parse(path.read_text(encoding="utf-8"))
        return {each.class_path: each for each in _defined(tree, module, path)}
    finally:
        gc.enable()


def _defined(tree: ast.Module, module: str, path: Path) -> Iterator[Definition]:
    names = _imported(tree) | {
        node.name: f"{module}.{node.name}" for node in tree.body if isinstance(node, ast.ClassDef)
    }
    lines = [(key, " ".join(text.split())) for key, text in HEADER.findall(_docstring(tree))]
    for node in tree.body:
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            functions = [item for item in node.body if isinstance(item, ast.FunctionDef)]
            init = next((f for f in functions if f.name == "__init__"), None)
            yield Definition(
                name=node.name,
                class_path=f"{module}.{node.name}",
                path=path,
                summary=_docstring(node).partition("\n")[0],
                docstring=_docstring(node),
                header={key: text for key, text in lines if key != "Result"},
                results=tuple(text for key, text in lines if key == "Result"),
                bases=tuple(names.get(ast.unparse(base), ast.unparse(base)) for base in node.bases),
                arguments=_arguments(init),
                passes_on=init is None or init.args.kwarg is not None,
                facts=frozenset(f.name for f in functions if _is_fact(f)),
            )


def _docstring(node: ast.Module | ast.ClassDef) -> str:
    return ast.get_docstring(node) or ""


def _imported(tree: ast.Module) -> dict[str, str]:
    return {
        alias.asname or alias.name: f"{node.module}.{alias.name}"
        for node in tree.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }


def _arguments(init: ast.FunctionDef | None) -> dict[str, bool]:
    if init is None:
        return {}
    positional = [argument.arg for argument in init.args.args][1:]
    required = len(positional) - len(init.args.defaults)
    named = {name: index >= required for index, name in enumerate(positional)}
    for argument, default in zip(init.args.kwonlyargs, init.args.kw_defaults, strict=True):
        named[argument.arg] = default is not None
    return named


def _is_fact(function: ast.FunctionDef) -> bool:
    return any(ast.unparse(item).endswith("cached_property") for item in function.decorator_list)


@dataclass(frozen=True)
class Recipe:
    """One experiment: a file of at most 20 lines whose first line says what it is.

    Attributes:
        name: `<model>-<corpus>`, the name of the file.
        path: Path of the file.
        text: Content of the file.
    """

    name: str
    path: Path
    text: str

    @property
    def summary(self) -> str:
        return self.text.partition("\n")[0].removeprefix("#").strip()

    @cached_property
    def config(self) -> dict[str, Any]:
        """The settings; to be copied before they are changed."""
        return yaml.load(self.text, Loader=LOADER)

    @property
    def model(self) -> str:
        return self.config["model"]["class_path"].rpartition(".")[2]

    @property
    def corpus(self) -> str:
        return self.config["data"]["class_path"].rpartition(".")[2]

    @property
    def result(self) -> str:
        """The measured result, out of the header of the architecture."""
        lines = architectures()[self.model].results if self.model in architectures() else ()
        return next((line for line in lines if line.startswith(f"{self.name}: ")), "")


@cache
def definitions() -> dict[str, Definition]:
    """Returns every public class of both packages, by class path."""
    spec = find_spec("datamodules")
    folders = (spec.submodule_search_locations if spec else None) or []
    found = dict(scan("zoo", Path(__file__).parent))
    for folder in folders:
        found |= scan("datamodules", Path(folder))
    for path in trusted():
        found |= _source(path)
    return found


@cache
def corpora() -> dict[str, Definition]:
    """Returns the corpora by class name: those that say where their data comes from.

    After them come those of installed packages; a name of the zoo's is its own.
    """
    return installed("zoo.corpora") | {
        definition.name: definition
        for path, definition in _sourced("datamodules").items()
        if CORPUS in lineage(definition, ancestry(path))
    }


def _sourced(package: str) -> dict[str, Definition]:
    """Returns the classes of one of the packages that say what they are from."""
    spec = find_spec(package)
    folders = (spec.submodule_search_locations if spec else None) or []
    found: dict[str, Definition] = {}
    for folder in folders:
        found |= _headed(package, Path(folder), "Source")
    return found


@cache
def optimizers() -> dict[str, str]:
    """Returns class paths of optimizers by class name: the zoo's, and torch's of the same name.

    The others differ in the papers' spelling: AdaGrad is the zoo's, Adagrad torch's.
    """
    torchs = {name: f"torch.optim.{name}" for name in ("SGD", "Adam")}
    return _derived_from("torch.optim.Optimizer") | torchs


@cache
def schedules() -> dict[str, str]:
    """Returns class paths of the zoo's own learning-rate schedules by class name."""
    module = "torch.optim.lr_scheduler"
    return _derived_from(f"{module}.LRScheduler", f"{module}.ReduceLROnPlateau")


def _derived_from(*bases: str) -> dict[str, str]:
    return {
        definition.name: path
        for path, definition in _sourced("zoo").items()
        if {*bases} & {*lineage(definition, ancestry(path))}
    }


@cache
def recipes() -> dict[str, Recipe]:
    """Returns the recipes by name."""
    paths = sorted(set(RECIPES.glob("*/*.yaml")) - set(RECIPES.glob("overlays/*.yaml")))
    return {p.stem: Recipe(p.stem, p, p.read_text(encoding="utf-8")) for p in paths}
