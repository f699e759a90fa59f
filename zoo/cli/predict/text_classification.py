"""predict, for texts that have a class: which, and how probable it is."""

from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from torch.nn.utils.rnn import pad_sequence

from datamodules.files.text import read_text
from datamodules.text.review_rows import cleaned_review
from datamodules.text.tokenizers import tokenizer
from datamodules.text.vocabulary import Vocab
from zoo.checkpoints.checkpoint import load
from zoo.cli.predict.prediction import Prediction
from zoo.errors import InputError

ROWS = 64  # texts at a time


def predict_reviews(prediction: Prediction, inputs: list[str]) -> Path:
    """Prints and writes the class of a text and its probability, or of each line of a file.

    What is empty has none. Only the first tokens are read, as many as in training.

    Raises:
        InputError: There is no text, or there is a file and a text; there are other inputs or
            options.
        CorpusError: The file cannot be read.
    """
    text, file, state = prediction.text, prediction.file, prediction.state
    if (text is None) == (file is None):
        raise InputError('say what to classify: --text "a great film", or --file TEXTS')
    if inputs or prediction.overrides:
        first = [*inputs, *prediction.overrides][0]
        raise InputError(f"a classifier of texts takes --text or --file, not {first}")
    lines = read_text(file).removesuffix("\n").split("\n") if file else [text or ""]
    cut, vocab = tokenizer(state["tokenizer"]), Vocab(state["vocabulary"])
    texts = [cleaned_review(line) if state["clean"] else line for line in lines]
    tokens = [cut(line)[: state["max_length"]] for line in texts]
    if not any(tokens):
        raise InputError("there is nothing to read: no text has a word")
    if text is not None:  # the words of a file would fill the screen
        prediction.say_unknown(tokens[0], vocab)
    model: Any = load(prediction.ckpt_path, allow=prediction.allow)
    # Rows of like lengths together; what is empty stays so.
    order = sorted((i for i, row in enumerate(tokens) if row), key=lambda i: len(tokens[i]))
    written = ["" for _ in tokens]
    for start in range(0, len(order), ROWS):
        places = order[start : start + ROWS]
        rows = [torch.tensor(vocab[tokens[place]]) for place in places]
        lengths = torch.tensor([len(row) for row in rows])
        with torch.no_grad():
            shares = model.predict_step((pad_sequence(rows, batch_first=True), lengths, None), 0)
        for place, share, label in zip(places, *(m.tolist() for m in shares.max(1)), strict=True):
            written[place] = f"{state['classes'][label]}\t{share:.4f}"
    result = "\n".join(written)
    Console(highlight=False, markup=False).print(result, soft_wrap=True)
    return prediction.write(result)
