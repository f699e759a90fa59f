"""W&B: offline unless asked, no secrets, no paths, and a dead server delays nothing for long."""

import time
from pathlib import Path

import pytest

from zoo.cli.main import main
from zoo.training.wandb_logger import finish, make_logger, redact

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
def test_a_dead_server_costs_seconds_and_no_run(mode, tmp_path, monkeypatch):
    monkeypatch.setenv("WANDB_MODE", "online")
    monkeypatch.setenv("WANDB_BASE_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("WANDB_API_KEY", "0" * 40)
    for name in ("HTTPS_PROXY", "https_proxy"):
        monkeypatch.delenv(name, raising=False)
    start = time.perf_counter()
    with pytest.warns(UserWarning, match="logged offline"):
        logger = make_logger(tmp_path, mode)
    assert time.perf_counter() - start < 10
    assert logger.experiment.offline
    finish()


def test_no_login_is_said_and_logged_offline(tmp_path, monkeypatch):
    monkeypatch.delenv("WANDB_API_KEY", raising=False)
    monkeypatch.setenv("NETRC", str(tmp_path / "none"))
    with pytest.warns(UserWarning, match="wandb login"):
        logger = make_logger(tmp_path, "online")
    assert logger.experiment.offline
    finish()


def test_disabled_is_no_logger(tmp_path):
    assert make_logger(tmp_path, "disabled") is None
