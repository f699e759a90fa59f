"""Names and values that leave this machine neither in a file nor for a server."""

import re
from pathlib import Path
from typing import Any

SECRET = re.compile(r"(key|token|secret|passw(or)?d|credential)s?$", re.IGNORECASE)


def is_secret(name: str) -> bool:
    """Returns whether a setting or a variable of this name holds a secret: `WANDB_API_KEY`."""
    return bool(SECRET.search(name))


def redact(value: Any) -> Any:
    """Returns settings without secrets, Lightning's own keys, and folders of this machine."""
    if isinstance(value, dict):
        return {
            key: redact(item)
            for key, item in value.items()
            if not is_secret(str(key)) and not str(key).startswith("_")
        }
    if isinstance(value, list | tuple):
        return [redact(item) for item in value]
    if isinstance(value, str | Path) and Path(value).expanduser().is_absolute():
        return Path(value).name
    return value
