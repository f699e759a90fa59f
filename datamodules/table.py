"""Any table: a CSV, TSV or Parquet file of yours, of which a column is to be predicted.

Source: the file that --data.path names
Batch: (features, targets)
"""

import math
from collections import Counter
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from reprlib import repr as in_short
from typing import Any

import numpy as np
import torch
from torch import Tensor

from datamodules.batches.in_memory import InMemory
from datamodules.files.errors import CorpusError
from datamodules.own_file import OwnFile
from datamodules.synthetic import seedlings
from datamodules.tables import reading
from datamodules.tables.corpus import TableCorpus
from datamodules.tables.dates import date_format
from datamodules.tables.encoder import Encoder, Scale, fit_scale
from datamodules.tables.reading import MARKS, MISSING, Layout, number, read_table, shown

MOST_CLASSES = 10  # of whole numbers
MOST_WORDS = 50  # of a column


class Table(OwnFile, TableCorpus):
    """A row's number or class from its other columns: numbers, categories and dates.

    The columns are encoded by the training rows. A column is of numbers where all its cells are,
    of dates where all are dates of one format, else of categories: of more than 50 the most
    frequent ones count, and none that is there once. Empty cells and NA, N/A, NaN, NULL, None and ?
    are missing.

    Args:
        path: Path of the file, from the current folder or else from the root. A checkpoint does not
            keep it.
        target: Name of the column to predict.
        identifier: Name of the column that names a row, which nothing is learned from; by default
            the first one whose name ends with id and whose cells are all different.
        categorical: Names of columns of categories that are written as numbers.
        classes: Whether the targets are classes; by default if one of them is no number, or if they
            are at most 10 different whole numbers, each on two rows or more on average.
        batch_size: Rows per batch, in each process.
        table: Arguments of every corpus of one table.
    """

    title = "Table"
    splits = ("train", "val")
    layout = Layout(delimiter="", marks=MARKS)
    synthetic_name = "seedlings.csv"
    target: str

    def __init__(
        self,
        path: str | Path | None = None,
        target: str | None = None,
        identifier: str | None = None,
        categorical: Sequence[str] = (),
        classes: bool | None = None,
        batch_size: int = 16,
        **table: Any,
    ) -> None:
        super().__init__(batch_size=batch_size, **table)
        self.save_hyperparameters(ignore=["root", "path"], logger=False)
        self.name_file(path)
        self.target = target or (seedlings.TARGET if self.synthetic else "")
        self.given_identifier, self.classes = identifier, classes
        self.categorical = tuple(categorical)

    def write_synthetic(self, folder: Path) -> None:
        seedlings.write(folder / self.synthetic_name)

    # What is read

    @cached_property
    def _table(self) -> reading.Cells:
        self.prepare_data()  # facts are asked for before the Trainer does this
        if not self.target:
            raise CorpusError("name the column to predict: --data.target COLUMN")
        wanted = [*self.categorical, *filter(None, [self.given_identifier]), self.target]
        return read_table(self.place, self.layout, wanted)

    @property
    def identifier(self) -> str | None:  # type: ignore[override]
        """The column that names a row, if there is one."""
        if self.given_identifier:
            return self.given_identifier
        named = (c for c in self._table.columns if c.lower().endswith("id") and c != self.target)
        return next((name for name in named if self._is_unique(name)), None)

    def _is_unique(self, column: str) -> bool:
        return len(set(self._table.columns[column])) == len(self._table)

    @cached_property
    def is_classified(self) -> bool:
        """Whether the targets are classes."""
        if self.classes is not None:
            return self.classes
        values = [number(cell) for cell in self._answers]
        if not all(map(math.isfinite, values)):
            return True
        kinds = set(values)
        few = len(kinds) <= min(MOST_CLASSES, len(values) // 2)
        return few and all(value.is_integer() for value in kinds)

    @cached_property
    def _answers(self) -> list[str]:
        """The cells of the target.

        Raises:
            CorpusError: One is missing.
        """
        cells = self._table.columns[self.target]
        if "" in cells:
            where = self._table.at(cells.index(""), self.target)
            raise CorpusError(f"{where}: the answer is missing: leave out the rows without one")
        return cells

    @cached_property
    def labels(self) -> tuple[str, ...]:
        """Names of the classes: numbers in their order, words in alphabetical order.

        Raises:
            CorpusError: The targets are numbers.
        """
        if not self.is_classified:
            raise CorpusError(
                f"{self._table.path}, column {shown(self.target)}: numbers, not classes: take a "
                "regressor (--model MLPRegressor), or --data.classes true"
            )
        kinds = set(self._answers)
        if all(math.isfinite(number(kind)) for kind in kinds):
            return tuple(sorted(kinds, key=lambda kind: (number(kind), kind)))
        return tuple(sorted(kinds))

    @cached_property
    def num_classes(self) -> int:
        return len(self.labels)

    @cached_property
    def target_mean(self) -> float:
        self._refuse_classes()
        return self._target_scale.mean

    @cached_property
    def target_std(self) -> float:
        self._refuse_classes()
        return self._target_scale.std

    def _refuse_classes(self) -> None:
        if self.is_classified:
            numeric = all(math.isfinite(number(label)) for label in self.labels)
            way = ", or --data.classes false" if numeric else ""
            raise CorpusError(
                f"{self._table.path}, column {shown(self.target)}: {self.num_classes} classes, not "
                f"numbers: take a classifier (--model MLP){way}"
            )

    @cached_property
    def _targets(self) -> np.ndarray:
        if not self.is_classified:
            _ = self._answers  # none is missing
            return super()._targets
        index = {label: place for place, label in enumerate(self.labels)}
        return np.array([index[cell] for cell in self._answers])

    @cached_property
    def _target_scale(self) -> Scale:
        if self.is_classified:
            return Scale(0.0, 1.0)
        return fit_scale(self._targets[self._division[0].numpy()])

    @cached_property
    def _division(self) -> tuple[Tensor, Tensor]:
        if self.is_classified:
            return self.divide_classes(torch.from_numpy(self._targets))
        return self.divide(len(self._table))

    @cached_property
    def _encoder(self) -> Encoder:
        rows, kinds = self._division[0].tolist(), Counter(self.categorical)
        numeric, categorical, dates = [], [], {}
        for name, cells in self._table.columns.items():
            if name in (self.target, self.identifier, ""):  # "" is pandas' index
                continue
            known = [cells[row] for row in rows if cells[row] not in MISSING]
            if not kinds[name] and not any(math.isnan(number(cell)) for cell in known):
                numeric.append(name)
            elif not kinds[name] and (form := date_format(known)):
                dates[name] = form
            else:
                categorical.append(name)
        encoder = Encoder.fit(
            self._table, rows, numeric, categorical, self.logarithms, dates, MOST_WORDS
        )
        if not encoder.names:
            raise CorpusError(
                f"{self._table.path}: no column but {shown(self.target)} has anything to learn from"
            )
        return encoder

    def rows(self, indices: Tensor) -> InMemory:
        if not self.is_classified:
            return super().rows(indices)
        targets = torch.from_numpy(self._targets)
        return InMemory(self._encoder(self._table)[indices], targets[indices])

    @property
    def described(self) -> str:
        kind = f"{self.num_classes} classes" if self.is_classified else "a number"
        unused = [name for name, words in self._encoder.words.items() if not words]
        left_out = f"; nothing is learned from {', '.join(map(shown, unused))}" if unused else ""
        target = f"{shown(self.target)} ({kind})"
        return f"{super().described}; {target} from {self.in_features} features{left_out}"

    # What a checkpoint keeps

    def state_dict(self) -> dict[str, Any]:
        """Adds the labels, if the targets are classes."""
        labels = {"labels": self._saved_labels} if self.is_classified else {}
        return {**super().state_dict(), **labels}

    @property
    def _saved_labels(self) -> list[str]:
        return list(self.labels) if self.is_classified else []

    def load_state_dict(self, state: dict[str, Any]) -> None:
        super().load_state_dict(state)
        if state.get("labels", []) != self._saved_labels:
            raise CorpusError(
                f"the checkpoint was trained on other classes of {self.title}: "
                f"{in_short(state.get('labels'))}"
            )
