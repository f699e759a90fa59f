"""What a classifier of texts takes for what: the confusion matrix."""

from torch import Tensor

from zoo.image_classification.pictures import ClassificationPictures


class TextConfusion(ClassificationPictures):
    """Writes `<stage>_confusion.png`, where the corpus names its labels."""

    def add(self, batch: tuple[Tensor, ...], predictions: Tensor) -> None:
        tokens, _, labels = batch
        super().add((tokens, labels), predictions)
