"""The networks that are exported: a model, with what stands before and behind it in the zoo.

The arguments of `forward` are the names of the inputs of a graph.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import embedding

from zoo.object_detection.anchors import decode


class Normalise(nn.Module):
    """Pixels in [0, 1] to what a network was trained on.

    Args:
        mean: Of each channel.
        std: Likewise.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, mean: Sequence[float], std: Sequence[float]) -> None:
        super().__init__()
        for name, values in (("mean", mean), ("std", std)):
            self.register_buffer(name, torch.tensor(values).view(-1, 1, 1))

    def forward(self, pixels: Tensor) -> Tensor:
        return (pixels - self.mean) / self.std


class Pictures(nn.Module):
    """Pixels -> what the model makes of them, normalised.

    Args:
        before: Normalises.
        model: Maps pictures to logits.
    """

    def __init__(self, before: nn.Module, model: nn.Module) -> None:
        super().__init__()
        self.before, self.model = before, model

    def forward(self, pixels: Tensor) -> Tensor:
        return self.model(self.before(pixels))


class Detection(nn.Module):
    """Pixels -> probabilities and boxes of all anchors, which are those of one size of pictures.

    Args:
        before: Normalises.
        model: A Detector.
        like: Pictures of the size.
    """

    anchors: Tensor

    def __init__(self, before: nn.Module, model: Any, like: Tensor) -> None:
        super().__init__()
        self.before, self.model = before, model
        with torch.no_grad():
            self.register_buffer("anchors", model.anchors(model.maps(like), like))

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        outputs = self.model(self.before(pixels))
        logits, offsets = outputs.split((outputs.shape[2] - 4, 4), 2)
        boxes = decode(self.anchors.expand(offsets.shape[0], -1, -1), offsets)
        return logits.softmax(2), boxes.clamp(0, 1)


class Painting(nn.Module):
    """Pixels -> pixels, both in [0, 1], in the style that a model learnt.

    Args:
        model: A FastStyle, which takes normalised pictures.
    """

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    def forward(self, pixels: Tensor) -> Tensor:
        # As its forward, which slices: a graph would be for such sides alone as are, or as are not,
        # multiples of 4.
        model = self.model
        maps = model.encoder((pixels - model.mean) / model.std)
        painted = model.decoder(model.blocks(maps)).sigmoid()
        for place in (2, 3):
            inside = torch.arange(pixels.shape[place], device=pixels.device)
            painted = painted.index_select(place, inside)
        return painted


class Generation(nn.Module):
    """Noise, perhaps with labels -> samples; pictures with pixels in [0, 1].

    Args:
        model: An AdversarialGenerator.
        pictures: Whether it makes pictures with pixels in [-1, 1].
    """

    def __init__(self, model: nn.Module, pictures: bool) -> None:
        super().__init__()
        self.model, self.pictures = model, pictures

    def forward(self, noise: Tensor, labels: Tensor | None = None) -> Tensor:
        samples = self.model(noise, labels)
        return (samples + 1) / 2 if self.pictures else samples


class Regression(nn.Module):
    """Features -> predictions in the units of the target.

    Args:
        model: A Regressor.
    """

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    def forward(self, features: Tensor) -> Tensor:
        return self.model.predict_step((features, None), 0)


class Reading(nn.Module):
    """Tokens -> logits of the token after each, of texts read from their beginning.

    Args:
        model: A LanguageModel.
    """

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    def forward(self, tokens: Tensor) -> Tensor:
        # As its forward, which counts the rows by len: a graph would have them fixed.
        return self.model.advance(tokens, self.model.begin(tokens.shape[0]))[0]


class Lookup(nn.Module):
    """Words -> their vectors.

    Args:
        model: A WordEmbedding.
    """

    table: Tensor

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.register_buffer("table", model.table().detach().clone())

    def forward(self, words: Tensor) -> Tensor:
        return embedding(words, self.table)
