"""predict, for what paints: any pictures in the style that was learnt, or the one painting."""

from argparse import ArgumentParser
from pathlib import Path

from zoo.catalogue import imported
from zoo.cli.predict.prediction import Prediction, names_of
from zoo.errors import InputError

DOES = "paints pictures"
WRITES = (".png",)


def add_arguments(parser: ArgumentParser) -> None:
    """Adds no option: pictures are all that a network of one style takes."""


def predict(prediction: Prediction, inputs: list[str]) -> Path:
    """Paints picture files in their own sizes, or writes the painting that a checkpoint holds.

    One picture goes where it is asked for or into `predictions/`, several into a folder there, each
    under its own name; all are PNG.

    Raises:
        InputError: A network has no picture to paint, or a painting has one; a file cannot be
            written.
    """
    from zoo.style_transfer.pictures import as_bytes, write_picture

    if hasattr(imported(prediction.checkpoint["zoo"]["class_path"]), "painting"):
        if inputs:
            raise InputError(f"{prediction.ckpt_path} is one painting: leave out {inputs[0]}")
        (path,) = prediction.places(".png").values()
        write_picture(path, as_bytes(prediction.model().painting)[0])
        return path
    if not inputs:
        raise InputError("name the pictures: zoo predict PICTURE ... --ckpt_path C")
    corpus_class = "datamodules.pictures.own_sizes.WholePictures"
    corpus, painted = prediction.run(corpus_class, {"files": inputs})
    pictures, painted = prediction.readable(corpus.rows, painted)
    asked = prediction.output
    if len(corpus.rows) == 1 and (asked is None or (asked.suffix and not asked.is_dir())):
        (path,) = prediction.places(".png").values()
        write_picture(path, painted[0])
        return path
    folder = prediction.folder()
    if folder.suffix and not folder.is_dir():
        raise InputError(f"--output {folder}: several pictures go into a folder")
    for name, picture in zip(names_of(pictures), painted, strict=True):
        write_picture(folder / f"{name}.png", picture)
    return folder
