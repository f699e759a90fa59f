"""predict, for text: how a language model goes on with a prompt, where a tagger parts its words."""

from pathlib import Path
from typing import Any

import torch

from datamodules.text.tokenizers import joined
from datamodules.text.vocabulary import UNK
from zoo.checkpoints.checkpoint import load
from zoo.cli.predict.prediction import Prediction
from zoo.cli.predict.prompt import _prompt, _written
from zoo.errors import InputError
from zoo.language_modeling.sampling import sample


def predict_text(prediction: Prediction, inputs: list[str]) -> Path:
    """Prints and writes the prompt and what comes after it; <unk> is never drawn.

    Raises:
        InputError: There is no prompt, or it has no token; there are files or other options, which
            a text does without; a setting of the sampling is out of bounds.
    """
    if prediction.sampling["length"] < 1:
        raise InputError(f"length is {prediction.sampling['length']}; it has to be 1 or more")
    vocab, tokens = _prompt(prediction, inputs)
    model: Any = load(prediction.ckpt_path, allow=prediction.allow)
    barred = [vocab.index[UNK]] if UNK in vocab else []
    prompt = torch.tensor([vocab[tokens]])
    added = sample(model, prompt, **prediction.sampling, barred=barred)
    text = joined(vocab.tokens([*prompt[0], *added[0]]), prediction.state["tokenizer"])
    return _written(prediction, text)
