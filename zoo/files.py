"""Files that are written whole or not at all."""

import json
from pathlib import Path
from typing import Any


def write_json(path: Path, record: dict[str, Any]) -> None:
    """Writes a record as a file, whole or not at all."""
    staged = path.with_name(f".{path.name}.partial")
    staged.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
    staged.replace(path)
