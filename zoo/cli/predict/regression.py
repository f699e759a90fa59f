"""predict, for tables: one prediction a row, by default as CSV that Kaggle takes."""

from argparse import ArgumentParser
from pathlib import Path

from rich.table import Table

from zoo.cli.predict.prediction import ROWS, Prediction
from zoo.cli.predict.tables import encoded_rows
from zoo.cli.report import print_table
from zoo.errors import InputError

DOES = "fills in tables"
WRITES = ROWS


def add_arguments(parser: ArgumentParser) -> None:
    """Adds no option: tables are all that a regressor takes."""


def predict(prediction: Prediction, inputs: list[str]) -> Path:
    """Predicts each row of tables, by default of the corpus's own that came without answers.

    Raises:
        InputError: There is no table, a prediction is not finite, or the file cannot be written.
    """
    corpus, outputs = encoded_rows(prediction, inputs)
    state = prediction.state
    values = outputs.double().exp() if state["log_target"] else outputs.double()
    if not values.isfinite().all():
        row = int((~values.isfinite()).nonzero()[0])
        raise InputError(f"row {corpus.identifiers[row]}: no finite prediction: look at its cells")
    column = state["target"]
    rows = zip(corpus.identifiers, values.tolist(), strict=True)
    header = [state["identifier"] or "row", column]
    path = prediction.submit(header, ([name, float(f"{value:.8g}")] for name, value in rows))
    table = Table("rows", f"least {column}", "median", "greatest")
    shown = (values.min(), values.median(), values.max())
    table.add_row(f"{len(values):,}", *(f"{value:,.6g}" for value in shown))
    print_table(table)
    return path
