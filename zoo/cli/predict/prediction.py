"""A checkpoint to predict with, its rows and its output. Imports torch once it predicts."""

import json
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from zoo.catalogue import definitions, facts
from zoo.cli.allowed import refuse_foreign_classes
from zoo.cli.experiment import Experiment
from zoo.cli.report import plain_console
from zoo.errors import InputError
from zoo.files import write_csv, write_text, written_whole

ROWS = (".csv", ".json", ".jsonl")  # files that hold a row for each prediction


@dataclass
class Prediction:
    """A checkpoint to predict with, and the options of the command that every family has.

    Attributes:
        ckpt_path: Path of the checkpoint.
        checkpoint: Its content.
        state: State of its corpus, empty where it holds none.
        output: File or folder that the user asked for.
        piped: File that holds what came by standard input.
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
    piped: Path | None = None
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
            raise InputError(f"{self.named(faults[0])}{others}")
        for fault in faults:
            print(f"zoo: {self.named(fault)}", file=sys.stderr)
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

    def named(self, given: object) -> str:
        """Returns a text in which the file of standard input has the name that it was given by."""
        return str(given).replace(str(self.piped), "-") if self.piped else str(given)

    def submit(self, header: Sequence[str], rows: Iterable[Sequence[Any]]) -> Path:
        """Writes the predictions of rows, by default as Kaggle takes them; returns where they are.

        Raises:
            InputError: The file cannot be written.
        """
        ((ending, path),) = self.places(".csv", stem="submission").items()
        if ending not in ROWS:
            raise InputError(f"--output {path}: these rows go into .csv, .json or .jsonl")
        write_rows(path, [dict(zip(header, row, strict=True)) for row in rows])
        return path

    def write(self, text: str, records: Sequence[Mapping[str, Any]], *, shown: bool = True) -> Path:
        """Prints and writes a text, with an end to its last line; returns where it is.

        Args:
            text: What is shown.
            records: The same as rows, for a file of them.
            shown: Whether the text is printed.

        Raises:
            InputError: The file cannot be written.
        """
        if shown:
            plain_console().print(text, soft_wrap=True)
        ((ending, path),) = self.places(".txt").items()
        if ending in ROWS:
            write_rows(path, records)
        else:
            write_text(path, f"{text}\n")
        return path

    def places(self, *endings: str, stem: str = "") -> dict[str, Path]:
        """Returns the files to write, by ending: the one that was asked for, or one of each.

        They lie in the folder that was asked for, or in `predictions/` by the first free number.

        Args:
            endings: Endings of the files, unless the user asked for one file.
            stem: Beginning of their names.
        """
        asked = self.output
        if asked is not None and asked.suffix and not asked.is_dir():
            return {asked.suffix.lower(): asked}
        if asked is not None:
            return {ending: asked / f"{stem or 'predictions'}{ending}" for ending in endings}
        number = 1
        while True:
            name = f"{stem}-{number}" if stem else str(number)
            paths = {ending: Path("predictions") / f"{name}{ending}" for ending in endings}
            if not any(path.exists() for path in paths.values()):
                return paths
            number += 1

    def folder(self) -> Path:
        """Returns the folder for several files: as asked, or in `predictions/` by a free number."""
        return self.output or self.places("")[""]


def refuse_not_finite(probabilities: Any) -> None:
    """Refuses probabilities of which one is not a number: the weights are damaged.

    Raises:
        InputError: One is not.
    """
    if not probabilities.isfinite().all():
        raise InputError("a probability is not a number: the weights are damaged, train them again")


def write_rows(path: Path, records: Sequence[Mapping[str, Any]], names: Sequence[str] = ()) -> None:
    """Writes a row for each prediction: CSV, a JSON list, or a line of JSON each, by the ending.

    Args:
        path: File to write.
        records: Values by name; of a mapping within, CSV has a column `p(KEY)` for each key.
        names: Names of the columns where there is no row.

    Raises:
        InputError: The file cannot be written.
    """
    if path.suffix.lower() == ".csv":
        flat = [_flat(record) for record in records]
        names = list(dict.fromkeys(name for row in flat for name in row)) or names
        write_csv(path, [names, *([row.get(name, "") for name in names] for row in flat)])
    elif path.suffix.lower() == ".json":
        write_text(path, json.dumps(list(records), indent=1, ensure_ascii=False) + "\n")
    else:
        lines = (json.dumps(record, ensure_ascii=False) for record in records)
        write_text(path, "".join(f"{line}\n" for line in lines))


def _flat(record: Mapping[str, Any]) -> dict[str, Any]:
    """Returns a record without mappings within, and its numbers as they are read best."""
    cells: dict[str, Any] = {}
    for name, value in record.items():
        if isinstance(value, Mapping):
            cells |= {f"p({key})": f"{share:.8g}" for key, share in value.items()}
        else:
            cells[name] = f"{value:.8g}" if isinstance(value, float) else value
    return cells


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
