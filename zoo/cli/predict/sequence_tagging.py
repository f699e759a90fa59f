"""predict, for a tagger of characters: the prompt parted into words."""

from argparse import ArgumentParser
from pathlib import Path

from zoo.cli.predict.prediction import ROWS, Prediction
from zoo.cli.predict.shared_options import add_prompt

DOES = "tags a text"
WRITES = (*ROWS, ".txt")


def add_arguments(parser: ArgumentParser) -> None:
    """Adds the option of taggers."""
    add_prompt(parser)


def predict(prediction: Prediction, inputs: list[str], *, prompt: str | None = None) -> Path:
    """Prints and writes the prompt, with what the tags say that stands before each token.

    Raises:
        InputError: There is no prompt, or it has no token; there are files or other options.
    """
    from torch import tensor

    from zoo.cli.predict.texts import read_prompt

    before = prediction.saved("before")["before"]
    vocab, tokens = read_prompt(prediction, inputs, prompt, without=before)
    tags = prediction.model()(tensor([vocab[tokens]])).argmax(dim=2)[0].tolist()
    pairs = zip(tags, tokens, strict=True)
    text = "".join(before[tag] + token for tag, token in pairs).strip()
    return prediction.write(text, [{"prompt": prompt, "text": text}])
