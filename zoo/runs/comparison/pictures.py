"""The pictures of runs, as addresses that hold them."""

import base64
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path

from PIL import Image

from zoo.runs.history import Run

AS_IT_IS = 500_000  # bytes up to which a file is taken as it is
SIDE = 1000  # pixels of larger ones
MOST_PIXELS = 25_000_000  # of a file that is opened
BUDGET = 12_000_000  # bytes of a page
KINDS = {"PNG": "png", "JPEG": "jpeg", "GIF": "gif", "WEBP": "webp"}


def embedded(runs: Sequence[Run]) -> tuple[dict[str, list[tuple[str, str]]], list[str]]:
    """For each name of a picture the runs that have it, with a data URI; and what is left out.

    Large files are made smaller, and once the page is full no more are taken.
    """
    found: dict[str, list[tuple[str, str]]] = {}
    notes: list[str] = []
    size = too_many = 0
    for run in runs:
        for name, path in run.pictures.items():
            try:
                kind, content = _small(path)
            except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
                notes.append(f"{run.name}: {path.name} is no picture that can be shown.")
                continue
            if size + len(content) > BUDGET:
                too_many += 1
                continue
            size += len(content)
            address = f"data:image/{kind};base64,{base64.b64encode(content).decode()}"
            found.setdefault(name, []).append((run.name, address))
    if too_many:
        notes.append(
            f"{too_many} more are left out: a page holds at most {BUDGET / 1e6:.0f} MB of pictures."
        )
    return dict(sorted(found.items())), notes


def _small(path: Path) -> tuple[str, bytes]:
    """Kind and content of a picture.

    Raises:
        ValueError: It is of another kind, or has too many pixels.
    """
    content = path.read_bytes()
    with Image.open(BytesIO(content)) as image:
        if image.format not in KINDS or image.width * image.height > MOST_PIXELS:
            raise ValueError(f"{path}: not shown")
        if len(content) <= AS_IT_IS:
            image.verify()
            return KINDS[image.format], content
        image.thumbnail((SIDE, SIDE))
        smaller = BytesIO()
        image.convert("RGB").save(smaller, "WEBP", quality=85)
    return "webp", smaller.getvalue()
