"""The LightningCLI of the zoo: parses, links facts, and builds model, corpus and Trainer."""

import logging
import os
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum
from functools import partial
from pathlib import Path
from typing import Any

import jsonargparse
import yaml
from lightning.pytorch import LightningDataModule, LightningModule, Trainer
from lightning.pytorch.accelerators import CPUAccelerator
from lightning.pytorch.callbacks import ProgressBar
from lightning.pytorch.cli import LightningArgumentParser, LightningCLI
from lightning.pytorch.loggers import Logger
from lightning.pytorch.plugins.environments import (
    ClusterEnvironment,
    SLURMEnvironment,
    TorchElasticEnvironment,
)
from lightning.pytorch.utilities.exceptions import MisconfigurationException

from datamodules.corpus import Corpus
from datamodules.files.errors import CorpusError
from zoo.catalogue import OWN, owner
from zoo.checkpoints.best_checkpoint import BestCheckpoint
from zoo.checkpoints.checkpoint import DurableCheckpointIO
from zoo.checkpoints.foreign_classes import ForeignClasses
from zoo.checkpoints.last_checkpoint import LastCheckpoint
from zoo.cli.allowed import HOMES
from zoo.cli.experiment import Experiment, refuse_unknown_options, without_none
from zoo.cli.foreign_errors import (
    NOISE,
    causes,
    joined,
    of_trainer,
    with_option,
)
from zoo.cli.loggers import make_loggers, placed, refuse_missing_packages
from zoo.cli.parser_errors import of_jsonargparse
from zoo.cli.report import plain_console
from zoo.errors import InputError
from zoo.runs.record import RunRecord
from zoo.runs.wandb_logger import RedactedWandbLogger, continued_run
from zoo.runs.wandb_options import WandbOptions
from zoo.runs.watched import WatchedHistograms
from zoo.task import Task
from zoo.training.live_line import LiveLine
from zoo.training.monitors import MonitorCheck
from zoo.training.progress import EpochLines


def quiet() -> None:
    """Silences what a normal run need not say."""
    for pattern in NOISE:
        warnings.filterwarnings("ignore", pattern)
    os.environ.setdefault("JSONARGPARSE_DEPRECATION_WARNINGS", "off")
    # Members of enumerations are defaults of callbacks (Timer), and YAML knows none.
    yaml.SafeDumper.add_multi_representer(Enum, lambda dump, each: dump.represent_data(each.value))
    for name in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.WARNING)


class ZooCLI(LightningCLI):
    """Parses one experiment and builds it; the caller runs it.

    Args:
        experiment: What to build.
        run: Folder of the run, if it has one; pictures go there.
        wandb: What W&B is told.
        logs: Whether to write settings, metrics and checkpoints into the folder.
        profiler: A `TrainingProfiler` of this run.
        begun: Checkpoint that the run resumes from, if it does.
    """

    def __init__(
        self,
        experiment: Experiment,
        run: Path | None,
        wandb: WandbOptions | None = None,
        *,
        logs: bool = True,
        profiler: Any = None,
        begun: dict[str, Any] | None = None,
    ) -> None:
        quiet()
        self.logs = logs and run is not None
        self.experiment = experiment
        self.run = run
        self.wandb = wandb or WandbOptions()
        self.profiler = profiler
        self.begun = begun
        experiment.overrides = placed(experiment.config, experiment.overrides, run or Path("runs"))
        super().__init__(
            model_class=LightningModule,
            datamodule_class=LightningDataModule,
            subclass_mode_model=True,
            subclass_mode_data=True,
            save_config_callback=None,  # a callback costs 30 us a step: see `save_config`
            seed_everything_default=0,
            parser_kwargs={"exit_on_error": False, "prog": "zoo", "allow_abbrev": False},
            args=experiment.arguments(),
            run=False,
            auto_configure_optimizers=False,
        )

    def instantiate_classes(self) -> None:
        refuse_missing_packages(self.config.trainer.logger)
        with _unwrapped(self.config):
            super().instantiate_classes()

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        for fact in self.experiment.facts:
            parser.link_arguments(
                "data",
                f"model.init_args.{fact}",
                compute_fn=partial(_fact, name=fact, state=self.experiment.state),
                apply_on="instantiate",
            )

    def parse_arguments(self, parser: LightningArgumentParser, args: Any) -> None:
        try:
            self.config = parser.parse_args(args)
        except jsonargparse.ArgumentError as error:
            raise InputError(of_jsonargparse(error)) from None
        self._refuse_null()

    def _refuse_null(self) -> None:
        """Refuses null for an argument that cannot be None, which jsonargparse lets pass.

        Raises:
            InputError: There is one.
        """
        for group in ("model", "data"):
            given = self.config[group]
            refusing = without_none(given.class_path)
            for name, value in vars(given.get("init_args") or jsonargparse.Namespace()).items():
                linked = group == "model" and name in self.experiment.facts
                if value is None and not linked and name in refusing:
                    raise InputError(f"--{group}.{name}: wanted a value, not null")

    def say(self, text: str) -> None:
        """Shows on a terminal what is waited for."""
        bar = self.trainer.progress_bar_callback
        if isinstance(bar, LiveLine) and self.trainer.is_global_zero:
            bar.say(text)

    def save_config(self) -> None:
        """Writes the resolved settings into the run folder."""
        if self.run:
            path = self.run / "config.yaml"
            self.parser.save(self.config, path, skip_none=False, overwrite=True)

    def instantiate_trainer(self, **kwargs: Any) -> Trainer:
        """Adds what every run has; whatever the user gave stays as given."""
        given = self._get(self.config_init, "trainer")
        chosen = given["callbacks"] or []
        callbacks = list(chosen) if isinstance(chosen, list) else [chosen]
        own = any(isinstance(callback, ProgressBar) for callback in callbacks)
        if given["enable_progress_bar"] is not False and not own:
            callbacks.append(_progress())
            kwargs["enable_progress_bar"] = isinstance(callbacks[-1], ProgressBar)
        kwargs["enable_model_summary"] = given["enable_model_summary"] or False
        if self.run:
            callbacks += getattr(self.model, "pictures", lambda _: [])(self.run / "pictures")
        if self.profiler:
            if given["profiler"]:
                raise InputError("--profile and --trainer.profiler: give one of them")
            kwargs["profiler"] = self.profiler
            callbacks.append(self.profiler.window)
        if not given["plugins"]:
            kwargs["plugins"] = [DurableCheckpointIO(), *_cluster()]
        callbacks.append(MonitorCheck(strict=isinstance(self.model, Task)))
        if foreign := self._foreign():
            callbacks.append(foreign)
        if self.logs and self.run:
            if not given["fast_dev_run"]:
                callbacks.insert(0, RunRecord(self.run))  # before pictures are drawn
            if given["enable_checkpointing"] is not False and not given["fast_dev_run"]:
                folder = self.run / "checkpoints"
                callbacks += [self._best(given, folder), LastCheckpoint(folder)]
            loggers = kwargs["logger"] = self._loggers(given["logger"], self.run)
            if self.wandb.watch:
                watched = (each for each in loggers if isinstance(each, RedactedWandbLogger))
                callbacks += [WatchedHistograms(each, self.wandb.watch) for each in watched]
            kwargs["default_root_dir"] = given["default_root_dir"] or self.run
        else:
            kwargs |= {"logger": False, "enable_checkpointing": False}
        if given["accumulate_grad_batches"] < 1:
            raise InputError("--trainer.accumulate_grad_batches must be at least 1")
        try:
            trainer = super().instantiate_trainer(**{**given, **kwargs, "callbacks": callbacks})
        except (MisconfigurationException, ValueError, TypeError, ImportError) as error:
            raise InputError(of_trainer(error, given)) from None
        cores = os.cpu_count() or 1
        if isinstance(trainer.accelerator, CPUAccelerator) and trainer.num_devices > cores:
            raise InputError(
                f"--trainer.devices {trainer.num_devices}: more processes than this machine has "
                f"cores ({cores}); take that many or fewer"
            )
        return trainer

    def _loggers(self, given: Any, run: Path) -> list[Logger]:
        settings = yaml.safe_load(self.parser.dump(self.config, skip_none=False))
        chosen, run_id = settings["trainer"]["logger"], continued_run(self.begun, run)
        return make_loggers(given, chosen, run, self.wandb, settings, run_id)

    def _best(self, given: Any, folder: Path) -> BestCheckpoint:
        """Best by the task's own measure, or the newest where nothing is held out."""
        held_out = getattr(self.datamodule, "holds_out", True) and given["limit_val_batches"] != 0
        monitor = getattr(self.model, "monitor", None) if held_out else None
        return BestCheckpoint(folder, monitor, getattr(self.model, "monitor_mode", "min"))

    def _foreign(self) -> ForeignClasses | None:
        """Returns what notes the classes of others in checkpoints, if there are any."""
        own = {"model": Task, "data": Corpus}
        built = {"model": self.model, "data": self.datamodule}
        settings = yaml.safe_load(self.parser.dump(self.config, skip_none=False))
        found = [None if isinstance(built[g], own[g]) else settings[g] for g in own]
        return ForeignClasses(*found) if any(found) else None


def built_corpus(settings: dict[str, Any], overrides: list[str]) -> Any:
    """Builds a corpus without a model, from class path, arguments and options `--data.X=V`.

    Raises:
        InputError: An option does not exist, or its value is of another kind.
    """
    quiet()
    refuse_unknown_options("data", settings, overrides)
    parser = jsonargparse.ArgumentParser(exit_on_error=False)
    parser.add_subclass_arguments(LightningDataModule, "data", fail_untyped=False)
    try:
        config = parser.parse_args([f"--data={yaml.safe_dump(settings)}", *overrides])
    except jsonargparse.ArgumentError as error:
        raise InputError(of_jsonargparse(error)) from None
    with _unwrapped(config):
        return parser.instantiate_classes(config).data


@contextmanager
def _unwrapped(config: Any) -> Iterator[None]:
    """Raises what classes say of their arguments as one line.

    The zoo's own errors are wrapped by jsonargparse, and name an argument without its group.
    """
    try:
        yield
    except MisconfigurationException as error:
        raise InputError(joined(error)) from None
    except Exception as error:
        own = next((e for e in causes(error) if isinstance(e, InputError | CorpusError)), None)
        if own:
            raise type(own)(with_option(str(own), config)) from None
        if _says_what_is_missing(error):
            raise InputError(of_jsonargparse(error)) from None
        raise


def _says_what_is_missing(error: Exception) -> bool:
    """Whether a class of Lightning's or torch's refuses its arguments, or lacks a package."""
    found = re.findall(r"class_path[= ]'([\w.]+)'", str(error))
    theirs = set(HOMES) - set(OWN)
    return bool(found) and all(owner(path, tuple(theirs)) for path in found)


def _cluster() -> list[ClusterEnvironment]:
    """SLURM, where it started this process: the zoo requeues a job itself, between two steps."""
    if SLURMEnvironment.detect() and not TorchElasticEnvironment.detect():
        return [SLURMEnvironment(auto_requeue=False)]
    return []


def _progress() -> Any:
    console = plain_console(soft_wrap=True)
    return LiveLine(console) if console.is_terminal else EpochLines()


def _fact(corpus: Any, name: str, state: dict[str, Any]) -> Any:
    if state and isinstance(corpus, Corpus):
        corpus.complete(state)
    return getattr(corpus, name)
