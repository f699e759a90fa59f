"""predict, for word vectors: the words nearest to others, analogies, all vectors as a text file."""

from difflib import get_close_matches
from math import inf
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor

from datamodules.text.vocabulary import Vocab
from datamodules.words.pretrained_vectors import write_word2vec
from zoo.checkpoints.checkpoint import load
from zoo.cli.predict.prediction import Prediction
from zoo.errors import InputError
from zoo.word_embedding.queries import fourth, is_special, nearest


def predict_words(prediction: Prediction, inputs: list[str]) -> Path:
    """Prints and writes the words nearest to some, and what ends analogies; exports all vectors.

    A word that is not in the vocabulary has a vector where the model composes it of its pieces.

    Raises:
        InputError: There is nothing to do, a word has no vector, or there are other inputs or
            options.
        CorpusError: The vectors cannot be written.
    """
    asked = [word for text in prediction.nearest for word in text.split(",") if word]
    if not (asked or prediction.analogy or prediction.export):
        raise InputError(
            "say what to ask: --nearest WORD,WORD, --analogy man woman king, or --export FILE"
        )
    if inputs or prediction.overrides:
        first = [*inputs, *prediction.overrides][0]
        raise InputError(f"word vectors take --nearest, --analogy or --export, not {first}")
    if prediction.top < 1:
        raise InputError(f"top is {prediction.top}; it has to be 1 or more")
    lexicon = Lexicon(prediction)
    answers = {word: lexicon.near(lexicon[word], [word]) for word in asked}
    for first, second, third in prediction.analogy:
        where = fourth(lexicon[first], lexicon[second], lexicon[third])
        title = f"{first} : {second} = {third} : ?"
        answers[title] = lexicon.near(where, [first, second, third])
    if prediction.export:
        write_word2vec(prediction.export, lexicon.vocab.entries, lexicon.table)
        if not answers:
            return prediction.export
        Console(highlight=False).print(f"written: {prediction.export}", soft_wrap=True)
    for title, found in answers.items():
        shown = Table(title, "cosine")
        for word, cosine in found:
            shown.add_row(word, f"{cosine:.4f}")
        Console(highlight=False, markup=False).print(shown)
    rows = (f"{title}\t{w}\t{cos:.4f}" for title, found in answers.items() for w, cos in found)
    return prediction.write("\n".join(rows))


class Lexicon:
    """The vectors that a checkpoint has, or makes, of words."""

    def __init__(self, prediction: Prediction) -> None:
        self.top = prediction.top
        self.vocab = Vocab(prediction.state["vocabulary"])
        model: Any = load(prediction.ckpt_path, allow=prediction.allow)
        self.model, self.table = model, model.table().detach()

    def __getitem__(self, word: str) -> Tensor:
        """The vector of a word, (1, embed).

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
        return composed.detach()[None]

    def near(self, vector: Tensor, words: list[str]) -> list[tuple[str, float]]:
        """The words nearest to a vector (1, embed) and their cosines, but for some words."""
        barred = [row for row, entry in enumerate(self.vocab.entries) if is_special(entry)]
        barred += [self.vocab[word] for word in words if word in self.vocab]
        excluded = torch.tensor([barred], dtype=torch.int64)
        cosines, found = nearest(self.table, vector, self.top, excluded)
        pairs = zip(self.vocab.tokens(found[0]), cosines[0].tolist(), strict=True)
        return [(word, cosine) for word, cosine in pairs if cosine > -inf]
