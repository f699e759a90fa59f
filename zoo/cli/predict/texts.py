"""Texts to predict from: a prompt, a sentence or the lines of a file, and batches of them."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from datamodules.files.text import composed, read_text
from datamodules.text.tokenizers import cleaned, tokenizer
from datamodules.text.vocabulary import UNK, Vocab
from zoo.cli.predict.prediction import Prediction
from zoo.cli.report import plain_console
from zoo.errors import InputError

ROWS = 64  # texts at a time


def read_prompt(
    prediction: Prediction, inputs: list[str], prompt: str | None, without: Sequence[str] = ()
) -> tuple[Vocab, list[str]]:
    """Returns the vocabulary, and the tokens of the prompt less some; prints how it is read.

    Raises:
        InputError: There is no prompt, or it has no token; there are inputs or other options.
    """
    saved = prediction.saved("vocabulary", "clean", "tokenizer")
    if prompt is None:
        raise InputError('say what the text is, or begins with: --prompt "time traveller"')
    prediction.refuse(inputs, "a model of text takes a prompt")
    vocab = Vocab(saved["vocabulary"])
    text = cleaned(prompt) if saved["clean"] else composed(prompt)
    if text != prompt:
        plain_console().print(f"read as: {text}", soft_wrap=True)
    cut = tokenizer(saved["tokenizer"], prediction.state.get("subwords", ""))
    tokens = [token for token in cut(text) if token not in without]
    if not tokens:
        raise InputError(f"there is nothing to read in the prompt {prompt!r}")
    print_unknown(tokens, vocab)
    return vocab, tokens


def print_unknown(tokens: Iterable[str], vocab: Vocab) -> None:
    """Prints the tokens that the model reads as <unk>, if any."""
    unknown = sorted({token for token in tokens if token not in vocab})
    if unknown:
        text = f"not in the vocabulary, read as {UNK}: {' '.join(unknown)}"
        plain_console().print(text, soft_wrap=True)


def read_lines(text: str | None, file: Path | None, ask: str) -> list[str]:
    """Returns a text, or the lines of a file.

    Raises:
        InputError: There is neither, or both; `ask` says what there has to be.
        CorpusError: The file cannot be read.
    """
    if (text is None) == (file is None):
        raise InputError(ask)
    return read_text(file).removesuffix("\n").split("\n") if file else [composed(text or "")]


def batches(
    tokens: Sequence[list[str]], vocab: Vocab, end: Iterable[str] = ()
) -> Iterator[tuple[list[int], Tensor, Tensor]]:
    """Yields texts of like lengths together, without the empty ones.

    Args:
        tokens: Tokens of each text.
        vocab: Vocabulary of the model.
        end: Tokens that end each text.

    Yields:
        The texts' indices in `tokens`; their padded tokens, (batch, tokens); their lengths.
    """
    order = sorted((i for i, row in enumerate(tokens) if row), key=lambda i: len(tokens[i]))
    for start in range(0, len(order), ROWS):
        indices = order[start : start + ROWS]
        rows = [torch.tensor(vocab[[*tokens[index], *end]]) for index in indices]
        lengths = torch.tensor([len(row) for row in rows])
        yield indices, pad_sequence(rows, batch_first=True), lengths
