"""A checkpoint to predict with, its rows and its output. Imports torch once it predicts."""

import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from zoo.catalogue import definitions, facts
from zoo.cli.allowed import refuse_foreign_classes
from zoo.cli.experiment import Experiment
from zoo.cli.report import plain_console
from zoo.errors import InputError
from zoo.files import write_csv, write_text, written_whole


@dataclass
class Prediction:
    """A checkpoint to predict with, and the options of the command that every family has.

    Attributes:
        ckpt_path: Path of the checkpoint.
        checkpoint: Its content.
        state: State of its corpus, empty where it holds none.
        output: File or folder that the user asked for.
        overrides: Options of Trainer, model and data.
        allow: Packages that the user trusts.
        code: Exit status of the command: 1 where an input could not be read.
    """

    ckpt_path: str
    checkpoint: dict[str, Any]
    state: dict[str, Any]
    output: Path | None = None
    overrides: list[str] = field(default_factory=list)
    allow: Sequence[str] = ()
    code: int = 0

    def model(self) -> Any:
        """Returns the trained model."""
        from zoo.checkpoints.checkpoint import load

        return load(self.ckpt_path, allow=self.allow)

    def saved(self, *names: str) -> dict[str, Any]:
        """Returns what the corpus saved in the checkpoint under these names.

        Raises:
            InputError: It saved none, or the checkpoint holds no corpus.
        """
        for name in names:
            if name not in self.state:
                whose = f"its corpus saved no {name}" if self.state else "it holds no corpus"
                raise InputError(
                    f"{self.ckpt_path}: {whose}, which predicting needs: train on a corpus of "
                    "`zoo list corpora` with this kind of model"
                )
        return {name: self.state[name] for name in names}

    def refuse(self, inputs: Sequence[str], takes: str) -> None:
        """Refuses inputs and options of Trainer, model and data.

        Raises:
            InputError: There is one; `takes` says what there may be.
        """
        for given in [*inputs, *self.overrides]:
            raise InputError(f"{takes}, not {given}")

    def run(self, corpus: str, arguments: dict[str, Any]) -> tuple[Any, Any]:
        """Predicts the rows of a corpus of files.

        Args:
            corpus: Its class path.
            arguments: Its arguments; the facts that it offers are not the checkpoint's.

        Returns:
            The corpus, and the predictions of all its rows: a tensor or a list, as the model gives.
        """
        import torch

        from zoo.checkpoints.checkpoint import model_arguments
        from zoo.cli.lightning import ZooCLI

        offered = facts(definitions()[corpus], definitions())
        network = model_arguments(self.checkpoint)
        model = {
            "class_path": self.checkpoint["zoo"]["class_path"],
            "init_args": {name: network[name] for name in network if name not in offered},
        }
        # Not what the corpus is given, rows and vocabularies: none of it can be a class.
        refuse_foreign_classes({"model": model}, self.overrides, self.allow)
        config = {"model": model, "data": {"class_path": corpus, "init_args": arguments}}
        cli = ZooCLI(Experiment("predict", config, self.overrides), None)
        batches: Any = cli.trainer.predict(cli.model, cli.datamodule, ckpt_path=self.ckpt_path)
        if isinstance(batches[0], torch.Tensor):
            return cli.datamodule, torch.cat(batches).cpu()
        return cli.datamodule, [row for batch in batches for row in batch]

    def readable(self, rows: Any, predictions: Any) -> tuple[list[Any], Any]:
        """Returns the pictures that could be read and their predictions; names the others.

        Args:
            rows: Rows of pictures, which note their faults.
            predictions: Predictions of all of them, a tensor or a list.

        Raises:
            InputError: None could be read.
        """
        kept = [i for i, picture in enumerate(rows.pictures) if picture not in rows.faults]
        faults = [rows.faults[each] for each in rows.pictures if each in rows.faults]
        if not kept:
            others = f"; nor can the other {len(faults) - 1:,}" if len(faults) > 1 else ""
            raise InputError(f"{faults[0]}{others}")
        for fault in faults:
            print(f"zoo: {fault}", file=sys.stderr)
            self.code = 1
        pictures = [rows.pictures[index] for index in kept]
        if isinstance(predictions, list):
            return pictures, [predictions[index] for index in kept]
        return pictures, predictions[kept]

    def unanswered(self, wanted: str) -> list[str]:
        """Returns the corpus's files of rows without answers, under `--data.root` as in training.

        Args:
            wanted: What to ask for where it has none.

        Raises:
            InputError: It has none.
        """
        from zoo.checkpoints.checkpoint import corpus_class

        roots = [option for option in self.overrides if option.startswith("--data.root=")]
        self.overrides = [option for option in self.overrides if option not in roots]
        root = {"root": roots[-1].partition("=")[2]} if roots else {}
        cls: Any = corpus_class(self.state, self.ckpt_path)
        corpus = cls(**self.state.get("arguments", {}), **root)
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
        path = self.place(".csv", "submission")
        write_csv(path, [header, *rows])
        return path

    def write(self, text: str, *, shown: bool = True) -> Path:
        """Prints and writes a text, with an end to its last line; returns where it is.

        Raises:
            InputError: The file cannot be written.
        """
        if shown:
            plain_console().print(text, soft_wrap=True)
        path = self.place(".txt")
        write_text(path, f"{text}\n")
        return path

    def place(self, suffix: str = "", stem: str = "") -> Path:
        """Returns where the output goes: as asked, or the first free name in `predictions/`."""
        path, number = self.output, 1
        while path is None or (self.output is None and path.exists()):
            path = Path("predictions") / f"{'-'.join(filter(None, (stem, str(number))))}{suffix}"
            number += 1
        return path


def write_figure(path: Path, figure: Any, dpi: int) -> None:
    """Writes a figure as PNG, whole or not at all.

    Raises:
        InputError: The file cannot be written.
    """
    with written_whole(path) as partial:
        figure.savefig(partial, dpi=dpi, format="png")


def names_of(pictures: Iterable[Any]) -> Iterator[str]:
    """Yields the name of each picture, with a number after a name that was there before."""
    seen: dict[str, int] = {}
    for picture in pictures:
        seen[picture.name] = number = seen.get(picture.name, 0) + 1
        yield picture.name if number == 1 else f"{picture.name}-{number}"
