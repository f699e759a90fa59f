"""The graph of a generator: noise, and labels where it takes them -> samples."""

import torch
from torch import Generator, Tensor, nn

from zoo.export.inputs import TrainedModel
from zoo.export.signature import Graph, Input, Sizes
from zoo.generation.picture_generator import PictureGenerator


def graph(trained: TrainedModel) -> Graph:
    """Returns what is exported of a trained model."""
    model, latent = trained.model, trained.model.latent_dim

    def draw(sizes: Sizes, generator: Generator) -> Tensor:
        return torch.randn(sizes["batch"], latent, generator=generator)

    def draw_labels(sizes: Sizes, generator: Generator) -> Tensor:
        return torch.randint(model.num_labels, (sizes["batch"],), generator=generator)

    inputs = [Input("noise", ("batch", latent), "noise, normal around 0 with deviation 1", draw)]
    if getattr(model, "conditional", False):
        inputs.append(Input("labels", ("batch",), "labels by their numbers", draw_labels))
    drawn = isinstance(model, PictureGenerator)
    outputs = {"pixels" if drawn else "samples": "samples" + ", pixels in [0, 1]" * drawn}
    return Graph(Generation(model, drawn), tuple(inputs), outputs, {"batch": 2})


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
