"""What the tests share: tiers, discovery by walking, a cache of stand-ins, the real corpora."""

import csv
import hashlib
import math
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from shutil import rmtree
from typing import Any

import hypothesis
import pytest
from filelock import FileLock
from jaxtyping import install_import_hook

ROOT = Path(__file__).parent.parent


# A model and datamodules of others, which know nothing of the zoo.
PLAIN = '''
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset, default_collate
from lightning.pytorch import LightningDataModule, LightningModule


class Squares(LightningDataModule):
    """Numbers and their squares."""

    def __init__(self, count: int = 64, batch_size: int = 16):
        super().__init__()
        self.count, self.batch_size = count, batch_size

    def train_dataloader(self):
        x = torch.linspace(-1, 1, self.count)[:, None]
        return DataLoader(TensorDataset(x, x**2), batch_size=self.batch_size)

    val_dataloader = test_dataloader = predict_dataloader = train_dataloader


class Pictures(LightningDataModule):
    """Noise."""

    def train_dataloader(self):
        images = torch.rand(32, 1, 28, 28, generator=torch.Generator().manual_seed(0))
        rows = TensorDataset(images, torch.arange(32) % 10)
        return DataLoader(rows, batch_size=16, collate_fn=lambda some: (*default_collate(some),))

    val_dataloader = test_dataloader = train_dataloader


class Net(LightningModule):
    """A network of one hidden layer."""

    def __init__(self, hidden: int = 8, lr: float = 0.1, predicts: str = "numbers"):
        super().__init__()
        self.save_hyperparameters()
        self.net = nn.Sequential(nn.Linear(1, hidden), nn.ReLU(), nn.Linear(hidden, 1))
        self.lr, self.kind = lr, predicts

    def forward(self, x):
        return self.net(x)

    def loss(self, name, batch):
        loss = ((self(batch[0]) - batch[1]) ** 2).mean()
        self.log(name, loss)
        return loss

    def training_step(self, batch, batch_idx):
        return self.loss("train_loss", batch)

    def validation_step(self, batch, batch_idx):
        self.loss("val_loss", batch)

    def test_step(self, batch, batch_idx):
        self.loss("test_loss", batch)

    def predict_step(self, batch, batch_idx):
        y = self(batch[0])
        return {"numbers": y, "maps": y[:, None], "objects": {"y": y[:2, 0]}}[self.kind]

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), self.lr)


class Other:
    """Neither."""
'''


def modules_that_say(words: str) -> list[str]:
    """Modules of the zoo whose source holds these words."""
    paths = [p for p in (ROOT / "zoo").rglob("*.py") if words in p.read_text("utf-8")]
    return [".".join(p.relative_to(ROOT).with_suffix("").parts) for p in paths]


# Shapes are checked where signatures name them; elsewhere each call would cost for nothing.
install_import_hook(modules_that_say("zoo.shapes"), "beartype.beartype")

from datamodules.files.errors import CorpusError  # noqa: E402
from zoo.catalogue import (  # noqa: E402
    Definition,
    Recipe,
    architectures,
    arguments,
    corpora,
    definitions,
    recipes,
)
from zoo.cli.main import main  # noqa: E402

REAL = os.environ.pop("ZOO_DATA", os.environ.get("ZOO_REAL_DATA"))
if REAL:
    os.environ["ZOO_REAL_DATA"] = REAL  # for the processes that pytest-xdist starts
TIERS = Path(__file__).with_name("tiers.csv")
STAND_INS = ROOT / ".pytest_cache" / "stand-ins"
LONGEST = 5.0  # seconds of the processor that a test of the first tier may take
HANDLERS = {signal.SIGINT: signal.default_int_handler}
LIMIT = pytest.StashKey[float]()  # seconds of the processor that a test may take
LIMITS = {"first": 60, "rest": 300, "slow": 3600}  # seconds after which a test hangs
SMALL = [  # options with which a recipe takes seconds; see `shrunk`
    *("--data.synthetic", "true", "--data.batch_size", "32"),
    *("--trainer.max_epochs", "1", "--trainer.limit_train_batches", "2"),
    *("--trainer.limit_val_batches", "2", "--trainer.log_every_n_steps", "1"),
    *("--trainer.accelerator", "cpu", "--trainer.enable_model_summary", "false"),
]
SIDE = 72  # no network needs larger pictures
WIDTH = 1 / 16

# Tiers


def pytest_addoption(parser):
    parser.addoption(
        "--tier",
        choices=("first", "rest", "all"),
        default="all",
        help="first: what tests/tiers.csv does not leave to the rest; all but slow by default",
    )
    parser.addoption(
        "--tries", default="few", metavar="N", help="tries of a durability test: few, full or N"
    )


def pytest_configure(config):
    first = config.getoption("--tier") == "first" and not os.environ.get("CI")
    hypothesis.settings.register_profile(
        "zoo", derandomize=True, deadline=None, max_examples=30 if first else 100
    )
    hypothesis.settings.load_profile("zoo")
    for number in (signal.SIGINT, signal.SIGHUP):  # which nohup, or a shell's &, has ignored
        if signal.getsignal(number) == signal.SIG_IGN:
            signal.signal(number, HANDLERS.get(number, signal.SIG_DFL))


def pytest_collection_modifyitems(config, items):
    """Keeps the tests of the tier that is asked for, and gives each its limit."""
    with TIERS.open(encoding="utf-8", newline="") as file:
        measured = {row["test"]: row["tier"] for row in csv.DictReader(file)}
    kept, left, wanted = [], [], config.getoption("--tier")
    strict = (STAND_INS / digest()).exists()  # else tests write what others find
    for item in items:
        tier = "slow" if item.get_closest_marker("slow") else measured.get(item.nodeid, "first")
        if not item.get_closest_marker("timeout"):
            item.add_marker(pytest.mark.timeout(LIMITS[tier]))
        item.stash[LIMIT] = math.inf
        if wanted == "first":
            item.stash[LIMIT] = LONGEST if strict and item.nodeid not in measured else 4 * LONGEST
        (kept if wanted in ("all", tier) else left).append(item)
    config.hook.pytest_deselected(items=left)
    items[:] = kept


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item):
    """Refuses a test of the first tier that takes too long, above all a new one."""
    busy, begun = time.process_time(), time.monotonic()
    result = yield
    waited = (time.monotonic() - begun) / 4  # for processes, say, on a machine that others use too
    refuse_long(item.nodeid, max(time.process_time() - busy, waited), item.stash[LIMIT])
    return result


def refuse_long(name: str, seconds: float, limit: float) -> None:
    """Fails a test that took more seconds than the first tier allows."""
    if seconds > limit:
        pytest.fail(
            f"took {seconds:.1f} s, of {limit:g} s in the first tier: make it quicker, or move it "
            f'with a line of tests/tiers.csv: rest,{seconds:.2f},"{name}"'
        )


# What all tests begin with


def digest() -> str:
    """Returns a hash of what writes stand-ins: the corpora's code and the libraries that draw."""
    found = hashlib.sha256(f"{sys.version} {version('numpy')} {version('pillow')}".encode())
    for path in sorted((ROOT / "datamodules").rglob("*.py")):
        found.update(path.read_bytes())
    return found.hexdigest()[:16]


@pytest.fixture(scope="session", autouse=True)
def _stand_ins(tmp_path_factory):
    """Stand-ins are written once for all workers and runs of a version of the corpora.

    Nothing of the user's is read or written.
    """
    cache = tmp_path_factory.mktemp("cache")
    with suppress(OSError):  # a checkout that cannot be written, where each worker has its own
        mine = STAND_INS / digest()
        mine.mkdir(parents=True, exist_ok=True)
        with FileLock(STAND_INS / "lock"):
            os.utime(mine)  # in use
            for other in STAND_INS.iterdir():
                if other.is_dir() and other != mine and time.time() - other.stat().st_mtime > 86400:
                    rmtree(other)
        (cache / "synthetic").symlink_to(mine)
    os.environ["ZOO_CACHE"] = str(cache)
    os.environ.setdefault("WANDB_MODE", "disabled")


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("PL_GLOBAL_SEED", "ZOO_RUN", "SLURM_JOB_ID"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(autouse=True)
def _undrawn(request, monkeypatch):
    """No task draws but in tests marked `drawn`: a short run would spend half its time on it."""
    if request.node.get_closest_marker("drawn"):
        return
    for task in drawing_tasks():
        monkeypatch.setattr(task, "pictures", lambda self, folder: [])


@cache
def drawing_tasks() -> list[type]:
    """The classes that say which pictures there are."""
    modules = map(import_module, modules_that_say("def pictures(self"))
    found = [value for module in modules for value in vars(module).values()]
    return [cls for cls in found if isinstance(cls, type) and "pictures" in vars(cls)]


@pytest.fixture
def real_data():
    if REAL is None:
        pytest.skip("the real corpora are not here: set ZOO_DATA to their folder")
    return Path(REAL)


@pytest.fixture(scope="session")
def torchvisions(tmp_path_factory):
    """Random weights where torchvision's are looked for."""
    import torch
    from torchvision.models import get_model, get_model_weights
    from torchvision.models.vgg import cfgs, make_layers

    folder = tmp_path_factory.mktemp("torch") / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    for name in ("resnet18", "resnet34"):
        url = get_model_weights(name)["DEFAULT"].url
        torch.save(get_model(name, weights=None).state_dict(), folder / url.rpartition("/")[2])
    url = get_model_weights("vgg19")["DEFAULT"].url
    features = make_layers(cfgs["E"]).state_dict()  # all that paintings are judged by
    weights = {f"features.{name}": value for name, value in features.items()}
    torch.save(weights, folder / url.rpartition("/")[2])
    return folder.parent.parent


def all_architectures() -> list[Definition]:
    return list(architectures().values())


def all_recipes() -> list[Recipe]:
    return list(recipes().values())


def shrunk(recipe: Recipe) -> list[str]:
    """Options that make a recipe small: few and small pictures where it resizes them, few filters.

    What is smaller already stays as it is.
    """
    model, data = (recipe.config[group].get("init_args") or {} for group in ("model", "data"))
    options = [*SMALL]
    given = arguments(corpora()[recipe.corpus], definitions())
    if "sizes" in given:  # of one pair of pictures, which is every batch
        at = options.index("--data.batch_size")
        options[at : at + 2] = ["--data.sizes", "[48, 64]"]
    if "size" in given:  # of files of any size
        judged = "features" in model  # by a network that takes smaller ones too
        options += ["--data.size", "32" if judged else str(SIDE), "--data.batch_size", "8"]
    if model.get("features") == "torchvision" and "sizes" not in given:  # of full width
        options += ["--data.batch_size", "2"]
    if {"size", "crop_size"} <= set(given):
        options += ["--data.crop_size", "64"]
    if "resize" in data:
        options += ["--data.resize", str(min(data["resize"], SIDE)), "--data.batch_size", "8"]
    known = arguments(architectures()[recipe.model], definitions())
    if "width_ratio" in known and "weights" not in model:
        least = 0.25 if model.get("channels_last") else WIDTH  # where narrower is not safe
        ratio = min(model.get("width_ratio", 1.0), least)
        options += ["--model.width_ratio", str(ratio)]
    return options


def imported(class_path: str) -> Any:
    module, _, name = class_path.rpartition(".")
    return getattr(import_module(module), name)


def tensors(value: Any) -> Iterator[Any]:
    """All tensors in tuples, lists and dictionaries."""
    import torch

    if isinstance(value, torch.Tensor):
        yield value
    elif isinstance(value, dict | list | tuple):
        for one in value.values() if isinstance(value, dict) else value:
            yield from tensors(one)


def drawn(*shape: int, seed: int = 0, dtype: Any = float) -> Any:
    """Values from N(0, 1), in double precision by default."""
    import torch

    dtype = torch.float64 if dtype is float else dtype
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


@pytest.fixture
def evil(tmp_path, monkeypatch):
    """Writes packages that leave a trace when they are imported or called; returns where."""
    trace = tmp_path / "trace"
    text = f"def f(*a, **k): open({str(trace)!r}, 'a').write('x')\nf()\nclass C(dict):\n"
    for file in ("evil.py", "evil_package/__init__.py", "evil_package/inner.py"):
        path = tmp_path / "path" / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{text}    __init__ = __call__ = method = f\n")
    Path("evil.yaml").write_text("class_path: evil.C\n")
    monkeypatch.syspath_prepend(tmp_path / "path")
    yield trace
    for name in [
        name for name in sys.modules if name.partition(".")[0] in ("evil", "evil_package")
    ]:
        del sys.modules[name]


def fails(capsys, *argv: str) -> str:
    """The one line that a bad command prints."""
    before = sorted(Path().rglob("*"))
    assert main(list(argv)) == 2
    captured = capsys.readouterr()
    lines = [line for line in captured.err.splitlines() if line.strip()]
    assert len(lines) == 1, captured.err
    assert lines[0].startswith("zoo: ")
    assert "Traceback" not in captured.err + captured.out
    assert sorted(Path().rglob("*")) == before, "something was left behind"
    return lines[0]


@contextmanager
def one_line(kind: type[Exception], match: str | None = None) -> Iterator[pytest.ExceptionInfo]:
    """Expects an error whose message is one line."""
    with pytest.raises(kind, match=match) as caught:
        yield caught
    message = str(caught.value)
    assert not set("\r\n") & set(message)
    assert len(message) < 2000


def refused(action: Callable[..., Any], *args: Any, **kwargs: Any) -> str:
    """The one line that a corpus says of bad input."""
    with one_line(CorpusError) as caught:
        action(*args, **kwargs)
    return str(caught.value)


def quiet_trainer(**options: Any) -> Any:
    """A Trainer on the CPU that shows, logs and keeps nothing but what `options` ask for."""
    from lightning.pytorch import Trainer

    silent = dict.fromkeys(("logger", "enable_checkpointing", "enable_progress_bar"), False)
    silent |= {"enable_model_summary": False, "num_sanity_val_steps": 0, "accelerator": "cpu"}
    length = {} if "max_steps" in options else {"max_epochs": 1}
    return Trainer(**{**silent, **length, **options})
