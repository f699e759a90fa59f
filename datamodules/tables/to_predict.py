"""Tables to predict, encoded as a checkpoint's corpus was.

Batch: (features, rows)
"""

import json
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import torch

from datamodules.batches.in_memory import InMemory
from datamodules.batches.samplers import EvaluationBatches
from datamodules.corpus import Corpus, Loader
from datamodules.tables.encoder import Encoder
from datamodules.tables.reading import Cells, Layout, read_table


class TableFiles(Corpus):
    """The tables that `zoo predict` is given.

    Args:
        files: Paths of the tables.
        encoding: JSON text of what the checkpoint keeps of the corpus that the model was trained
            on: `encoder`, `layout` of the file and `identifier`, the column that names a row, or
            null, and rows are counted from 1. A text, for a command line takes words like 1e3 in
            other data for numbers.
        batch_size: Rows per batch.
    """

    title = "tables"

    def __init__(self, files: Sequence[str], encoding: str, batch_size: int = 1024) -> None:
        super().__init__(batch_size=batch_size)
        self.paths = [Path(file) for file in files]
        state = json.loads(encoding)
        self.encoder = Encoder.from_state(state["encoder"])
        self.layout = Layout(state["layout"][0], *map(tuple, state["layout"][1:]))
        self.identifier = state["identifier"]
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

    def _read(self, path: Path) -> Cells:
        wanted = [*self.encoder.columns, *filter(None, [self.identifier])]
        return read_table(path, self.layout, wanted)

    def predict_dataloader(self) -> Loader:
        rows = InMemory(self.features, torch.arange(len(self.features)))
        return self.loader(rows, EvaluationBatches(rows, self.batch_size))
