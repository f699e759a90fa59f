"""Weights & Biases: offline unless asked, redacted, and never in the way of a run."""

import os
import re
import socket
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from lightning.pytorch.loggers import WandbLogger
from lightning.pytorch.utilities import rank_zero_only, rank_zero_warn

PATIENCE = 10  # seconds that a server may take
SECRET = re.compile(r"(^|_)(api_?key|key|token|secret|password|passwd|credential)s?$", re.I)


class RedactedWandbLogger(WandbLogger):
    """A WandbLogger that sends no secret, no absolute path and no code."""

    def log_hyperparams(self, params: Any) -> None:
        super().log_hyperparams(redact(dict(params)))


def make_logger(
    folder: Path, mode: str | None, settings: dict[str, Any] | None = None
) -> RedactedWandbLogger | None:
    """The logger of a run, its files in `folder`; None where W&B is disabled.

    Args:
        folder: Of the run.
        mode: online, offline or disabled; by default $WANDB_MODE, else offline. A login found on
            the machine uploads nothing unasked.
        settings: Of the run; shown without secrets and paths.
    """
    mode = mode or os.environ.get("WANDB_MODE") or "offline"
    if mode == "disabled":
        return None
    first = getattr(rank_zero_only, "rank", 0) == 0
    if mode == "online" and first and (reason := unreachable()):
        rank_zero_warn(f"W&B is logged offline: {reason}")
        mode = "offline"
    logger = _logger(folder, mode, settings)
    if mode == "online" and first:
        try:
            logger.experiment  # noqa: B018  connects now, so that a failure can be mended
        except Exception as error:
            reason = str(error).partition("\n")[0]
            rank_zero_warn(f"W&B is logged offline: {reason}")
            logger = _logger(folder, "offline", settings)
    return logger


def finish() -> None:
    """Ends the W&B run of this process, if there is one: its files are whole from then on."""
    if wandb := sys.modules.get("wandb"):
        wandb.finish()


def _logger(folder: Path, mode: str, config: dict[str, Any] | None) -> RedactedWandbLogger:
    import wandb

    os.environ["WANDB_MODE"] = mode
    wandb.setup(settings=wandb.Settings(silent=True))
    options = wandb.Settings(
        init_timeout=PATIENCE,
        login_timeout=PATIENCE,
        console="off",
        silent=True,
        disable_git=True,
        save_code=False,
        x_disable_meta=True,
        x_save_requirements=False,
    )
    return RedactedWandbLogger(
        name="/".join(folder.parts[-3 if folder.name.startswith("fold-") else -2 :]),
        save_dir=folder,
        project="zoo",
        offline=mode == "offline",
        settings=options,
        config=redact(config or {}),
    )


def unreachable() -> str | None:
    """Why a run cannot be sent to the server, found out quickly; None if it can be tried."""
    import wandb

    if not wandb.login(prompt=False, verify=False):
        return "no login was found (`wandb login` makes one)"
    if os.environ.get("HTTPS_PROXY") or os.environ.get("https_proxy"):
        return None
    url = urlsplit(os.environ.get("WANDB_BASE_URL") or "https://api.wandb.ai")
    address = (url.hostname or "", url.port or (443 if url.scheme == "https" else 80))
    try:
        socket.create_connection(address, timeout=PATIENCE / 2).close()
    except OSError as error:
        return f"{url.hostname} does not answer ({error.strerror or error})"
    return None


def redact(value: Any, name: str = "") -> Any:
    """Settings without secrets, Lightning's own keys, and folders of this machine."""
    if isinstance(value, dict):
        return {
            key: redact(item, str(key))
            for key, item in value.items()
            if not SECRET.search(str(key)) and not str(key).startswith("_")
        }
    if isinstance(value, list | tuple):
        return [redact(item) for item in value]
    if isinstance(value, str | Path) and Path(value).expanduser().is_absolute():
        return Path(value).name
    return value
