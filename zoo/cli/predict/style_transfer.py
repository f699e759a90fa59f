"""predict, for what paints: any pictures in the style that was learnt, or the one painting."""

from pathlib import Path
from typing import Any

from zoo.checkpoints.checkpoint import load
from zoo.cli.predict.object_detection import names_of
from zoo.cli.predict.prediction import Prediction
from zoo.errors import InputError
from zoo.style_transfer.pictures import as_bytes, write_picture


def predict_painting(prediction: Prediction, inputs: list[str]) -> Path:
    """Writes the painting that a checkpoint holds, and returns where it is.

    Raises:
        InputError: There is an input, or the file cannot be written.
    """
    if inputs:
        raise InputError(
            f"{prediction.ckpt_path} is one painting: leave out {inputs[0]}, or train a FastStyle"
        )
    model: Any = load(prediction.ckpt_path, allow=prediction.allow)
    path = prediction.place("", ".png")
    write_picture(path, as_bytes(model.painting)[0])
    return path


def predict_styled(prediction: Prediction, inputs: list[str]) -> Path:
    """Paints picture files in their own sizes.

    One goes where it is asked for or into `predictions/`, several into a folder there, each under
    its own name; all are PNG. Returns where the file or the folder is.

    Raises:
        InputError: There is no picture, or a file cannot be written.
    """
    if not inputs:
        raise InputError("name the pictures: zoo predict PICTURE ... --ckpt_path C")
    corpus, painted = prediction.run(
        "datamodules.pictures.own_sizes.WholePictures", {"files": inputs}
    )
    if len(painted) == 1:
        path = prediction.place("", ".png")
        write_picture(path, painted[0])
        return path
    folder = prediction.place("", "")
    for name, picture in zip(names_of(corpus.pictures), painted, strict=True):
        write_picture(folder / f"{name}.png", picture)
    return folder
