"""A prompt: how it is read, and the text that is written in the end."""

from pathlib import Path

from rich.console import Console

from datamodules.text.tokenizers import cleaned, tokenizer
from datamodules.text.vocabulary import Vocab
from zoo.cli.predict.prediction import Prediction
from zoo.errors import InputError


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
