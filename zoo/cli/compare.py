"""compare: what differs between runs, what came out, and their learning curves as one PNG."""

import csv
import json
import math
import os
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from matplotlib import colormaps
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from zoo.errors import InputError

PER_RUN = {"default_root_dir", "logger", "callbacks", "root", "ckpt_path", "config"}
HIGHER_IS_BETTER = re.compile(r"accuracy|bleu|precision|recall|f1|iou|auc|similarity|(^|_)map", re.I)
LOWER_IS_BETTER = re.compile(r"loss|error|perplexity|(^|_)(mae|r?mse)|distance", re.I)


@dataclass
class Run:
    """What one run left on disk.

    Attributes:
        folder: Of the run.
        name: Set by `compare`: short, and different for each run.
        settings: Dotted key to value, as text.
        rows: Metrics by name, one dictionary a logged line, with `step` and mostly `epoch`.
        test: Test metrics by name.
    """

    folder: Path
    name: str
    settings: dict[str, str]
    rows: list[dict[str, float]]
    test: dict[str, float]

    def values(self, metric: str) -> list[tuple[dict[str, float], float]]:
        """Every logged value of a metric with its line."""
        return [(row, row[metric]) for row in self.rows if metric in row]


def compare(runs: Sequence[str | Path], output: Path | None = None) -> Path:
    """Prints settings that differ and metrics, and draws the learning curves.

    Args:
        runs: Run folders; the folder of a recipe stands for all its runs.
        output: The PNG; by default `compare.png` in the deepest folder that holds all runs.

    Returns:
        Where the PNG is.

    Raises:
        InputError: A folder is not a run, or a file in it cannot be read.
    """
    folders = {folder.resolve(): folder for run in runs for folder in _folders(Path(run))}
    if not folders:
        raise InputError("name a run to compare: runs/<recipe>/<number>")
    common = Path(os.path.commonpath([folder.parent for folder in folders]))
    found = [_read(path, path.relative_to(common).as_posix()) for path in folders.values()] if (
        False
    ) else [_read(shown, real.relative_to(common).as_posix()) for real, shown in folders.items()]
    output = Path(output) if output else Path(os.path.relpath(common)) / "compare.png"
    return output
