"""W&B: offline unless asked, no secrets, no paths, and a dead server delays nothing for long."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
import torch

from zoo.cli.main import main
from zoo.runs import wandb_logger
from zoo.runs.redaction import redact
from zoo.runs.wandb_logger import finish, make_logger, within
from zoo.runs.wandb_options import WandbOptions

RECIPE = "softmax_regression-fashion_mnist"
QUICK = [
    *("--data.synthetic", "true", "--trainer.max_epochs", "1"),
    *("--trainer.accelerator", "cpu", "--trainer.enable_model_summary", "false"),
]


def test_redacts_secrets_and_paths():
    settings = {
        "model": {"lr": 0.1, "api_key": "CANARY", "_class_path": "x", "tokenizer": "word"},
        "data": {"root": "/home/me/data", "list": ["~/x", "plain"], "token": "CANARY"},
    }
    assert redact(settings) == {
        "model": {"lr": 0.1, "tokenizer": "word"},
        "data": {"root": "data", "list": ["x", "plain"]},
    }


@pytest.mark.drawn
def test_an_offline_run_holds_metrics_and_pictures_but_no_canary(tmp_path, monkeypatch):
    monkeypatch.delenv("WANDB_MODE")
    monkeypatch.setenv("WANDB_API_KEY", "CANARY" + "0" * 34)
    assert main(["fit", RECIPE, *QUICK, "--data.root", str(tmp_path / "CANARY-folder")]) == 0
    (run,) = Path(f"runs/{RECIPE}/1/wandb").glob("offline-run-*")
    pictures = list(run.rglob("*.png"))
    assert len(pictures) == 2
    content = b"".join(path.read_bytes() for path in run.glob("*.wandb"))
    assert b"val/accuracy" in content
    assert b"torch.optim.Adam" in content
    for path in [p for p in run.rglob("*") if p.is_file() and p.suffix != ".png"]:
        if "logs" not in path.relative_to(run).parts:
            assert str(tmp_path).encode() not in path.read_bytes(), path
        assert b"CANARY0" not in path.read_bytes(), path


@pytest.mark.parametrize("mode", ["online", None])
def test_a_dead_server_costs_seconds_and_no_run(mode, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("WANDB_MODE", "online")
    monkeypatch.setenv("WANDB_BASE_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("WANDB_API_KEY", "0" * 40)
    for name in ("HTTPS_PROXY", "https_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(wandb_logger, "PATIENCE", 40)  # which a busy machine keeps within
    start = time.perf_counter()
    logger = make_logger(tmp_path, WandbOptions(mode))
    assert time.perf_counter() - start < 30
    assert logger.experiment.offline
    (line,) = capsys.readouterr().err.splitlines()
    assert line == "zoo: W&B is logged offline: 127.0.0.1 does not answer (Connection refused)"
    finish()


def test_a_silent_server_costs_seconds_and_no_run(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("WANDB_API_KEY", "0" * 40)
    monkeypatch.setattr(wandb_logger, "PATIENCE", 5)
    with socket.create_server(("127.0.0.1", 0)) as server:
        monkeypatch.setenv("WANDB_BASE_URL", f"http://127.0.0.1:{server.getsockname()[1]}")
        start = time.perf_counter()
        logger = make_logger(tmp_path, WandbOptions("online"))
        assert time.perf_counter() - start < 30
    assert logger.experiment.offline
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("zoo: W&B is logged offline: ")
    finish()


@pytest.mark.parametrize("terminal", [True, False])
def test_no_login_is_said_and_asked_for_nowhere(terminal, tmp_path):
    names = ("WANDB_API_KEY", "WANDB_MODE")
    mine = {name: value for name, value in os.environ.items() if name not in names}
    mine |= {"HOME": str(tmp_path), "NETRC": str(tmp_path / "none")}
    code = (
        "from pathlib import Path; from zoo.runs.wandb_logger import *\n"
        "print(make_logger(Path('run'), WandbOptions('online')).experiment.offline); finish()"
    )
    main_end, other_end = os.openpty() if terminal else os.pipe()
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        stdin=other_end if terminal else subprocess.DEVNULL,
        stdout=other_end,
        stderr=subprocess.STDOUT,
        env=mine,
        start_new_session=True,
    )
    assert process.wait(50) == 0
    said = os.read(main_end, 10_000).decode().splitlines()
    assert said == [
        "zoo: W&B is logged offline: no login was found (`wandb login` makes one)",
        "True",
    ]


def test_disabled_is_no_logger(tmp_path):
    assert make_logger(tmp_path, WandbOptions("disabled")) is None


def service():
    """W&B's process of this one."""
    children = psutil.Process().children()
    alive = [child for child in children if child.status() != psutil.STATUS_ZOMBIE]
    (found,) = [child for child in alive if "wandb-core" in child.name()]
    return found


@pytest.mark.parametrize("fault", [signal.SIGSTOP, signal.SIGKILL, signal.SIGTERM])
@pytest.mark.parametrize("logged", [1, 100])
def test_a_service_that_is_gone_is_not_waited_for(fault, logged, tmp_path, monkeypatch, capsys):
    monkeypatch.delenv("WANDB_MODE")
    logger = make_logger(tmp_path, WandbOptions("offline"))
    for step in range(logged):
        logger.experiment.log({"loss": step})
    monkeypatch.setattr(wandb_logger, "PATIENCE", 1)
    found = service()
    found.send_signal(fault)
    if fault != signal.SIGSTOP:
        psutil.wait_procs([found], timeout=5)
    start = time.perf_counter()
    finish()
    assert time.perf_counter() - start < 30
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(("zoo: W&B took longer than", "zoo: W&B did not finish the run"))
    monkeypatch.setattr(wandb_logger, "PATIENCE", 40)
    again = make_logger(tmp_path / "next", WandbOptions("offline"))
    again.experiment.log({"loss": 0})  # by a new service
    finish()
    assert list((tmp_path / "next" / "wandb").rglob("*.wandb"))


@pytest.mark.parametrize("fault", [signal.SIGSTOP, signal.SIGKILL])
def test_nothing_is_logged_to_a_service_that_is_gone(fault, tmp_path, monkeypatch, capsys):
    logger = make_logger(tmp_path, WandbOptions("offline"))
    logger.log_metrics({"loss": 0.0}, 0)
    monkeypatch.setattr(wandb_logger, "PATIENCE", 1)
    run_id, found = logger.version, service()
    found.send_signal(fault)
    start = time.perf_counter()
    text = "x" * 1_000_000  # more than waits on the way to a service that is stopped
    for step in range(5):
        logger.log_metrics({"loss": step, "text": text}, step)
        logger.log_hyperparams({"step": step})
        logger.log_image("picture", [torch.zeros(3, 8, 8)])
        logger.log_text("words", columns=["word"], data=[["a"]])
        logger.summarize({"step": step})
    logger.experiment.log({"loss": 0})  # as users do
    finish()
    assert time.perf_counter() - start < 30
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("zoo: W&B logs no further (")
    assert logger.version == run_id
    assert not psutil.wait_procs([found], timeout=5)[1]


def test_a_resumed_run_continues_its_run_of_w_and_b(monkeypatch):
    monkeypatch.setenv("WANDB_MODE", "offline")
    assert main(["fit", RECIPE, *QUICK]) == 0
    last = f"runs/{RECIPE}/1/checkpoints/last.ckpt"
    longer = ["--trainer.max_epochs", "2", "--model.lr_scheduler", "null"]
    assert main(["fit", RECIPE, *QUICK, *longer, "--ckpt_path", last]) == 0
    ids = [path.name.rpartition("-")[2] for path in Path().glob("runs/*/*/wandb/offline-run-*")]
    assert len(ids) == 2
    assert len(set(ids)) == 1


@pytest.mark.parametrize(
    "fault", [signal.SIGSTOP, pytest.param(signal.SIGKILL, marks=pytest.mark.slow)]
)
def test_nor_does_the_end_of_a_process_wait(fault, tmp_path):
    code = (
        "import psutil; from pathlib import Path; from zoo.runs import wandb_logger\n"
        "for _ in range(2):\n"  # a run has a service of its own
        "    wandb_logger.finish()\n"
        "    options = wandb_logger.WandbOptions('offline')\n"
        "    wandb_logger.make_logger(Path(), options).experiment.log({'loss': 0})\n"
        "(service,) = [c for c in psutil.Process().children() if 'wandb-core' in c.name()]\n"
        f"wandb_logger.PATIENCE = 1; service.send_signal({int(fault)}); print(service.pid)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=50)
    assert (done.returncode, done.stderr) == (0, "")
    assert not psutil.pid_exists(int(done.stdout))


def test_a_call_that_does_not_return_is_left_behind():
    assert within(5, lambda: 3) == 3
    with pytest.raises(ZeroDivisionError):
        within(5, lambda: 1 / 0)
    with pytest.raises(TimeoutError, match="no answer in 0 s"):
        within(0.1, lambda: time.sleep(5))
