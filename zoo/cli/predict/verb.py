"""predict: what a trained model makes of files or of a text, from its checkpoint alone."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from rich.console import Console

from zoo.checkpoints.checkpoint import corpus_state, read, refuse_foreign
from zoo.cli.allowed import refuse_foreign_classes
from zoo.cli.predict.generation import predict_samples
from zoo.cli.predict.image_classification import predict_pictures
from zoo.cli.predict.language_modeling import predict_text
from zoo.cli.predict.object_detection import predict_objects
from zoo.cli.predict.prediction import Prediction
from zoo.cli.predict.regression import predict_table
from zoo.cli.predict.sequence_tagging import predict_tags
from zoo.cli.predict.style_transfer import predict_painting, predict_styled
from zoo.cli.predict.text_classification import predict_reviews
from zoo.cli.predict.translation import predict_sentences
from zoo.cli.predict.word_embedding import predict_words
from zoo.errors import InputError


class Kind(NamedTuple):
    """What a checkpoint does, and the options that are for it alone."""

    predict: Callable[[Prediction, list[str]], Path]
    does: str
    options: tuple[str, ...] = ()


# By what the checkpoint's corpus left in it, or by an argument of its model.
KINDS = {
    "latent_dim": Kind(predict_samples, "draws samples", ("num", "interpolate")),
    "category_ids": Kind(predict_objects, "finds things in pictures"),
    "content": Kind(predict_painting, "is a painting"),
    "style": Kind(predict_styled, "paints pictures"),
    "labels": Kind(predict_pictures, "labels pictures"),
    "encoder": Kind(predict_table, "fills in tables"),
    "before": Kind(predict_tags, "tags a text", ("prompt",)),
    "source_vocabulary": Kind(predict_sentences, "translates", ("text", "file", "beam", "n_best")),
    "word_counts": Kind(
        predict_words, "has vectors of words", ("nearest", "analogy", "top", "export")
    ),
    "classes": Kind(predict_reviews, "classifies texts", ("text", "file")),
    "vocabulary": Kind(predict_text, "goes on with a text", ("prompt",)),
}


def predict(
    ckpt_path: str,
    inputs: list[str],
    output: Path | None,
    overrides: list[str],
    sampling: dict[str, Any] | None = None,
    allow: Sequence[str] = (),
    **options: Any,
) -> int:
    """Does with the inputs what the checkpoint was trained for.

    Raises:
        InputError: The checkpoint does not say how its input was prepared, or an option is not for
            what it does.
    """
    checkpoint = read(ckpt_path)
    refuse_foreign(checkpoint, ckpt_path, allow)
    refuse_foreign_classes({}, overrides, allow)
    state = corpus_state(checkpoint) or {}
    known = {**checkpoint.get("hyper_parameters", {}), **state}
    kind = next((KINDS[name] for name in KINDS if name in known), None)
    if kind is None:
        raise InputError(
            f"{ckpt_path} was not trained on a corpus of labelled pictures, tables or text"
        )
    given = {name: value for name, value in options.items() if value is not None}
    for name in given:
        if name not in kind.options:
            raise InputError(f"{ckpt_path} {kind.does}: --{name} is not for that")
    prediction = Prediction(
        *(ckpt_path, checkpoint, state, output, overrides),
        sampling=sampling or {},
        allow=allow,
        **given,
    )
    path = kind.predict(prediction, inputs)
    Console(highlight=False).print(f"written: {path}", soft_wrap=True)
    return 0
