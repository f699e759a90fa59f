"""Weights & Biases: offline unless asked, redacted, and never in the way of a run."""

import atexit
import logging
import os
import re
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

import psutil
from lightning.pytorch.loggers import WandbLogger
from lightning.pytorch.loggers.logger import DummyLogger, rank_zero_experiment
from lightning.pytorch.utilities import rank_zero_only

from zoo.errors import InputError
from zoo.runs.redaction import redact
from zoo.runs.wandb_options import WandbOptions

PATIENCE = 10  # seconds that W&B may take, its server or its service
SHARE = 0.3  # part of it that each of the three things may take by which a run begins online
GRACE = 0.2  # part of it that is left to a service that is told to end
SERVICE = "wandb-core"  # the process to which the library hands what is logged
KEY = "wandb_run"  # of a checkpoint
RUN_FOLDER = re.compile(r"(offline-)?run-(?P<time>\d+_\d+)-(?P<id>[\w-]{1,64})")
RUN_ID = re.compile(r"[\w-]{1,64}")
T = TypeVar("T")


class RedactedWandbLogger(WandbLogger):
    """A WandbLogger that sends no secret, no absolute path and no code, and that ends no run.

    Where W&B fails, or takes longer than `PATIENCE`, one line says so and nothing more is logged to
    it; metrics.csv has it all. Its calls are made in threads, which are left behind if they hang.
    """

    lost = False  # whether it has failed

    @property
    @rank_zero_experiment
    def experiment(self) -> Any:
        if self._experiment is None:
            self._unless_lost(lambda: begun(self))
        return DummyLogger().experiment if self.lost else self._experiment

    def log_hyperparams(self, params: Any) -> None:
        log = super().log_hyperparams
        self._unless_lost(lambda: log(redact(dict(params))))

    def log_metrics(self, metrics: Any, step: int | None = None) -> None:
        log = super().log_metrics
        self._unless_lost(lambda: log(metrics, step))

    def log_image(self, *args: Any, **options: Any) -> None:
        log = super().log_image
        self._unless_lost(lambda: log(*args, **options))

    def summarize(self, summary: dict[str, Any]) -> None:
        """Sets values of the summary of the run."""
        self._unless_lost(lambda: self.experiment.summary.update(summary))

    def log_checkpoint(self, path: Path, card: str, metadata: dict[str, Any]) -> None:
        """Puts a checkpoint up as the artifact `model-<id>`, with its card as README.md.

        W&B copies the file; offline the copy waits in its data folder ($WANDB_DATA_DIR) for
        `wandb sync`. A line says so where there is no room for it.
        """
        import wandb

        try:
            artifact = wandb.Artifact(f"model-{self.version}", "model", metadata=redact(metadata))
            artifact.add_file(str(path), name=path.name)
            with artifact.new_file("README.md", encoding="utf-8") as file:
                file.write(card)
        except OSError as error:
            _say(f"W&B has no artifact of {path}: {_line(error)}")
            return
        aliases = ["latest", path.stem]
        self._unless_lost(lambda: self.experiment.log_artifact(artifact, aliases=aliases))

    def _unless_lost(self, call: Callable[[], Any]) -> None:
        if not self.lost:
            try:
                within((1 - GRACE) * PATIENCE, call)
            except Exception as error:
                self._lose(_line(error))

    def _lose(self, reason: str) -> None:
        """Ends the service, and has nothing take the place of the run, as on other ranks."""
        import wandb

        if self.lost:
            return
        before = f", {wandb.run.settings.sync_dir} what was logged before" if wandb.run else ""
        _say(f"W&B logs no further ({reason}): metrics.csv holds the whole run{before}")
        self.lost, self._id, self._experiment = True, self.version, None
        wandb.run = None
        _kill_service(threading.Event())


def continued_run(checkpoint: dict[str, Any] | None, folder: Path) -> str | None:
    """Returns the id of the run of W&B that goes on, if there is one.

    That is the run that a checkpoint was saved by, else the last one in the folder, which a job
    had that was requeued before it saved any.
    """
    run_id = (checkpoint or {}).get(KEY)
    if isinstance(run_id, str) and RUN_ID.fullmatch(run_id):
        return run_id
    begun = sorted(path.name.split("run-")[-1] for path in folder.glob("wandb/*run-*-*"))
    return begun[-1].partition("-")[2] if begun else None


def begun(logger: WandbLogger) -> Any:
    """Begins the run of a logger, if it has not begun, and returns it."""
    return WandbLogger.experiment.fget(logger)  # type: ignore[attr-defined]


def make_logger(
    folder: Path,
    options: WandbOptions,
    settings: dict[str, Any] | None = None,
    run_id: str | None = None,
) -> RedactedWandbLogger | None:
    """The logger of a run, its files in `folder`; None where W&B is disabled or does not start.

    Args:
        folder: Of the run.
        options: What W&B is told.
        settings: Of the run; shown without secrets and paths.
        run_id: Id of the run of W&B that is continued, if there is one.

    Raises:
        InputError: W&B does not take an option.
    """
    mode = options.mode or os.environ.get("WANDB_MODE") or "offline"
    if mode == "disabled":
        return None
    _refuse_bad(options)

    def make(mode: str) -> RedactedWandbLogger:
        share = SHARE if mode == "online" else 1 - GRACE
        wanted = replace(options, mode=mode)
        return within(share * PATIENCE, lambda: _logger(folder, wanted, settings, run_id))

    if mode == "online" and getattr(rank_zero_only, "rank", 0) == 0:
        try:
            if reason := within(SHARE * PATIENCE, unreachable):
                raise ConnectionError(reason)
            logger = make(mode)
            within(SHARE * PATIENCE, lambda: begun(logger))  # now, so that it can be mended
            return logger
        except Exception as error:
            _say(f"W&B is logged offline: {_line(error)}")
            _kill_service(threading.Event())
            finish()
            mode = "offline"
    try:
        return make(mode)
    except Exception as error:
        _say(f"W&B is not logged: {_line(error)}")
        return None


def finish() -> None:
    """Ends the W&B run of this process, if there is one, and its service, so that files are whole.

    Takes at most `PATIENCE` seconds. What is not sent by then stays on disk, for `wandb sync`.
    """
    if not (wandb := sys.modules.get("wandb")):
        return
    folder = wandb.run.settings.sync_dir if wandb.run else None
    reason, until = "", time.monotonic() + PATIENCE
    with hurried() as late:
        for end in (wandb.finish, wandb.teardown):
            try:
                within(until - time.monotonic(), end)
            except Exception as error:  # its service is gone
                reason = reason or _line(error)
        wandb.run = None  # type: ignore[attr-defined]  # which it is not where finish failed
    if folder and late.is_set():
        _say(f"W&B took longer than {PATIENCE} s: `wandb sync {folder}` sends the run")
    elif folder and reason:
        _say(f"W&B did not finish the run ({reason}): {folder} holds what it logged")


@rank_zero_only
def _say(text: str) -> None:
    print(f"zoo: {text}", file=sys.stderr, flush=True)


def _line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__


@contextmanager
def hurried() -> Iterator[threading.Event]:
    """Kills W&B's service where the block takes longer than `PATIENCE`: W&B has no limit itself.

    Yields:
        An event that is set once the service has been killed.
    """
    late = threading.Event()
    timer = threading.Timer((1 - GRACE) * PATIENCE, _kill_service, [late])
    timer.daemon = True
    timer.start()
    try:
        yield late
    finally:
        timer.cancel()


def _kill_service(killed: threading.Event) -> None:
    killed.set()
    for child in psutil.Process().children():
        with suppress(psutil.Error):
            if child.name().startswith(SERVICE):
                child.terminate()  # which writes what it holds; a stopped one does not hear it
                with suppress(psutil.TimeoutExpired):
                    child.wait(GRACE * PATIENCE)
                child.kill()


def _hurry_the_exit() -> None:
    """Sees to it that the end of this process does not wait for W&B's service without limit.

    The hook comes before W&B's own, which was registered earlier and which this one unregisters.
    """
    logging.getLogger("wandb").addHandler(logging.NullHandler())  # not of Python's last resort
    _watch_the_exit()
    atexit.unregister(_leave)
    atexit.register(_leave)


@cache
def _watch_the_exit() -> threading.Event:
    """Starts the thread that ends the service, once: none can be started in a hook.

    Returns:
        The event that tells it that the process is leaving.
    """
    leaving = threading.Event()

    def watch() -> None:
        leaving.wait()
        time.sleep((1 - GRACE) * PATIENCE)  # most often the process has ended before
        _kill_service(threading.Event())

    threading.Thread(target=watch, name="end of W&B", daemon=True).start()
    return leaving


def _leave() -> None:
    import wandb

    _watch_the_exit().set()
    with suppress(Exception, SystemExit):  # of a service that is gone
        wandb.teardown()


def within(seconds: float, ask: Callable[[], T]) -> T:
    """Returns what `ask` returns, in a thread that is left behind where it hangs.

    Raises:
        TimeoutError: It did not return in time. What `ask` raises is raised.
    """
    answers: list[T] = []
    errors: list[Exception] = []

    def answer() -> None:
        try:
            answers.append(ask())
        except SystemExit as error:  # by which W&B says that its service failed
            errors.append(RuntimeError(f"W&B's service ended with {error}"))
        except Exception as error:
            errors.append(error)

    thread = threading.Thread(target=answer, daemon=True)
    thread.start()
    thread.join(seconds)
    for error in errors:
        raise error
    if not answers:
        raise TimeoutError(f"no answer in {seconds:.0f} s")
    return answers[0]


def answer(seconds: float, ask: Callable[[], T]) -> T:
    """Returns what `ask` returns, as `within`.

    Raises:
        InputError: W&B refuses, or does not answer in time; says which in one line.
    """
    try:
        return within(seconds, ask)
    except InputError:
        raise
    except Exception as error:
        raise InputError(_line(error)) from None


def refuse_unreachable(seconds: float = PATIENCE / 2) -> None:
    """Raises InputError where the server cannot be asked, as `unreachable` says."""
    if reason := unreachable(seconds):
        raise InputError(reason)


def _refuse_bad(options: WandbOptions) -> None:
    """Raises InputError where W&B does not take an option: a project with a slash in its name."""
    import wandb

    tags = options.tags or ()
    if wrong := next((tag for tag in tags if len(tag) > 64), None):
        raise InputError(f"--wandb.tags: {wrong[:20]}... has {len(wrong)} characters; 64 at most")
    try:
        wandb.Settings(project=options.project, entity=options.entity)
    except wandb.Error as error:
        raise InputError(f"--wandb.project: {_line(error)}") from None


def _logger(
    folder: Path, options: WandbOptions, config: dict[str, Any] | None, run_id: str | None
) -> RedactedWandbLogger:
    import wandb

    mode = options.mode or "offline"
    os.environ["WANDB_MODE"] = mode
    wandb.setup(settings=wandb.Settings(mode=mode, silent=True))  # type: ignore[arg-type]
    _hurry_the_exit()
    if not os.access(Path("~").expanduser(), os.W_OK):  # where W&B keeps files of artifacts
        os.environ.setdefault("WANDB_DATA_DIR", str((folder / "wandb").resolve()))
    settings = wandb.Settings(
        init_timeout=PATIENCE,
        finish_timeout=(1 - 2 * GRACE) * PATIENCE,
        finish_timeout_raises=True,
        login_timeout=PATIENCE,
        console="off",
        silent=True,
        disable_git=True,
        save_code=False,
        x_disable_meta=True,
        x_save_requirements=False,
    )
    name, group = _names(folder, options)
    given = {"entity": options.entity, "notes": options.notes, "job_type": options.job_type}
    return RedactedWandbLogger(
        name=name,
        save_dir=folder,
        id=run_id,
        project=options.project or os.environ.get("WANDB_PROJECT") or "zoo",
        offline=mode == "offline",
        group=group,
        tags=options.tags,
        settings=settings,
        config=redact(config or {}),
        **redact(given),
    )


def _names(folder: Path, options: WandbOptions) -> tuple[str, str | None]:
    """The name of a run and that of its group; folds of a cross-validation share one."""
    name = options.name or os.environ.get("WANDB_NAME")
    group = options.group or os.environ.get("WANDB_RUN_GROUP")
    if not folder.name.startswith("fold-"):
        return name or "/".join(folder.parts[-2:]), group
    run = "/".join(folder.parts[-3:-1])
    return f"{name or run}/{folder.name}", group or run


def unreachable(seconds: float = PATIENCE / 2) -> str | None:
    """Says why a run cannot be sent to the server; None where it can be tried.

    Args:
        seconds: Time that the server has to accept a connection.
    """
    import wandb

    settings = wandb.setup(settings=wandb.Settings(mode="online", silent=True)).settings
    _hurry_the_exit()
    if not wandb.login(prompt=False, verify=False):
        return "no login was found (`wandb login` makes one)"
    if os.environ.get("HTTPS_PROXY") or os.environ.get("https_proxy"):
        return None
    url = urlsplit(os.environ.get("WANDB_BASE_URL") or settings.base_url)
    address = (url.hostname or "", url.port or (443 if url.scheme == "https" else 80))
    try:
        socket.create_connection(address, timeout=seconds).close()
    except OSError as error:
        return f"{url.hostname} does not answer ({error.strerror or error})"
    return None
