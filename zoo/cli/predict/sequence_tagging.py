"""predict, for a tagger of characters: the prompt parted into words."""

from pathlib import Path
from typing import Any

import torch

from zoo.checkpoints.checkpoint import load
from zoo.cli.predict.language_modeling import _prompt, _written
from zoo.cli.predict.prediction import Prediction


def predict_tags(prediction: Prediction, inputs: list[str]) -> Path:
    """Prints and writes the prompt with what the tags say that stands before each token.

    Raises:
        InputError: There is no prompt, or it has no token; there are files or other options.
    """
    before = prediction.state["before"]
    vocab, tokens = _prompt(prediction, inputs, without=before)
    model: Any = load(prediction.ckpt_path, allow=prediction.allow)
    tags = model(torch.tensor([vocab[tokens]])).argmax(dim=2)[0].tolist()
    pairs = zip(tags, tokens, strict=True)
    return _written(prediction, "".join(before[tag] + token for tag, token in pairs).strip())
