"""Airfoil self-noise: 1,503 measurements of NASA in a wind tunnel, five numbers to predict a sixth.

Source: Brooks, Pope and Marcolini 1989, https://doi.org/10.24432/C5VW2C; CC BY 4.0
Batch: (features, targets)
"""

from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor

from datamodules.batches.in_memory import InMemory
from datamodules.files.download import RemoteFile
from datamodules.files.errors import CorpusError
from datamodules.synthetic import airfoils
from datamodules.tables.corpus import TableCorpus
from datamodules.tables.reading import Layout

FILE = "airfoil/airfoil_self_noise.dat"


class Airfoil(TableCorpus):
    """Sound pressure in decibels from frequency, angle, chord length, speed and thickness.

    Args:
        measure_on: Validate and test on the rows held out, or, as where optimizers are compared by
            the loss that they minimise, on the training rows, which then are all rows.
        num_rows: Number of rows to train on, the first ones; the course takes 1,500.
        batch_size: Rows per batch, in each process.
        table: Arguments of every corpus of one table.
    """

    title = "Airfoil"
    splits: tuple[str, ...] = ("train", "val")
    layout = Layout(
        delimiter="\t",
        header=(
            *("frequency", "angle_of_attack", "chord_length", "velocity"),
            *("displacement_thickness", "sound_pressure"),
        ),
    )
    labelled = FILE
    numeric, target = layout.header[:5], layout.header[5]
    files = (
        RemoteFile(
            name=FILE,
            urls=(
                "https://d2l-data.s3-accelerate.amazonaws.com/airfoil_self_noise.dat",
                "https://archive.ics.uci.edu/ml/machine-learning-databases/00291/"
                "airfoil_self_noise.dat",
            ),
            sha256="74c75fd71783f1e6b71f8a622b993dc592897a97cd689c5090a07147a1b097b3",
            size=59_984,
        ),
    )

    def __init__(
        self,
        measure_on: Literal["held_out", "training"] = "held_out",
        num_rows: int | None = None,
        batch_size: int = 10,
        **table: Any,
    ) -> None:
        super().__init__(batch_size=batch_size, **table)
        self.save_hyperparameters(ignore=["root"], logger=False)
        if num_rows is not None and num_rows < 1:
            raise CorpusError(f"num_rows must be at least 1, not {num_rows}")
        if measure_on == "training" and self.fold is not None:
            raise CorpusError(
                "a fold is held out, and measure_on is training: set --data.measure_on held_out"
            )
        self.measure_on, self.num_rows = measure_on, num_rows
        if measure_on == "training":
            self.splits = (*self.splits, "test")

    def write_synthetic(self, folder: Path) -> None:
        airfoils.write(folder / FILE)

    def divide(self, num_rows: int) -> tuple[Tensor, Tensor]:
        if self.measure_on == "training":
            return torch.arange(num_rows), torch.arange(num_rows)
        return super().divide(num_rows)

    def read(self, split: str) -> InMemory:
        train, held_out = self._division
        if split == "train" or self.measure_on == "training":
            return self.rows(train[: self.num_rows])
        return self.rows(held_out)
