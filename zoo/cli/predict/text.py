"""predict, for text: how a language model goes on with a prompt, where a tagger parts its words."""

from pathlib import Path
from typing import Any

import torch
from rich.console import Console

from datamodules.tokenizers import cleaned, joined, tokenizer
from datamodules.vocabulary import UNK, Vocab
from zoo.cli.predict.prediction import Prediction
from zoo.errors import InputError
from zoo.language_modeling.sampling import sample
from zoo.training.checkpoint import load


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


def _prompt(
    prediction: Prediction, inputs: list[str], without: list[str] | None = None
) -> tuple[Vocab, list[str]]:
    """The vocabulary, and the tokens of the prompt less some; says how it is read."""
    if prediction.prompt is None:
        raise InputError('say what the text is, or begins with: --prompt "time traveller"')
    if inputs or prediction.overrides:
        first = [*inputs, *prediction.overrides][0]
        raise InputError(f"a model of text takes a prompt, not {first}")
    console, state = Console(highlight=False, markup=False), prediction.state
    vocab = Vocab(state["vocabulary"])
    text = cleaned(prediction.prompt) if state["clean"] else prediction.prompt
    if text != prediction.prompt:
        console.print(f"read as: {text}", soft_wrap=True)
    tokens = [t for t in tokenizer(state["tokenizer"])(text) if t not in (without or ())]
    if not tokens:
        raise InputError(f"there is nothing to read in the prompt {prediction.prompt!r}")
    prediction.say_unknown(tokens, vocab)
    return vocab, tokens


def _written(prediction: Prediction, text: str) -> Path:
    """Prints and writes the text; where it lies."""
    Console(highlight=False, markup=False).print(text, soft_wrap=True)
    return prediction.write(text)
