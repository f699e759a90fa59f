"""predict: what a trained model makes of files or of a text, from its checkpoint alone."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from datamodules.files.errors import CorpusError
from zoo.catalogue import TASK, family_of, is_a
from zoo.checkpoints.checkpoint import corpus_state, model_class, read, refuse_foreign
from zoo.cli.allowed import refuse_foreign_classes
from zoo.cli.names import is_address, refuse_address
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
    output = _place_of(given.output, f"{path} {does}", family.WRITES, given.inputs)
    for text in given.inputs:
        refuse_address(text)
    state = corpus_state(checkpoint) or {}
    prediction = Prediction(path, checkpoint, state, output, overrides, given.allow)
    with TemporaryDirectory() as folder:
        if "-" in given.inputs:
            prediction.piped = Path(folder) / "stdin"
            prediction.piped.write_bytes(sys.stdin.buffer.read())
        inputs = [str(prediction.piped) if each == "-" else each for each in given.inputs]
        try:
            written = family.predict(prediction, inputs, **own)
        except (InputError, CorpusError) as error:
            raise type(error)(prediction.named(error)) from None
    files = written if isinstance(written, list) else [written]
    plain_console().print(f"written: {' and '.join(map(str, files))}", soft_wrap=True)
    return prediction.code


def _place_of(
    text: str | None, what: str, endings: tuple[str, ...], inputs: Sequence[str]
) -> Path | None:
    """Returns where the output is to go; refuses what cannot be, before anything is predicted.

    Args:
        text: File or folder that was asked for; one that ends with a slash is a folder.
        what: The checkpoint, and what its models do.
        endings: Endings of the files that they write.
        inputs: Files and folders that are predicted, none of which may be written over.

    Raises:
        InputError: It is an address or an input, or has another ending.
    """
    if text is None:
        return None
    if is_address(text):
        raise InputError(f"--output {text} is an address: write a file, and upload it")
    output, folder = Path(text), text.endswith("/")
    if text in ("", "-") or (output.name.startswith(".") and output.suffix == ""):
        raise InputError(f"--output {text}: wanted the name of a file or a folder")
    files = [Path(each) for each in inputs if each != "-"]
    for file in files:
        if output.exists() and (
            output.resolve() == file.resolve() or output.resolve() == file.resolve().parent
        ):
            raise InputError(f"--output {text}: {file} is predicted, and would be written over")
    if output.is_dir() or (output.suffix.lower() in ("", *endings) and not folder):
        if output.suffix == "" and output.is_file():
            raise InputError(f"--output {text} is a file without an ending, and no folder")
        return output
    if folder:
        try:
            output.mkdir(parents=True)
        except OSError as error:
            raise InputError(f"--output {text}: cannot be made ({error.strerror})") from None
        return output
    *others, last = endings
    named = f"{', '.join(others)} or {last}" if others else last
    raise InputError(f"--output {text}: {what}, into a folder or a file that ends with {named}")
