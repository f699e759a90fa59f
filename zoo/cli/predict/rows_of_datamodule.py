"""predict, for a model of no family: what it makes of the rows of its own datamodule."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from zoo.cli.compose import from_checkpoint
from zoo.cli.foreign_errors import in_one_line
from zoo.cli.predict.prediction import Prediction
from zoo.errors import InputError
from zoo.files import write_csv, write_text, written_whole


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
        write_text(place := prediction.place(".jsonl"), "\n".join(texts) + "\n")
        return place
    rows = torch.cat([torch.atleast_1d(batch).cpu() for batch in batches])
    if rows.ndim > 2:
        with written_whole(place := prediction.place(".pt")) as partial:
            torch.save(rows, partial)
        return place
    table = rows.reshape(len(rows), -1)
    lines = ([str(n), *map(str, row)] for n, row in enumerate(table.tolist()))
    header = ["row", *(f"prediction_{n}" for n in range(table.shape[1]))]
    write_csv(place := prediction.place(".csv"), [header, *lines])
    return place


def _plain(value: Any) -> Any:
    return value.tolist() if hasattr(value, "tolist") else str(value)
