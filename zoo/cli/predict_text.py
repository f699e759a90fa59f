"""predict, for text: how a language model goes on with a prompt."""

from pathlib import Path
from typing import Any

import torch
from rich.console import Console

from datamodules.tokenizers import cleaned, joined, tokenizer
from datamodules.vocabulary import UNK, Vocab
from zoo.cli.prediction import Prediction
from zoo.errors import InputError
from zoo.language_modeling.sampling import sample
from zoo.training.checkpoint import load


def predict_text(prediction: Prediction, inputs: list[str]) -> Path:
    """Prints and writes the prompt and what comes after it; <unk> is never drawn.

    Raises:
        InputError: There is no prompt, or it has no token; there are files or other options, which
            a text does without; a setting of the sampling is out of bounds.
    """
    if prediction.prompt is None:
        raise InputError('say what the text begins with: --prompt "time traveller"')
    if inputs or prediction.overrides:
        first = [*inputs, *prediction.overrides][0]
        raise InputError(f"a language model takes a prompt, not {first}")
    if prediction.sampling["length"] < 1:
        raise InputError(f"length is {prediction.sampling['length']}; it has to be 1 or more")
    console, state = Console(highlight=False, markup=False), prediction.state
    vocab = Vocab(state["vocabulary"])
    text = cleaned(prediction.prompt) if state["clean"] else prediction.prompt
    if text != prediction.prompt:
        console.print(f"read as: {text}", soft_wrap=True)
    tokens = tokenizer(state["tokenizer"])(text)
    if not tokens:
        raise InputError(f"there is nothing to read in the prompt {prediction.prompt!r}")
    unknown = sorted({token for token in tokens if token not in vocab})
    if unknown:
        console.print(f"not in the vocabulary, read as {UNK}: {' '.join(unknown)}", soft_wrap=True)
    model: Any = load(prediction.ckpt_path)
    barred = [vocab.index[UNK]] if UNK in vocab else []
    prompt = torch.tensor([vocab[tokens]])
    added = sample(model, prompt, **prediction.sampling, barred=barred)
    text = joined(vocab.tokens([*prompt[0], *added[0]]), state["tokenizer"])
    console.print(text, soft_wrap=True)
    path = prediction.place("", ".txt")
    try:
        path.write_text(f"{text}\n", encoding="utf-8")
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({error.strerror})") from None
    return path
