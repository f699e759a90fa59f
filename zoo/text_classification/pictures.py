"""What a classifier of texts took them for: the confusion matrix, and texts with their classes."""

from typing import Any

from lightning.pytorch import LightningModule, Trainer
from torch import Tensor

from zoo.training.corpus import WithVocabulary, corpus_of
from zoo.training.pictures import ConfusionPictures

SHOWN = 64  # texts


class ClassifiedTexts(ConfusionPictures):
    """Writes `<stage>_confusion.png`; a table in W&B shows texts, their classes and predictions.

    Does nothing where the corpus does not name its labels; without a vocabulary there is no table.
    """

    columns = ("text", "label", "prediction", "right")
    shown: list[tuple[Tensor, int, int]]  # tokens, label, prediction

    def reset(self, trainer: Trainer, model: LightningModule) -> None:
        super().reset(trainer, model)
        self.shown = []

    def update(self, batch: tuple[Tensor, ...], predictions: Tensor) -> None:
        super().update(batch, predictions)
        for tokens, length, label, found in zip(*batch, predictions, strict=True):
            if len(self.shown) == SHOWN:
                break
            self.shown.append((tokens[: int(length)].cpu(), int(label), int(found)))

    def table(self, trainer: Trainer) -> list[list[Any]]:
        corpus = corpus_of(trainer, WithVocabulary)
        if corpus is None or not self.names:
            return []
        return [
            [" ".join(corpus.vocab.tokens(tokens.tolist())), *(self.names[i] for i in pair), right]
            for tokens, *pair in self.shown
            for right in [pair[0] == pair[1]]
        ]
