"""predict, for a model of no family: what it makes of the rows of its own datamodule."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from zoo.cli.compose import from_checkpoint
from zoo.cli.foreign_errors import in_one_line
from zoo.cli.predict.prediction import ROWS, Prediction, write_rows
from zoo.errors import InputError
from zoo.files import written_whole

WRITES = (*ROWS, ".pt")


def predict(prediction: Prediction, inputs: Sequence[str]) -> Path:
    """Writes what `predict_step` returns for each row of `predict_dataloader`.

    Numbers of a row are a line of a CSV file, larger tensors one file of torch's, other objects a
    line of JSON each.

    Raises:
        InputError: Files are given, or the datamodule has no rows to predict.
    """
    import torch

    from zoo.cli.lightning import ZooCLI

    path = prediction.ckpt_path
    if inputs:
        raise InputError(f"{path} predicts the rows of its datamodule, not {inputs[0]}")
    given = (prediction.checkpoint, path, None, prediction.overrides, prediction.allow)
    cli = ZooCLI(from_checkpoint(*given), None)
    with in_one_line():
        batches: Any = cli.trainer.predict(cli.model, cli.datamodule, ckpt_path=path)
    if not batches:
        raise InputError(f"{path}: {type(cli.datamodule).__name__} has no rows to predict")
    if not all(isinstance(batch, torch.Tensor) for batch in batches):
        texts = [json.dumps(batch, default=_plain) for batch in batches]
        (place,) = prediction.places(".jsonl").values()
        write_rows(place, [json.loads(text) for text in texts])
        return place
    rows = torch.cat([torch.atleast_1d(batch).cpu() for batch in batches])
    ((ending, place),) = prediction.places(".pt" if rows.ndim > 2 else ".csv").items()
    if ending == ".pt":
        with written_whole(place) as partial:
            torch.save(rows, partial)
        return place
    table = rows.reshape(len(rows), -1)
    header = ["row", *(f"prediction_{n}" for n in range(table.shape[1]))]
    lines = ((n, *row) for n, row in enumerate(table.tolist()))
    write_rows(place, [dict(zip(header, line, strict=True)) for line in lines])
    return place


def _plain(value: Any) -> Any:
    return value.tolist() if hasattr(value, "tolist") else str(value)
