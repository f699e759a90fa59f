"""predict, for word vectors: the words nearest to others, analogies, all vectors as a text file."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Sequence
from difflib import get_close_matches
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING

from rich.table import Table

from zoo.cli.predict.prediction import ROWS, Prediction
from zoo.cli.report import plain_console
from zoo.errors import InputError

if TYPE_CHECKING:
    from torch import Tensor

DOES = "has vectors of words"
WRITES = (*ROWS, ".txt")


def add_arguments(parser: ArgumentParser) -> None:
    """Adds the options of word vectors."""
    parser.add_argument(
        "--nearest", action="append", metavar="WORD", help="word, or WORD,WORD, to find others near"
    )
    parser.add_argument(
        "--analogy", action="append", nargs=3, metavar="WORD", help="man woman king: who is queen"
    )
    parser.add_argument("--top", type=int, help="number of words that answer; 10 by default")
    parser.add_argument("--export", type=Path, help="file for all vectors, as word2vec's text")


def predict(
    prediction: Prediction,
    inputs: list[str],
    *,
    nearest: Sequence[str] = (),
    analogy: Sequence[Sequence[str]] = (),
    top: int = 10,
    export: Path | None = None,
) -> Path:
    """Prints and writes the words nearest to some, and what ends analogies; exports all vectors.

    A word that is not in the vocabulary has a vector where the model composes it of its pieces.

    Raises:
        InputError: There is nothing to do, a word has no vector, or there are other inputs or
            options.
        CorpusError: The vectors cannot be written.
    """
    from datamodules.words.pretrained_vectors import write_word2vec
    from zoo.word_embedding.queries import fourth

    asked = [word for text in nearest for word in text.split(",") if word]
    if not (asked or analogy or export):
        raise InputError(
            "say what to ask: --nearest WORD,WORD, --analogy man woman king, or --export FILE"
        )
    prediction.refuse(inputs, "word vectors take --nearest, --analogy or --export")
    if top < 1:
        raise InputError(f"top is {top}; it has to be 1 or more")
    lexicon = Lexicon(prediction, top)
    answers = {word: lexicon.near(lexicon[word], [word]) for word in asked}
    for first, second, third in analogy:
        where = fourth(lexicon[first], lexicon[second], lexicon[third])
        title = f"{first} : {second} = {third} : ?"
        answers[title] = lexicon.near(where, [first, second, third])
    if export:
        write_word2vec(export, lexicon.vocab.entries, lexicon.table)
        if not answers:
            return export
        plain_console().print(f"written: {export}", soft_wrap=True)
    for title, found in answers.items():
        shown = Table(title, "cosine")
        for word, cosine in found:
            shown.add_row(word, f"{cosine:.4f}")
        plain_console().print(shown)
    rows = [(title, word, cosine) for title, found in answers.items() for word, cosine in found]
    names = ("query", "word", "cosine")
    records = [dict(zip(names, (*row[:2], float(f"{row[2]:.6g}")), strict=True)) for row in rows]
    text = "\n".join(f"{title}\t{word}\t{cosine:.4f}" for title, word, cosine in rows)
    return prediction.write(text, records, shown=False)


class Lexicon:
    """Vectors of words, those of a checkpoint's table and those that its model composes."""

    def __init__(self, prediction: Prediction, top: int) -> None:
        from datamodules.text.vocabulary import Vocab

        self.top = top
        self.vocab = Vocab(prediction.saved("vocabulary")["vocabulary"])
        self.model = prediction.model()
        self.table = self.model.table()

    def __getitem__(self, word: str) -> Tensor:
        """Returns the vector of a word, (1, embed).

        Raises:
            InputError: It has none; suggests words that are spelt alike.
        """
        if word in self.vocab:
            return self.table[self.vocab[word]][None]
        composed = self.model.compose(word)
        if composed is None:
            near = get_close_matches(word.lower(), self.vocab.entries)
            alike = f" (did you mean {' or '.join(near)}?)" if near else ""
            raise InputError(f"{word} is not in the vocabulary of {len(self.vocab):,} words{alike}")
        return composed[None]

    def near(self, vector: Tensor, words: list[str]) -> list[tuple[str, float]]:
        """Returns the words nearest to a vector (1, embed), but for some, and their cosines."""
        import torch

        from zoo.word_embedding.queries import is_special, nearest

        barred = [row for row, entry in enumerate(self.vocab.entries) if is_special(entry)]
        barred += [self.vocab[word] for word in words if word in self.vocab]
        excluded = torch.tensor([barred], dtype=torch.int64)
        cosines, found = nearest(self.table, vector, self.top, excluded)
        pairs = zip(self.vocab.tokens(found[0]), cosines[0].tolist(), strict=True)
        return [(word, cosine) for word, cosine in pairs if cosine > -inf]
