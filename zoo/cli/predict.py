"""predict: what a trained model makes of files or of a text, from its checkpoint alone."""

from pathlib import Path
from typing import Any

from rich.console import Console

from zoo.cli.predict_pictures import predict_pictures
from zoo.cli.predict_table import predict_table
from zoo.cli.predict_text import predict_tags, predict_text
from zoo.cli.prediction import Prediction
from zoo.errors import InputError
from zoo.training.checkpoint import corpus_state, read, refuse_foreign

# What the checkpoint's corpus left in it says of which kind it was.
KINDS = {
    "labels": predict_pictures,
    "encoder": predict_table,
    "before": predict_tags,
    "vocabulary": predict_text,
}


def predict(
    ckpt_path: str,
    inputs: list[str],
    output: Path | None,
    overrides: list[str],
    prompt: str | None = None,
    sampling: dict[str, Any] | None = None,
) -> int:
    """Labels pictures, fills in tables, or goes on with or tags a text, as the corpus was.

    Raises:
        InputError: The checkpoint does not say how its input was prepared, or there is a prompt
            and its corpus was no text.
    """
    checkpoint = read(ckpt_path)
    refuse_foreign(checkpoint, ckpt_path)
    state = corpus_state(checkpoint) or {}
    kind = next((KINDS[name] for name in KINDS if name in state), None)
    if kind is None:
        raise InputError(
            f"{ckpt_path} was not trained on a corpus of labelled pictures, tables or text"
        )
    if prompt is not None and kind not in (predict_tags, predict_text):
        raise InputError(f"{ckpt_path} is no model of text: --prompt is for those")
    given = Prediction(ckpt_path, checkpoint, state, output, overrides, prompt, sampling or {})
    path = kind(given, inputs)
    Console(highlight=False).print(f"written: {path}", soft_wrap=True)
    return 0
