"""predict, for tables: a CSV file with one prediction a row, as Kaggle takes it."""

import csv
from importlib import import_module
from pathlib import Path

from rich.console import Console
from rich.table import Table

from zoo.cli.predict import Prediction
from zoo.errors import InputError

FILES = "datamodules.table_files.TableFiles"


def predict_table(prediction: Prediction, inputs: list[str]) -> Path:
    """Predicts each row of tables, by default of the corpus's own that came without answers.

    Raises:
        InputError: There is no table, a prediction is not finite, or the file cannot be written.
    """
    state = prediction.state
    paths = [Path(path) for path in inputs] or _unanswered(prediction)
    names = ("encoder", "layout", "identifier")
    arguments = {"files": [str(path) for path in paths], **{name: state[name] for name in names}}
    corpus, outputs = prediction.run(FILES, arguments)
    values = outputs.double().exp() if state["log_target"] else outputs.double()
    if not values.isfinite().all():
        row = int((~values.isfinite()).nonzero()[0])
        raise InputError(f"row {corpus.identifiers[row]}: no finite prediction: look at its cells")
    path = prediction.place("submission", ".csv")
    column = state["target"]
    rows = list(zip(corpus.identifiers, values.tolist(), strict=True))
    try:
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow([state["identifier"] or "row", column])
            writer.writerows([name, f"{value:.8g}"] for name, value in rows)
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({error.strerror})") from None
    table = Table("rows", f"least {column}", "median", "greatest")
    shown = (values.min(), values.median(), values.max())
    table.add_row(f"{len(rows):,}", *(f"{value:,.6g}" for value in shown))
    Console(highlight=False).print(table)
    return path


def _unanswered(prediction: Prediction) -> list[Path]:
    """The corpus's rows without answers, found under `--data.root` as in training."""
    state, options = prediction.state, prediction.overrides
    roots = [option for option in options if option.startswith("--data.root=")]
    prediction.overrides = [option for option in options if option not in roots]
    module, _, name = state["class_path"].rpartition(".")
    root = {"root": roots[-1].partition("=")[2]} if roots else {}
    corpus = getattr(import_module(module), name)(**state["arguments"], **root)
    paths = corpus.files_to_predict()
    if not paths:
        raise InputError("name the tables to predict: zoo predict TABLE ... --ckpt_path C")
    return paths
