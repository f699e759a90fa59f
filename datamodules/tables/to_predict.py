"""Tables to predict, encoded as a checkpoint's corpus was.

Batch: (features, rows)
"""

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import torch

from datamodules.batches.in_memory import InMemory
from datamodules.batches.samplers import EvaluationBatches
from datamodules.corpus import Corpus, Loader
from datamodules.tables.encoder import Encoder
from datamodules.tables.reading import Layout, Table, read_table


class TableFiles(Corpus):
    """The tables that `zoo predict` is given.

    Args:
        files: Paths of the tables.
        encoder: State of the encoder of the corpus that the model was trained on.
        layout: Delimiter of that corpus's file, and names of its columns where it has no header.
        identifier: The column that names a row; by default rows are counted from 1.
        batch_size: Rows a batch.
    """

    title = "tables"

    def __init__(
        self,
        files: Sequence[str],
        encoder: dict[str, Any],
        layout: Sequence[Any],
        identifier: str | None = None,
        batch_size: int = 1024,
    ) -> None:
        super().__init__(batch_size=batch_size)
        self.paths = [Path(file) for file in files]
        self.encoder = Encoder.from_state(encoder)
        self.layout = Layout(layout[0], tuple(layout[1]))
        self.identifier = identifier
        self.identifiers: list[str] = []
        self.features = torch.empty(0)

    @cached_property
    def in_features(self) -> int:
        return len(self.encoder.names)

    def prepare_data(self) -> None:
        """Nothing to fetch."""

    def setup(self, stage: str) -> None:
        """Reads the tables.

        Raises:
            CorpusError: One of them is no table, or lacks a column; names it.
        """
        tables = [self._read(path) for path in self.paths]
        self.features = torch.cat([self.encoder(table) for table in tables])
        if self.identifier:
            self.identifiers = [cell for t in tables for cell in t.columns[self.identifier]]
        else:
            self.identifiers = [str(row + 1) for row in range(len(self.features))]

    def _read(self, path: Path) -> Table:
        wanted = [*self.encoder.scales, *self.encoder.words]
        return read_table(path, self.layout, [*wanted, *filter(None, [self.identifier])])

    def predict_dataloader(self) -> Loader:
        rows = InMemory(self.features, torch.arange(len(self.features)))
        return self.loader(rows, EvaluationBatches(rows, self.batch_size))
