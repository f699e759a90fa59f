"""A text as a tagger tagged it."""

from lightning.pytorch import Trainer
from matplotlib.figure import Figure
from torch import Tensor

from zoo.sequence_tagging.corpus import TaggedText
from zoo.training.corpus import corpus_of
from zoo.training.text_pictures import FirstRows, draw_text


class TagPictures(FirstRows):
    """Writes `<stage>_tags.png`: a text with what its tags say that stands before each token.

    Does nothing where the corpus does not say so (`before`).
    """

    def show(
        self, trainer: Trainer, tokens: Tensor, targets: Tensor, predictions: Tensor
    ) -> dict[str, Figure]:
        corpus = corpus_of(trainer, TaggedText)
        if corpus is None:
            return {}
        pairs = zip(predictions.tolist(), corpus.vocab.tokens(tokens.tolist()), strict=True)
        texts = [corpus.before[tag] + token for tag, token in pairs]
        wrong = (predictions != targets).float().tolist()
        return {"tags": draw_text(texts, wrong, "as tagged; shaded where the tag is wrong")}
