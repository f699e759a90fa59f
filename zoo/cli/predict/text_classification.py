"""predict, for texts that have a class: which, and how probable it is."""

import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from zoo.cli.predict.prediction import ROWS, Prediction, refuse_not_finite
from zoo.cli.predict.shared_options import add_texts
from zoo.errors import InputError

DOES = "classifies texts"
WRITES = (*ROWS, ".txt")


def add_arguments(parser: ArgumentParser) -> None:
    """Adds the options of classifiers of texts."""
    add_texts(parser)


def predict(
    prediction: Prediction,
    inputs: list[str],
    *,
    text: str | None = None,
    file: Path | None = None,
) -> Path:
    """Prints and writes the class of a text and its probability, or of each line of a file.

    Of inputs, each is a text, or a list of texts if it ends with .csv, .tsv, .json or .jsonl; a
    line then begins with where the text is. An empty text has no class. Only as many tokens as in
    training are read, the first ones.

    Raises:
        InputError: There is no text, or they are given in several ways; there are other options.
        CorpusError: A file cannot be read.
    """
    from torch import no_grad

    from datamodules.text.review_rows import cleaned_review
    from datamodules.text.tokenizers import plain_tokens
    from datamodules.text.vocabulary import Vocab
    from zoo.cli.predict.texts import batches, print_unknown, read_lines

    saved = prediction.saved("classes", "vocabulary", "tokenizer", "clean", "max_length")
    if inputs and text is None and file is None:
        prediction.refuse([], "a classifier of texts takes texts")
        found = _texts_of(inputs, prediction.state.get("text_column"))
        found = [(prediction.named(where), line) for where, line in found]
        for where, line in found:
            if not line.strip():
                print(f"zoo: {where}: there is no text", file=sys.stderr)
                prediction.code = 1
    else:
        prediction.refuse(inputs, "a classifier of texts takes --text, --file or files of texts")
        ask = 'say what to classify: --text "a great film", --file LINES, or TEXT.txt ...'
        found = [("", line) for line in read_lines(text, file, ask)]
    lines = [line for _, line in found]
    cut = plain_tokens(saved["tokenizer"], prediction.state.get("subwords", ""))
    vocab = Vocab(saved["vocabulary"])
    texts = [cleaned_review(line) if saved["clean"] else line for line in lines]
    tokens = [cut(line)[: saved["max_length"]] for line in texts]
    if not any(tokens):
        raise InputError("there is nothing to read: no text has a word")
    if text is not None:  # the words of a file would fill the screen
        print_unknown(tokens[0], vocab)
    model, answers = prediction.model(), ["" for _ in tokens]
    records: list[dict[str, Any]] = [
        {**({"file": where} if where else {}), "text": line, "label": None} for where, line in found
    ]
    for indices, rows, lengths in batches(tokens, vocab):
        with no_grad():
            shares = model.predict_step((rows, lengths, None), 0)
        refuse_not_finite(shares)
        for index, row in zip(indices, shares.tolist(), strict=True):
            named = dict(zip(saved["classes"], (float(f"{p:.6g}") for p in row), strict=True))
            label = max(named, key=lambda each: named[each])
            answers[index] = f"{label}\t{named[label]:.4f}"
            likeliest = {"label": label, "probability": named[label]}
            records[index] |= {**likeliest, "probabilities": named}
    places = (f"{where}\t" if where else "" for where, _ in found)
    return prediction.write("\n".join(map("".join, zip(places, answers, strict=True))), records)


def _texts_of(inputs: list[str], text_column: str | None) -> list[tuple[str, str]]:
    """Returns where each text is, and the text."""
    from datamodules.files.text import read_text
    from datamodules.tables.lists import is_list
    from datamodules.text.labelled import texts_to_predict

    found: list[tuple[str, str]] = []
    for path in map(Path, inputs):
        lists = is_list(path)
        found += texts_to_predict(path, text_column) if lists else [(str(path), read_text(path))]
    return found
