"""Runs in Weights & Biases: files of offline runs, and projects of the server where it is asked."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from zoo.errors import InputError
from zoo.runs.history import Line, Run, flat_settings, marks_of

PATIENCE = 5.0  # seconds until the server has to answer first
LONG = 120.0  # seconds that the list of runs may take, and the lines of each
OWN = ("seed_everything", "trainer", "model", "data")  # what the zoo's runs set
MEDIA = re.compile(r"(?P<name>.+)_(?P<step>\d+)_[0-9a-f]+\.(png|jpe?g|gif|webp)")
RUN = re.compile(r"(?P<project>[^/\s]+/[^/\s]+)(/(runs/)?(?P<id>[^/\s]+))?")


def files_of(path: Path) -> list[Path]:
    """The `.wandb` files that a path stands for: itself, a W&B run's, or those of a `wandb` folder.

    None where it holds nothing of W&B.
    """
    if path.suffix == ".wandb" and path.is_file():
        return [path]
    if not path.is_dir() or (path / "config.yaml").is_file():
        return []
    return sorted(path.glob("run-*.wandb")) or sorted(path.glob("*run-*/run-*.wandb"))


def read_offline(path: Path) -> Run:
    """The run in a `.wandb` file, as `wandb leet inspect` tells it.

    Raises:
        InputError: The file cannot be read, or no run is in it, or the installed W&B cannot do it.
    """
    command = [sys.executable, "-m", "wandb", "leet", "inspect", "--json", str(path.resolve())]
    quiet = os.environ | {"WANDB_ERROR_REPORTING": "false", "WANDB_SILENT": "true"}
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=LONG, env=quiet, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise InputError(f"{path}: cannot be read by wandb ({error})") from None
    if "No such command" in done.stderr:
        raise InputError(
            f"{path}: the installed wandb has no `leet inspect`: pip install --upgrade wandb, "
            "or compare the run folders"
        )
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["no reason was given"])[-1]
        raise InputError(f"{path}: cannot be read by wandb ({reason.removeprefix('Error: ')})")
    return _from_records(path, done.stdout)


def _from_records(path: Path, text: str) -> Run:
    records: dict[str, list[Any]] = {}
    try:
        for told in text.splitlines():
            record = json.loads(told)
            records.setdefault(record["type"], []).append(record.get(record["type"], {}))
        (begun, *_) = records["run"]
        lines = [line for each in records.get("history", []) if (line := _line(each["item"]))]
        config = begun.get("config", {}).get("update", {})
        for more in records.get("config", []):
            config = config | more.get("update", {})
        summary: dict[str, Any] = {}
        for more in records.get("summary", []):
            summary |= more.get("update", {})
        ends = [end.get("exit_code", 0) for end in records.get("exit", [])]
    except (ValueError, LookupError, TypeError, AttributeError):
        raise InputError(f"{path}: no run of W&B is in it") from None
    state = ("failed" if ends[-1] else "finished") if ends else "running"
    name = begun.get("display_name") or begun.get("run_id") or path.parent.name
    run = _run(path, name, config, lines, summary, state)
    media = path.parent / "files" / "media" / "images"
    run.started = str(begun.get("start_time", ""))
    run.pictures = dict(_newest(media))
    run.picture_folder = media
    return run


def _newest(media: Path) -> Iterator[tuple[str, Path]]:
    """Pictures by stage and name, of each the newest: `<stage>/<name>_<step>_<digest>.png`."""
    found = [(m, path) for path in media.glob("*/*") if (m := MEDIA.fullmatch(path.name))]
    for match, path in sorted(found, key=lambda each: int(each[0]["step"])):
        yield f"{path.parent.name}_{match['name']}", path


def _line(item: Mapping[str, Any]) -> Line:
    """The numbers that were logged; nothing where only pictures were."""
    media = {name.removesuffix("_type") for name in item if name.endswith("._type")}
    step = item.get("trainer/global_step", item.get("_step", 0))
    line = {
        name: float(value)
        for name, value in item.items()
        if not name.startswith(("_", "trainer/", *media)) and _is_number(value)
    }
    return line | {"step": float(step)} if line.keys() - {"epoch"} else {}


def _is_number(value: Any) -> bool:
    if value in ("NaN", "Infinity", "-Infinity"):  # as JSON's words for them
        return True
    return isinstance(value, int | float) and not isinstance(value, bool)


def _run(
    source: object,
    name: str,
    config: Mapping[str, Any],
    lines: list[Line],
    summary: Mapping[str, Any],
    state: str,
) -> Run:
    if not any(line.keys() - {"epoch", "step"} for line in lines):
        raise InputError(f"{source}: empty: nothing was logged in training")
    # Lightning adds the model's arguments once more at the top, where those of the zoo are below.
    shown = OWN if "model" in config and "data" in config else tuple(config)
    settings = flat_settings(
        {k: config[k] for k in shown if k in config and k[:1] not in ("", "_")}
    )
    kept = summary.get("run")
    record = dict(kept) if isinstance(kept, Mapping) else {"seconds": summary.get("_runtime")}
    record["state"] = record.get("state", state)
    return Run(name, settings, lines, record, marks=("W&B", *marks_of(settings)))


def is_remote(name: str) -> bool:
    """Whether a name may be a project of W&B, a run in one, or the address of either."""
    return bool(RUN.fullmatch(_path(name)))


def _path(name: str) -> str:
    url = urlsplit(name)
    path = url.path if url.scheme in ("http", "https") else name
    return path.strip("/").removesuffix("/workspace")


def read_online(name: str) -> list[Run]:
    """A run of the server, or the runs of a project that logged something, oldest first.

    Args:
        name: `entity/project`, `entity/project/run`, or its address.

    Raises:
        InputError: There is no login, no answer in time, or no such run.
    """
    match = RUN.fullmatch(_path(name))
    if not match:
        raise InputError(f"{name}: not entity/project, nor entity/project/run")
    project, identity = match["project"], match["id"]
    first, others = _in_time(name, PATIENCE, partial(_open, project, identity))
    runs = []
    for remote in [*first, *_in_time(name, LONG, partial(list, others))]:
        try:
            runs.append(_in_time(name, LONG, partial(_read_remote, remote)))
        except _EmptyError as error:
            if identity:
                raise InputError(str(error)) from None
    if not runs:
        raise InputError(f"{name}: no run in it logged anything")
    return runs


class _EmptyError(InputError):
    """A run that logged nothing."""


def _open(project: str, identity: str | None) -> tuple[list[Any], Iterator[Any]]:
    """The first run, if there is one, once the server has told it, and those that follow."""
    import wandb

    from zoo.runs.wandb_logger import refuse_unreachable

    os.environ["WANDB_MODE"] = "online"  # as it was asked for
    refuse_unreachable(PATIENCE / 2)
    api = wandb.Api()
    if identity:
        return [api.run(f"{project}/{identity}")], iter(())
    found = iter(api.runs(project, order="+created_at"))
    return [*islice(found, 1)], found


def _read_remote(remote: Any) -> Run:
    lines = [line for item in remote.scan_history() if (line := _line(item))]
    if not lines:
        raise _EmptyError(f"{remote.name}: empty: nothing was logged in training")
    state = {"crashed": "failed", "killed": "stopped"}.get(remote.state, remote.state)
    summary = {name: remote.summary.get(name) for name in ("run", "_runtime")}
    run = _run(remote.name, remote.name, remote.config, lines, summary, state)
    run.started = str(getattr(remote, "created_at", ""))
    return run


def _in_time(name: str, seconds: float, ask: Callable[[], Any]) -> Any:
    """What `ask` returns; W&B's own errors, and its silence, as one line."""
    from zoo.runs.wandb_logger import answer

    try:
        return answer(seconds, ask)
    except _EmptyError:
        raise
    except InputError as error:
        raise InputError(f"{name}: W&B cannot be read: {error}") from None
