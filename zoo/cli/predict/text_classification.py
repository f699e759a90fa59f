"""predict, for texts that have a class: which, and how probable it is."""

from argparse import ArgumentParser
from pathlib import Path

from zoo.cli.predict.prediction import Prediction
from zoo.cli.predict.shared_options import add_texts
from zoo.errors import InputError

DOES = "classifies texts"


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

    An empty text has none. Only as many tokens as in training are read, the first ones.

    Raises:
        InputError: There is no text, or there is a file and a text; there are other inputs or
            options.
        CorpusError: The file cannot be read.
    """
    from torch import no_grad

    from datamodules.text.review_rows import cleaned_review
    from datamodules.text.tokenizers import tokenizer
    from datamodules.text.vocabulary import Vocab
    from zoo.cli.predict.texts import batches, print_unknown, read_lines

    saved = prediction.saved("classes", "vocabulary", "tokenizer", "clean", "max_length")
    lines = read_lines(text, file, 'say what to classify: --text "a great film", or --file TEXTS')
    prediction.refuse(inputs, "a classifier of texts takes --text or --file")
    cut, vocab = tokenizer(saved["tokenizer"]), Vocab(saved["vocabulary"])
    texts = [cleaned_review(line) if saved["clean"] else line for line in lines]
    tokens = [cut(line)[: saved["max_length"]] for line in texts]
    if not any(tokens):
        raise InputError("there is nothing to read: no text has a word")
    if text is not None:  # the words of a file would fill the screen
        print_unknown(tokens[0], vocab)
    model, answers = prediction.model(), ["" for _ in tokens]
    for indices, rows, lengths in batches(tokens, vocab):
        with no_grad():
            likeliest = model.predict_step((rows, lengths, None), 0).max(1)
        for index, share, label in zip(indices, *(m.tolist() for m in likeliest), strict=True):
            answers[index] = f"{saved['classes'][label]}\t{share:.4f}"
    return prediction.write("\n".join(answers))
