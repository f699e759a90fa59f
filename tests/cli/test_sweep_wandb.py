"""Sweeps that a server of W&B draws, and what is done without one."""

import json
import os
import socket
import sys
import time
from pathlib import Path

import pytest

from tests.cli.conftest import results, write_sweep
from zoo.cli.main import main
from zoo.cli.sweep import online
from zoo.cli.sweep.file import read_sweep
from zoo.errors import InputError
from zoo.runs import wandb_logger

pytestmark = pytest.mark.usefixtures("stand_in")


@pytest.fixture
def logged_in(monkeypatch):
    """A key for a server; what W&B remembers of another is forgotten."""
    for name in ("HTTPS_PROXY", "https_proxy", "WANDB_MODE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("WANDB_API_KEY", "0" * 40)
    wandb_logger.finish()
    yield
    wandb_logger.finish()


ONE = {"parameters": {"model.quality": {"value": 0.5}}}


@pytest.mark.parametrize("asked", ["option", pytest.param("variable", marks=pytest.mark.slow)])
def test_a_dead_server_is_said_and_optuna_draws(asked, logged_in, monkeypatch, capsys):
    monkeypatch.setenv("WANDB_BASE_URL", "http://127.0.0.1:9")
    argv = ["--wandb", "online"] if asked == "option" else []
    if asked == "variable":
        monkeypatch.setenv("WANDB_MODE", "online")
    assert main(["sweep", write_sweep(ONE), *argv]) == 0
    first = capsys.readouterr().out.splitlines()[0]
    assert first.startswith("the sweep runs on this machine, W&B offline: ")
    assert "does not answer" in first
    assert len(results()) == 1


@pytest.mark.parametrize(
    "listens",
    [pytest.param(False, id="dead"), pytest.param(True, id="silent", marks=pytest.mark.slow)],
)
def test_a_server_is_not_waited_for_longer_than_ten_seconds(listens, logged_in, monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as server:
        monkeypatch.setenv("WANDB_BASE_URL", f"http://127.0.0.1:{server.getsockname()[1]}")
        if not listens:
            server.close()
        plan = read_sweep(Path(write_sweep(ONE)))
        begun_at = time.perf_counter()
        with pytest.raises(InputError, match=r"not answer|no answer in 8 s"):
            online.create(plan, [], Path("runs"), None)
        assert time.perf_counter() - begun_at < 30


def test_no_login_is_said(logged_in, monkeypatch, tmp_path, capsys):
    monkeypatch.delenv("WANDB_API_KEY")
    monkeypatch.setenv("NETRC", str(tmp_path / "none"))
    assert main(["sweep", write_sweep(ONE), "--wandb", "online"]) == 0
    assert "wandb login" in capsys.readouterr().out.splitlines()[0]


def test_online_the_server_draws_and_agents_run(logged_in, monkeypatch):
    import wandb

    asked = {}

    def create(config, entity=None, project=None):
        asked.update(config=config, entity=entity, project=project)
        return "abc"

    script = "import json, os, sys; json.dump([sys.argv[1:], dict(os.environ)], open('agent', 'w'))"
    monkeypatch.setattr(wandb, "sweep", create)
    monkeypatch.setattr(wandb_logger, "unreachable", lambda *_: None)
    monkeypatch.setattr(online, "AGENT", (sys.executable, "-c", script))
    nested = {"model": {"parameters": {"optimizer.init_args.lr": {"values": [1, 2]}}}}
    path = write_sweep(parameters=nested, entity="me", run_cap=5)
    argv = ["--wandb", "online", "--count", "3", "--trainer.max_epochs", "1", "--jobs", "1"]
    argv += ["--allow", "mine"]
    assert main(["sweep", path, *argv]) == 0
    config = asked["config"]
    assert config["parameters"] == {"model.optimizer.init_args.lr": {"values": [1, 2]}}
    assert config["command"] == [
        *("zoo", "fit", "lenet-fashion_mnist", "--trainer.max_epochs=1", "--allow=mine"),
        *("--wandb", "online", "--runs", "runs", "${args}"),
    ]
    assert (config["program"], config["run_cap"], config["name"]) == ("zoo", 3, "s")
    assert (asked["entity"], asked["project"]) == ("me", "zoo")
    arguments, environment = json.loads(Path("agent").read_text())
    assert arguments == ["--forward-signals", "--project", "zoo", "--entity", "me", "abc"]
    assert environment["WANDB_MODE"] == "online"
    assert environment["PATH"].split(os.pathsep)[0] == str(Path(sys.executable).parent)
    assert not Path("runs").exists()
