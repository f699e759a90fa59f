"""A checkpoint to predict with: its rows through the Trainer, and where what comes out goes."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from torch import Tensor

from datamodules.text.vocabulary import UNK, Vocab
from zoo.catalogue import definitions, facts
from zoo.checkpoints.checkpoint import model_arguments
from zoo.cli.experiment import Experiment, link
from zoo.cli.lightning import ZooCLI
from zoo.errors import InputError
from zoo.files import write_csv, write_text


@dataclass
class Prediction:
    """A checkpoint to predict with, and the options of the command."""

    ckpt_path: str
    checkpoint: dict[str, Any]
    state: dict[str, Any]
    output: Path | None
    overrides: list[str]
    allow: Sequence[str] = ()
    prompt: str | None = None
    sampling: dict[str, Any] = field(default_factory=dict)
    text: str | None = None
    file: Path | None = None
    beam: int | None = None
    n_best: int = 1
    nearest: Sequence[str] = ()
    analogy: Sequence[Sequence[str]] = ()
    top: int = 10
    export: Path | None = None
    num: int = 64
    interpolate: bool = False

    def run(self, corpus: str, arguments: dict[str, Any]) -> tuple[Any, Any]:
        """Predicts the rows of a corpus of files.

        Args:
            corpus: Its class path.
            arguments: Its arguments; the facts that it offers are not the checkpoint's.

        Returns:
            The corpus, and the predictions of all its rows: a tensor or a list, as the model gives.
        """
        offered = facts(definitions()[corpus], definitions())
        network = model_arguments(self.checkpoint)
        model = {
            "class_path": self.checkpoint["zoo"]["class_path"],
            "init_args": {name: network[name] for name in network if name not in offered},
        }
        data = {"class_path": corpus, "init_args": arguments}
        experiment = Experiment("predict", {"model": model, "data": data}, self.overrides)
        experiment.facts = link(experiment)
        cli = ZooCLI(experiment, None)
        batches: Any = cli.trainer.predict(cli.model, cli.datamodule, ckpt_path=self.ckpt_path)
        if isinstance(batches[0], Tensor):
            return cli.datamodule, torch.cat(batches).cpu()
        return cli.datamodule, [row for batch in batches for row in batch]

    def unanswered(self, wanted: str) -> list[str]:
        """The corpus's rows without answers, found under `--data.root` as in training.

        Args:
            wanted: What to ask for where it has none.

        Raises:
            InputError: It has none.
        """
        roots = [option for option in self.overrides if option.startswith("--data.root=")]
        self.overrides = [option for option in self.overrides if option not in roots]
        module, _, name = self.state["class_path"].rpartition(".")
        root = {"root": roots[-1].partition("=")[2]} if roots else {}
        corpus = getattr(import_module(module), name)(**self.state["arguments"], **root)
        paths = [str(path) for path in corpus.files_to_predict()]
        if not paths:
            raise InputError(
                f"name the {wanted}s to predict: zoo predict {wanted.upper()} ... --ckpt_path C"
            )
        return paths

    def submit(self, header: Sequence[str], rows: Iterable[Sequence[str]]) -> Path:
        """Writes a CSV file, as Kaggle takes it, whole or not at all; returns where it is.

        Raises:
            InputError: The file cannot be written.
        """
        path = self.place("submission", ".csv")
        write_csv(path, [header, *rows])
        return path

    def say_unknown(self, tokens: Iterable[str], vocab: Vocab) -> None:
        """Names the tokens that the model reads as <unk>, where there are any."""
        unknown = sorted({token for token in tokens if token not in vocab})
        if unknown:
            text = f"not in the vocabulary, read as {UNK}: {' '.join(unknown)}"
            Console(highlight=False, markup=False).print(text, soft_wrap=True)

    def write(self, text: str) -> Path:
        """Writes a text, with an end to its last line; returns where it is.

        Raises:
            InputError: The file cannot be written.
        """
        path = self.place("", ".txt")
        write_text(path, f"{text}\n")
        return path

    def place(self, stem: str, suffix: str) -> Path:
        """Where the output goes: as asked, or the first free name in `predictions/`.

        Raises:
            InputError: The folder cannot be made.
        """
        path, number = self.output, 1
        while path is None or (self.output is None and path.exists()):
            path = Path("predictions") / f"{'-'.join(filter(None, (stem, str(number))))}{suffix}"
            number += 1
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(f"{path}: cannot be written ({error.strerror})") from None
        return path
