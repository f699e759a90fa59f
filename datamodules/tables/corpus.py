"""Corpora of one table, with a number to predict in each row.

Batch: (features, targets)
"""

import math
from functools import cached_property
from pathlib import Path
from reprlib import repr as in_short
from typing import Any

import numpy as np
import torch
from torch import Tensor

from datamodules.batches.held_out import HeldOut
from datamodules.batches.in_memory import InMemory
from datamodules.files.errors import CorpusError
from datamodules.tables.encoder import Encoder, Scale, fit_scale
from datamodules.tables.reading import Cells, Layout, numbers, read_table


class TableCorpus(HeldOut):
    """A corpus of rows with one number to predict.

    A corpus says which file, which columns, and may transform the target.

    Args:
        logarithms: Whether to take logarithms of skewed columns; see `Encoder.fit`.
        corpus: Arguments of every corpus.
    """

    predicts = "TABLE ..."
    layout = Layout()
    labelled: str
    unlabelled: str | None = None
    numeric: tuple[str, ...]
    categorical: tuple[str, ...] = ()
    target: str
    identifier: str | None = None
    log_target = False

    def __init__(self, logarithms: bool = False, **corpus: Any) -> None:
        super().__init__(**corpus)
        self.logarithms = logarithms

    @property
    def feature_names(self) -> list[str]:
        """Names of the features, in order."""
        return list(self._encoder.names)

    @cached_property
    def in_features(self) -> int:
        return len(self._encoder.names)

    @cached_property
    def target_mean(self) -> float:
        return self._target_scale.mean

    @cached_property
    def target_std(self) -> float:
        return self._target_scale.std

    def files_to_predict(self) -> list[Path]:
        """The rows that came without their answers, once the files are there."""
        if not self.unlabelled:
            return []
        self.prepare_data()
        path = self.folder / self.unlabelled
        if not path.is_file():
            self.download()
        return [path]

    @property
    def place(self) -> Path:
        """Where the rows with their answers are."""
        return self.folder / self.labelled

    @property
    def files_exist(self) -> bool:
        """Whether the rows with their answers are there, which training takes no more than."""
        return (self.root / self.labelled).is_file()

    @cached_property
    def _table(self) -> Cells:
        self.prepare_data()  # facts are asked for before the Trainer does this
        wanted = [*self.numeric, *self.categorical, self.target]
        return read_table(self.place, self.layout, wanted)

    @cached_property
    def _targets(self) -> np.ndarray:
        """Of every row, as logarithms where the corpus says so.

        Raises:
            CorpusError: One is missing, or has no logarithm.
        """
        values = numbers(self._table, self.target)
        bad = np.isnan(values) | (values <= 0) if self.log_target else np.isnan(values)
        if bad.any():
            row = int(bad.argmax())
            found = in_short(self._table.columns[self.target][row])
            wanted = "a number over 0" if self.log_target else "a number"
            raise CorpusError(f"{self._table.at(row, self.target)}: {found} is not {wanted}")
        return np.log(values) if self.log_target else values

    @cached_property
    def _division(self) -> tuple[Tensor, Tensor]:
        return self.divide(len(self._table))

    @cached_property
    def _encoder(self) -> Encoder:
        rows = self._division[0].tolist()
        return Encoder.fit(self._table, rows, self.numeric, self.categorical, self.logarithms)

    @cached_property
    def _target_scale(self) -> Scale:
        return fit_scale(self._targets[self._division[0].numpy()])

    def read(self, split: str) -> InMemory:
        return self.rows(self._division[0 if split == "train" else 1])

    def rows(self, indices: Tensor) -> InMemory:
        """The rows of the labelled table with these indices."""
        targets = torch.from_numpy(self._targets).float()
        return InMemory(self._encoder(self._table)[indices], targets[indices])

    def state_dict(self) -> dict[str, Any]:
        """Adds what predicting needs: the encoding, and what is predicted."""
        return {
            **super().state_dict(),
            "encoder": self._encoder.state_dict(),
            "layout": [self.layout.delimiter, list(self.layout.header), list(self.layout.marks)],
            "target": self.target,
            "target_scale": [self._target_scale.mean, self._target_scale.std],
            "identifier": self.identifier,
            "log_target": self.log_target,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Refuses a checkpoint that was trained on rows of another encoding."""
        saved, own = Encoder.from_state(state["encoder"]), self._encoder
        scales = {**own.scales, self.target: self._target_scale}
        others = {**saved.scales, self.target: Scale(*state["target_scale"])}
        same = (saved.names, saved.dates) == (own.names, own.dates) and all(
            others[name].logarithm == scale.logarithm
            and math.isclose(others[name].mean, scale.mean, rel_tol=1e-6, abs_tol=1e-9)
            and math.isclose(others[name].std, scale.std, rel_tol=1e-6)
            for name, scale in scales.items()
        )
        if not same:
            given = ", ".join(f"{k} {v}" for k, v in state["arguments"].items())
            raise CorpusError(
                f"the checkpoint was trained on other rows of {self.title}, which scale the "
                f"columns differently; it was trained with: {given or 'the defaults'}"
            )
