"""predict, for text: how a language model continues a prompt."""

from argparse import ArgumentParser
from pathlib import Path

from zoo.cli.predict.prediction import ROWS, Prediction
from zoo.cli.predict.shared_options import add_prompt, add_seed
from zoo.errors import InputError

DOES = "continues a text"
WRITES = (*ROWS, ".txt")


def add_arguments(parser: ArgumentParser) -> None:
    """Adds the options of language models."""
    add_prompt(parser)
    add_seed(parser)
    parser.add_argument("--length", type=int, help="number of tokens to add; 200 by default")
    parser.add_argument(
        "--temperature", type=float, help="divisor of the logits; 0: the likeliest; 1 by default"
    )
    parser.add_argument("--top_k", type=int, help="number of the likeliest tokens to draw from")
    parser.add_argument("--top_p", type=float, help="probability of the likeliest to draw from")


def predict(
    prediction: Prediction,
    inputs: list[str],
    *,
    prompt: str | None = None,
    length: int = 200,
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float | None = None,
    seed: int = 0,
) -> Path:
    """Prints and writes the prompt and what comes after it; <unk> is never drawn.

    Raises:
        InputError: There is no prompt, or it has no token; there are files or other options, which
            a text does without; a setting of the sampling is out of bounds.
    """
    from torch import tensor

    from datamodules.text.tokenizers import joined
    from datamodules.text.vocabulary import UNK
    from zoo.cli.predict.texts import read_prompt
    from zoo.language_modeling.sampling import sample

    if length < 1:
        raise InputError(f"length is {length}; it has to be 1 or more")
    vocab, tokens = read_prompt(prediction, inputs, prompt)
    first = tensor([vocab[tokens]])
    added = sample(
        prediction.model(),
        first,
        length=length,
        temperature=temperature,
        top_k=top_k,
        top_p=top_p,
        seed=seed,
        barred=[vocab.index[UNK]] if UNK in vocab else [],
    )
    kind = prediction.state["tokenizer"]
    text = joined(vocab.tokens([*first[0], *added[0]]), kind)
    continued = joined(vocab.tokens(added[0]), kind)
    return prediction.write(text, [{"prompt": prompt, "continuation": continued, "text": text}])
