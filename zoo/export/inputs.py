"""Inputs of graphs that several families share: pictures, rows of tables, tokens, lengths."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from torch import Generator, Tensor, nn

from zoo.errors import InputError
from zoo.export.signature import Input, Sizes


class TrainedModel(NamedTuple):
    """A trained model to export, with what its checkpoint knows of it."""

    model: Any
    state: dict[str, Any]
    arguments: dict[str, Any]
    path: Any

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of a row of the first input, by the sizes of the architecture's example.

        Raises:
            InputError: It has none, as a user's own may.
        """
        if not self.model.example_sizes:
            raise unknown(self.path, self.model)
        return tuple(self.model.example()[0].shape[1:])

    def steps(self) -> int:
        """Tokens of a row in training."""
        given = self.state.get("arguments", {})
        return given.get("num_steps") or given.get("max_length") or self.shape[0]


def unknown(path: Any, model: Any) -> InputError:
    """What is said where nothing tells what a model reads."""
    name = type(model).__name__
    return InputError(f"{path}: what {name} reads is not known: --format safetensors keeps it")


def pictures_input(trained: TrainedModel) -> tuple[nn.Module, Input, Sizes]:
    """What normalises pictures, the pictures, and their sizes."""
    state, given = trained.state, trained.arguments
    side = state.get("resize") or state.get("crop_size") or state.get("size")
    side = side or given.get("image_size")
    channels = len(state.get("mean", ())) or given.get("in_channels") or trained.shape[0]
    height, width = (side, side) if side else trained.shape[1:]
    if given.get("in_features") not in (None, channels * height * width):
        channels, height, width = 1, 1, given["in_features"]
    before: nn.Module = nn.Identity()
    meaning = "pictures, scaled as in training, of which the checkpoint says nothing"
    if "mean" in state:
        before = Normalise(state["mean"], state["std"])
        meaning = "pixels in [0, 1]; the corpus's normalisation is in the graph"
    sizes = {"batch": 2, "height": height, "width": width}
    pixels = Input("pixels", ("batch", channels, "height", "width"), meaning, drawn_input(channels))
    return before, pixels, sizes


def features_input(trained: TrainedModel) -> Input:
    """Rows of a table, as its corpus encodes them."""
    number = trained.arguments.get("in_features") or trained.shape[0]

    def draw(sizes: Sizes, generator: Generator) -> Tensor:
        return torch.randn(sizes["batch"], number, generator=generator)

    scaled = (
        "; the scaling of its columns is not in the graph" if "encoder" in trained.state else ""
    )
    meaning = f"features as the corpus encodes them{scaled}"
    return Input("features", ("batch", number), meaning, draw)


def drawn_input(channels: int) -> Callable[[Sizes, Generator], Tensor]:
    """Returns what draws pictures of so many channels, pixels uniform in [0, 1]."""

    def draw(sizes: Sizes, generator: Generator) -> Tensor:
        shape = sizes["batch"], channels, sizes["height"], sizes["width"]
        return torch.rand(shape, generator=generator)

    return draw


def tokens_input(name: str, number: int, side: str = "", steps: str = "steps") -> Input:
    """Rows of tokens, of so many different ones."""
    vocabulary = f"{side} vocabulary".strip()
    meaning = f"tokens by their numbers in the {vocabulary}, 0 to {number - 1:,}"

    def draw(sizes: Sizes, generator: Generator) -> Tensor:
        return torch.randint(number, (sizes["batch"], sizes[steps]), generator=generator)

    return Input(name, ("batch", steps), meaning, draw)


def lengths_input(name: str, steps: str = "steps") -> Input:
    """How many tokens of each row are its own; the first row has as many as there are."""

    def draw(sizes: Sizes, generator: Generator) -> Tensor:
        drawn = torch.randint(1, sizes[steps] + 1, (sizes["batch"],), generator=generator)
        drawn[0] = sizes[steps]
        return drawn

    return Input(name, ("batch",), "tokens of each row that are no padding, 1 or more", draw)


def vocab_of(trained: TrainedModel, name: str) -> int:
    """Returns the number of tokens, by an argument of the model or the sizes of its example.

    Raises:
        InputError: It has neither.
    """
    size = trained.arguments.get(name) or trained.model.example_sizes.get(name)
    if size is None:
        raise unknown(trained.path, trained.model)
    return size


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
