"""What runs left on disk: their settings and every line that they logged."""

import csv
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

from zoo.errors import InputError
from zoo.files import parsed

PER_RUN = {"default_root_dir", "logger", "callbacks", "root", "ckpt_path", "config"}
STAGES = ("train", "val", "test")
NUMBERED = re.compile(r"\d+|(job|fold|trial)-.+")
DEPTH = 4  # of folders: runs/<sweep>/<recipe>/<number>/fold-<k>
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # ten times as fast
PICTURES = (".png", ".jpg", ".jpeg", ".gif", ".webp")
Line = dict[str, float]


@dataclass
class Run:
    """What a run left.

    Attributes:
        label: By which it is called.
        settings: By dotted name.
        lines: Each logged line, values by name.
        record: What it cost, as `RunRecord` writes it; empty where nothing is known.
        pictures: Files by name.
        picture_folder: Where to look for them.
        marks: What a reader should know of it: that its corpus is synthetic, say.
        started: Time at which it began, in ISO 8601; "" if unknown.
    """

    label: str
    settings: dict[str, str]
    lines: list[Line]
    record: dict[str, Any] = field(default_factory=dict)
    pictures: dict[str, Path] = field(default_factory=dict)
    picture_folder: Path | None = None
    marks: tuple[str, ...] = ()
    started: str = ""

    @property
    def name(self) -> str:
        """The label and the marks."""
        return marked(self.label, self.marks)

    def logged(self, metric: str) -> list[Line]:
        """The lines that hold a metric."""
        return [line for line in self.lines if metric in line]

    @cached_property
    def logged_names(self) -> dict[str, None]:
        """The names that any line has, in the order of the lines."""
        return {name: None for line in self.lines for name in line}

    @cached_property
    def _ends(self) -> list[Line]:
        means = [name for name in self.logged_names if name.endswith("_epoch")]
        return [line for line in self.lines if any(name in line for name in means)]

    @cached_property
    def epochs(self) -> int:
        """Finished epochs; begun ones where none says that it was finished."""
        return 1 + int(max(line.get("epoch", 0) for line in self._ends or self.lines))

    @property
    def steps_per_epoch(self) -> float | None:
        """From the last finished epoch; None before there is one."""
        return (self._ends[-1]["step"] + 1) / self.epochs if self._ends else None


def expand(folder: Path) -> list[Path]:
    """The run itself, or the runs that a folder holds, in the order of their numbers.

    Those are the numbered folders with settings that logged something, at most four folders below:
    of a recipe, a sweep, a cross-validation, or all of `runs`.

    Raises:
        InputError: The folder is neither.
    """
    if not folder.is_dir():
        raise InputError(f"{folder}: there is no such run folder")
    if (folder / "config.yaml").is_file():
        return [folder]
    runs = list(_below(folder, DEPTH))
    if not runs:
        raise InputError(f"{folder}: not a run folder (no config.yaml), nor one that holds runs")
    return runs


def _below(folder: Path, depth: int) -> Iterator[Path]:
    for path in sorted((path for path in folder.iterdir() if path.is_dir()), key=_number):
        if (path / "config.yaml").is_file():
            if NUMBERED.fullmatch(path.name) and any(path.glob("metrics*.csv")):
                yield path
        elif depth > 1 and path.name not in ("wandb", "checkpoints", "pictures"):
            yield from _below(path, depth - 1)


def _number(path: Path) -> list[str | int]:
    """Sorts names by their words and numbers: 9 before 10."""
    parts = re.split(r"(\d+)", path.name)
    return [int(part) if part.isdecimal() else part for part in parts]


def read(folder: Path, label: str) -> Run:
    """The run in a folder.

    Raises:
        InputError: A file is missing, empty or damaged; names it and the line.
    """
    tries = [*sorted(folder.glob("metrics-*.csv"), key=_number), *folder.glob("metrics.csv")]
    if not tries:
        raise InputError(f"{folder}: metrics.csv is missing: nothing was logged yet")
    lines: list[Line] = []
    for path in tries:
        again = parsed(path, _parse_csv)
        start = min((line["step"] for line in again), default=float("inf"))
        # A try goes on from a checkpoint: steps after that were lost and are done again.
        lines = [line for line in lines if line["step"] < start] + again
    if not {n for line in lines for n in line if not n.startswith("test/")} - {"epoch", "step"}:
        raise InputError(f"{tries[-1]}: empty: nothing was logged in training")
    settings = parsed(folder / "config.yaml", _parse_settings)
    if (folder / "test.json").is_file():
        tested = parsed(folder / "test.json", parse_test)["metrics"]
        lines.append({"step": lines[-1]["step"], **tested})
    kept = folder / "run.json"
    record = parsed(kept, _parse_record) if kept.is_file() else {}
    shown = folder / "pictures"
    marks = marks_of(settings)
    started = record.get("started") or _written(folder / "config.yaml")
    return Run(label, settings, lines, record, pictures_in(shown), shown, marks, str(started))


def _written(path: Path) -> str:
    """When a file was written, as run.json says when a run began."""
    return datetime.fromtimestamp(path.stat().st_mtime, UTC).isoformat(timespec="seconds")


def marks_of(settings: dict[str, str]) -> tuple[str, ...]:
    """Results on a stand-in are not those on the corpus."""
    return ("synthetic",) if settings.get("data.synthetic") == "true" else ()


def marked(label: str, marks: tuple[str, ...]) -> str:
    """A label with the marks behind it."""
    return f"{label} ({', '.join(marks)})" if marks else label


def pictures_in(folder: Path) -> dict[str, Path]:
    """The pictures that lie in a folder itself: a film's single ones lie below it."""
    files = sorted(p for p in folder.glob("*") if p.suffix.lower() in PICTURES and p.is_file())
    return {path.stem: path for path in files}


def _parse_csv(text: str) -> list[Line]:
    reader = csv.reader(text.splitlines())
    header, lines = next(reader, []), []
    for cells in reader:
        where = f"line {reader.line_num}"
        if len(cells) != len(header):
            raise ValueError(f"{where} has {len(cells)} cells, the header has {len(header)}")
        try:
            lines.append(_numbers({k: v for k, v in zip(header, cells, strict=True) if v}))
        except ValueError as error:
            raise ValueError(f"{where}: {error}") from None
        if "step" not in lines[-1]:
            raise ValueError(f"{where} has no step")
    return lines


def _parse_settings(text: str) -> dict[str, str]:
    config = yaml.load(text, LOADER)
    if not isinstance(config, dict):
        raise ValueError("no settings are in it")
    return flat_settings(config)


def parse_test(text: str) -> dict[str, Any]:
    """Returns the record of a test, from the text of test.json.

    Raises:
        ValueError: The text holds no metrics.
    """
    record = json.loads(text)
    if not isinstance(record, dict) or not isinstance(record.get("metrics"), dict):
        raise ValueError("no metrics are in it")
    return record | {"metrics": _numbers(record["metrics"])}


def _parse_record(text: str) -> dict[str, Any]:
    record = json.loads(text)
    if not isinstance(record, dict):
        raise ValueError("no record is in it")
    return record


def _numbers(values: dict[str, Any]) -> Line:
    return {name: float(value) for name, value in values.items()}


def flat_settings(config: Mapping[str, Any]) -> dict[str, str]:
    """Settings by dotted name."""
    return {name.replace(".init_args.", "."): value for name, value in _flatten(config)}


def _flatten(value: Any, name: str = "") -> Iterator[tuple[str, str]]:
    """Dotted names with their values as YAML's words, without what is each run's own."""
    if name.rpartition(".")[2] in PER_RUN:
        return
    if isinstance(value, Mapping) and value:
        for key, item in value.items():
            yield from _flatten(item, f"{name}.{key}".lstrip("."))
    elif name:  # W&B keeps runs without any setting
        yield name, value if isinstance(value, str) else json.dumps(_plain(value), default=str)


def _plain(value: Any) -> Any:
    """Whole numbers without ".0", which W&B leaves away."""
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def metric_names(runs: Sequence[Run]) -> list[str]:
    """Metrics by stage; of training the means over epochs, where there are any, not windows."""
    names = {name for run in runs for name in run.logged_names} - {"epoch", "step"}
    stages = {name: name.partition("/")[0] for name in names if f"{name}_epoch" not in names}
    order = {stage: index for index, stage in enumerate(STAGES)}
    places = {name: order.get(stage, len(order)) for name, stage in stages.items()}
    return sorted(stages, key=lambda name: (places[name], name.removesuffix("_epoch")))
