"""Hostile configurations: nothing of a package that is not trusted is imported."""

import sys
from collections.abc import Iterator
from contextlib import chdir, redirect_stderr
from io import StringIO
from itertools import islice, product
from pathlib import Path
from typing import Any

import yaml

from scripts.durability.trial import Outcome
from zoo.cli.main import main

SETTINGS: dict[str, Any] = {
    "model": {"class_path": "LeNet"},
    "data": {"class_path": "FashionMNIST", "init_args": {"synthetic": True}},
    "trainer": {"max_epochs": 1, "accelerator": "cpu", "limit_train_batches": 1},
}
PLACES = (
    *("model", "model.class_path", "data", "data.class_path"),
    *("model.init_args.optimizer", "model.init_args.optimizer.class_path"),
    *("model.init_args.lr_scheduler", "model.init_args.lr_scheduler.class_path"),
    *("trainer.callbacks", "trainer.callbacks.0", "trainer.callbacks.0.class_path"),
    *("trainer.logger", "trainer.logger.class_path", "trainer.accelerator"),
    *("trainer.strategy", "trainer.strategy.class_path"),
    *("trainer.plugins.0.class_path", "trainer.profiler.class_path"),
)
NAMES = (
    *("evil.C", "evil.inner.C", " evil.C", "evil.f", "evil.C.D", "evil_package.C", "os.system"),
    *("subprocess.Popen", "builtins.exec", "zoo.cli.main.os.system", "torch.optim.evil.C"),
    "evil.yaml",
)
TRACE = "imported"


def put(settings: Any, place: str, value: Any) -> Any:
    """The settings with a value at a dotted place; numbers stand for items of lists."""
    name, _, rest = place.partition(".")
    if rest:
        inner = settings.get(name) if isinstance(settings, dict) else None
        value = put(inner if isinstance(inner, dict) else {}, rest, value)
    return [value] if name.isdigit() else {**settings, name: value}


def write_evil(folder: Path) -> Path:
    """Writes packages that leave a trace when they are imported; returns where it would be."""
    trace = folder / TRACE
    for file in ("evil.py", "evil_package/__init__.py"):
        path = folder / "path" / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"open({str(trace)!r}, 'a').write('x')\nclass C: pass\nf = C\n")
    (folder / "evil.yaml").write_text("class_path: evil.C\n")
    return trace


def commands() -> Iterator[list[str]]:
    """Ways to name a foreign class: in a file, which lies in the folder then, and by an option."""
    for place, name in product(PLACES, NAMES):
        Path("hostile.yaml").write_text(yaml.safe_dump(put(SETTINGS, place, name)))
        yield ["fit", "--config", "hostile.yaml", "--wandb", "disabled"]
    recipe = ["fit", "lenet-fashion_mnist", "--data.synthetic", "true", "--wandb", "disabled"]
    for option, name in product(
        (
            *("--trainer.callbacks+", "--trainer.logger", "--trainer.strategy"),
            *("--model.optimizer", "--model.lr_scheduler", "--model.optimizer.class_path"),
            *("--trainer.callbacks.help", "--model.optimizer.help"),
        ),
        NAMES,
    ):
        yield [*recipe, f"{option}={name}"]
        yield [*recipe, f'{option}={{"class_path": "{name}"}}']
    for name in NAMES:
        yield ["fit", "--model", name, "--data", "FashionMNIST", "--data.synthetic", "true"]
        yield ["fit", "--model", "LeNet", "--data", name]


def check(count: int, folder: Path) -> Outcome:
    """Runs them in this process, with the packages on its path."""
    outcome = Outcome()
    trace = write_evil(folder)
    sys.path.insert(0, str(folder / "path"))
    try:
        with chdir(folder):
            for command in islice(commands(), count):
                outcome.count(_refused(command, trace))
    finally:
        sys.path.remove(str(folder / "path"))
    return outcome


def _refused(command: list[str], trace: Path) -> str | None:
    said = StringIO()
    try:
        with redirect_stderr(said):
            code = main(command)
    except BaseException as error:
        return f"{command}: a traceback: {type(error).__name__}: {error}"
    if trace.exists():
        trace.unlink()
        return f"{command}: imported"
    if code != 2 or len(said.getvalue().strip().splitlines()) != 1:
        return f"{command}: exit code {code}: {said.getvalue()}"
    return f"{command}: left a run" if Path("runs").exists() else None
