"""The graph of a network that paints: pixels -> painted pixels."""

from typing import Any

import torch
from torch import Tensor, nn

from zoo.export.inputs import TrainedModel, drawn_input
from zoo.export.signature import Graph, Input


def graph(trained: TrainedModel) -> Graph:
    """Returns what is exported of a trained model."""
    channels, *sides = trained.shape
    height, width = [trained.state.get("arguments", {}).get("size") or side for side in sides]
    meaning = "pixels in [0, 1]; ImageNet's normalisation is in the graph"
    pixels = Input("pixels", ("batch", channels, "height", "width"), meaning, drawn_input(channels))
    outputs = {"painted": "(batch, 3, height, width), pixels in [0, 1]"}
    sizes = {"batch": 2, "height": height, "width": width}
    return Graph(Painting(trained.model), (pixels,), outputs, sizes)


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
