"""What the tests share: discovery by walking, a cache of stand-ins, the real corpora if present."""

import os
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from datamodules.errors import CorpusError
from zoo.catalogue import Definition, architectures
from zoo.cli.main import main
from zoo.cli.names import Recipe, recipes

REAL = os.environ.pop("ZOO_DATA", os.environ.get("ZOO_REAL_DATA"))
if REAL:
    os.environ["ZOO_REAL_DATA"] = REAL  # for the processes that pytest-xdist starts
ROOT = Path(__file__).parent.parent

settings.register_profile("zoo", derandomize=True, deadline=None)
settings.load_profile("zoo")


@pytest.fixture(scope="session", autouse=True)
def _stand_ins(tmp_path_factory):
    """Stand-ins are written once for all tests; nothing of the user's is read or written."""
    os.environ["ZOO_CACHE"] = str(tmp_path_factory.mktemp("cache"))
    os.environ.setdefault("WANDB_MODE", "disabled")


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("PL_GLOBAL_SEED", "ZOO_RUN", "SLURM_JOB_ID"):
        monkeypatch.delenv(name, raising=False)


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


def imported(class_path: str) -> Any:
    module, _, name = class_path.rpartition(".")
    return getattr(import_module(module), name)


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


def refused(action: Callable[..., Any], *args: Any, **kwargs: Any) -> str:
    """The one line that a corpus says of bad input."""
    with pytest.raises(CorpusError) as caught:
        action(*args, **kwargs)
    message = str(caught.value)
    assert "\n" not in message
    return message
