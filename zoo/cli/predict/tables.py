"""Rows of tables to predict, as the checkpoint's corpus encoded those that were trained on."""

import json
from typing import Any

from zoo.cli.predict.prediction import Prediction

FILES = "datamodules.tables.to_predict.TableFiles"


def encoded_rows(prediction: Prediction, inputs: list[str]) -> tuple[Any, Any]:
    """Returns the rows of tables, by default of the corpus's own, and what the model makes of them.

    Raises:
        InputError: There is no table.
    """
    encoding = json.dumps(prediction.saved("encoder", "layout", "identifier"))
    files = inputs or prediction.unanswered("table")
    return prediction.run(FILES, {"files": files, "encoding": encoding})
