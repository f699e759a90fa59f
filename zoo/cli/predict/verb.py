"""predict: what a trained model makes of files or of a text, from its checkpoint alone."""

import argparse
import re
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from zoo.catalogue import TASK, family_of, is_a
from zoo.checkpoints.checkpoint import corpus_state, model_class, read, refuse_foreign
from zoo.cli.allowed import refuse_foreign_classes
from zoo.cli.predict import families, options, rows_of_datamodule
from zoo.cli.predict.prediction import Prediction
from zoo.cli.report import plain_console
from zoo.errors import InputError


def predict(given: argparse.Namespace, overrides: list[str]) -> int:
    """Does with the inputs what models of the checkpoint's family do.

    Raises:
        InputError: Models of this family predict nothing, the checkpoint does not say how its
            input was prepared, or an option is another family's.
    """
    path = given.ckpt_path
    checkpoint = read(path)
    refuse_foreign(checkpoint, path, given.allow)
    refuse_foreign_classes({}, overrides, given.allow)
    cls = model_class(checkpoint, path)
    family = families().get(family_of(cls))
    if family is None and not is_a(checkpoint["zoo"]["class_path"], TASK):
        family = rows_of_datamodule
    if family is None:
        raise InputError(
            f"{path}: {cls.__name__} is of no family that predicts; those that do: "
            f"{', '.join(families())}"
        )
    does = getattr(family, "DOES", "predicts the rows of its datamodule")
    known = set().union(*map(options, families().values()))
    own = {name: value for name, value in vars(given).items() if name in known}
    for name in own:
        if name not in options(family):
            raise InputError(f"{path} {does}: --{name} is not for that")
    _check_output(given.output, f"{path} {does}", family.WRITES)
    for text in (*given.inputs, given.output, own.get("file")):
        if re.match(r"[a-z][a-z0-9+.-]+:/", str(text), re.IGNORECASE):
            raise InputError(
                f"{text} is an address: download it first (curl -O), and name the file"
            )
    state = corpus_state(checkpoint) or {}
    prediction = Prediction(path, checkpoint, state, given.output, overrides, given.allow)
    with TemporaryDirectory() as folder:
        if "-" in given.inputs:
            prediction.piped = Path(folder) / "stdin"
            prediction.piped.write_bytes(sys.stdin.buffer.read())
        inputs = [str(prediction.piped) if each == "-" else each for each in given.inputs]
        written = family.predict(prediction, inputs, **own)
    files = written if isinstance(written, list) else [written]
    plain_console().print(f"written: {' and '.join(map(str, files))}", soft_wrap=True)
    return prediction.code


def _check_output(output: Path | None, what: str, endings: tuple[str, ...]) -> None:
    """Refuses a file of an ending that a family does not write, before anything is predicted.

    Raises:
        InputError: It has such an ending.
    """
    if output is None or output.is_dir() or output.suffix.lower() in ("", *endings):
        return
    *others, last = endings
    named = f"{', '.join(others)} or {last}" if others else last
    raise InputError(f"--output {output}: {what}, into a folder or a file that ends with {named}")
