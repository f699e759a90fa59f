"""JSON files that others wrote: whole, or one line that says where they are not."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

from datamodules.files.errors import CorpusError
from datamodules.files.file_paths import read_file
from datamodules.files.staging import reason


def read_json(path: Path, *, unique: bool = False) -> dict[str, Any]:
    """Reads a JSON file that holds one object.

    Args:
        path: Path of the file, or of one in a zip.
        unique: Whether a key that is there twice is a fault; else the last one counts.

    Raises:
        CorpusError: The file cannot be read, is no JSON or holds something else; names the line.
    """

    def paired(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if len(found := dict(pairs)) < len(pairs):
            twice = next(key for key, count in Counter(k for k, _ in pairs).items() if count > 1)
            raise CorpusError(f"{path}: {twice!r} is there twice")
        return found

    try:
        content = json.loads(read_file(path), object_pairs_hook=paired if unique else None)
    except json.JSONDecodeError as error:
        raise CorpusError(f"{path}, line {error.lineno}: not JSON ({error.msg})") from error
    except UnicodeDecodeError as error:
        raise CorpusError(f"{path}: not JSON: not UTF-8 text") from error
    except (RecursionError, ValueError) as error:  # too deep, or a number of too many digits
        raise CorpusError(f"{path}: not JSON that can be read ({reason(error)})") from error
    if not isinstance(content, dict):
        kind = "a list" if isinstance(content, list) else "a single value"
        raise CorpusError(f"{path}: wanted a JSON object, {{...}}, and found {kind}")
    return content
