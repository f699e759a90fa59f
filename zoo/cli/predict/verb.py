"""predict: what a trained model makes of files or of a text, from its checkpoint alone."""

import argparse

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
    known = set().union(*map(options, families().values()))
    own = {name: value for name, value in vars(given).items() if name in known}
    for name in own:
        if name not in options(family):
            does = getattr(family, "DOES", "predicts the rows of its datamodule")
            raise InputError(f"{path} {does}: --{name} is not for that")
    state = corpus_state(checkpoint) or {}
    prediction = Prediction(path, checkpoint, state, given.output, overrides, given.allow)
    written = family.predict(prediction, given.inputs, **own)
    plain_console().print(f"written: {written}", soft_wrap=True)
    return prediction.code
