"""A text as a tagger tagged it."""

from typing import Any

from lightning.pytorch import Trainer
from matplotlib.figure import Figure
from torch import Tensor

from zoo.sequence_tagging.corpus import TaggedText
from zoo.training.corpus import corpus_of
from zoo.training.text_pictures import FirstRows, draw_text


class TagPictures(FirstRows):
    """Writes `<stage>_tags.png`: a text with what its tags say that stands before each token.

    A table in W&B has the rows of the text as they were tagged, and as they should be. Does nothing
    where the corpus does not say so (`before`).
    """

    columns = ("text", "tagged", "right")

    def table(self, trainer: Trainer) -> list[list[Any]]:
        corpus = corpus_of(trainer, TaggedText)
        if corpus is None:
            return []
        found = []
        for row in self.rows:
            tokens, targets, predictions = (part.tolist() for part in row)
            texts = ["".join(_before(corpus, tokens, tags)) for tags in (targets, predictions)]
            found.append([*texts, targets == predictions])
        return found

    def show(
        self, trainer: Trainer, tokens: Tensor, targets: Tensor, predictions: Tensor
    ) -> dict[str, Figure]:
        corpus = corpus_of(trainer, TaggedText)
        if corpus is None:
            return {}
        texts = _before(corpus, tokens.tolist(), predictions.tolist())
        wrong = (predictions != targets).float().tolist()
        return {"tags": draw_text(texts, wrong, "as tagged; shaded where the tag is wrong")}


def _before(corpus: TaggedText, tokens: list[int], tags: list[int]) -> list[str]:
    """Returns the texts of tokens, each behind what its tag says that stands before it."""
    pairs = zip(tags, corpus.vocab.tokens(tokens), strict=True)
    return [corpus.before[tag] + token for tag, token in pairs]
