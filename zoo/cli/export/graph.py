"""What is exported of an architecture: a network whose inputs mean something outside of the zoo.

Pictures are pixels in [0, 1]; the corpus's normalisation is part of the graph. Tokens are their
numbers in the vocabulary, features of tables as the corpus encodes them; both are said.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Generator, Tensor, nn

from zoo.catalogue import Definition
from zoo.cli.export import networks
from zoo.cli.export.ports import Graph, Input, Sizes
from zoo.cli.layers import shapes, vocab_size
from zoo.cli.names import definitions
from zoo.errors import InputError
from zoo.generation.picture_generator import PictureGenerator
from zoo.training.checkpoint import corpus_state, model_arguments

REFUSED = {  # by class path or its beginning: why there is no graph
    "zoo.language_modeling.ngram.": "looks its counts up, which no graph of tensors can",
    "zoo.style_transfer.neural_style.": "is one painting, which `zoo predict` writes",
    "zoo.optimization.": "is a point on a surface and reads no input",
}


class Subject(NamedTuple):
    """What a graph is made of: a trained model and what its checkpoint knows."""

    model: Any
    definition: Definition
    state: dict[str, Any]
    arguments: dict[str, Any]
    path: Any

    @property
    def shape(self) -> tuple[int, ...]:
        """Of an input, by the header of the architecture.

        Raises:
            InputError: It has none, as a user's own may.
        """
        if "Shapes" not in self.definition.header:
            raise unknown(self.path, self.model)
        return shapes(self.definition)[0]

    def steps(self) -> int:
        """Tokens of a row in training."""
        given = self.state.get("arguments", {})
        return given.get("num_steps") or given.get("max_length") or self.shape[0]


def unknown(path: Any, model: Any) -> InputError:
    """What is said where nothing tells what a model reads."""
    name = type(model).__name__
    return InputError(f"{path}: what {name} reads is not known: --format safetensors keeps it")


def graph_of(model: Any, checkpoint: dict[str, Any], path: Any) -> Graph:
    """The graph of a model that was read from a checkpoint.

    Raises:
        InputError: There is none.
    """
    paths = [f"{cls.__module__}.{cls.__qualname__}" for cls in type(model).__mro__]
    definition = next((definitions()[path] for path in paths if path in definitions()), None)
    for beginning, reason in REFUSED.items():
        if definition and definition.class_path.startswith(beginning):
            name = type(model).__name__
            raise InputError(f"{path}: {name} {reason}: --format safetensors keeps it")
    if definition is None or definition.family not in FAMILIES:
        raise unknown(path, model)
    state = corpus_state(checkpoint) or {}
    subject = Subject(model.eval(), definition, state, model_arguments(checkpoint), path)
    return FAMILIES[definition.family](subject)


def _pictures(subject: Subject) -> tuple[nn.Module, Input, Sizes]:
    """What normalises pictures, the pictures, and their sizes."""
    state, given = subject.state, subject.arguments
    side = state.get("resize") or state.get("crop_size") or state.get("size")
    side = side or given.get("image_size")
    channels = len(state.get("mean", ())) or given.get("in_channels") or subject.shape[0]
    height, width = (side, side) if side else subject.shape[1:]
    if given.get("in_features") not in (None, channels * height * width):
        channels, height, width = 1, 1, given["in_features"]
    before: nn.Module = nn.Identity()
    meaning = "pictures, scaled as in training, of which the checkpoint says nothing"
    if "mean" in state:
        before = networks.Normalise(state["mean"], state["std"])
        meaning = "pixels in [0, 1]; the corpus's normalisation is in the graph"
    sizes = {"batch": 2, "height": height, "width": width}
    pixels = Input("pixels", ("batch", channels, "height", "width"), meaning, _drawn(channels))
    return before, pixels, sizes


def _drawn(channels: int) -> Callable[[Sizes, Generator], Tensor]:
    def draw(sizes: Sizes, generator: Generator) -> Tensor:
        shape = sizes["batch"], channels, sizes["height"], sizes["width"]
        return torch.rand(shape, generator=generator)

    return draw


def _tokens(name: str, number: int, side: str = "", steps: str = "steps") -> Input:
    """Rows of tokens, of so many different ones."""
    vocabulary = f"{side} vocabulary".strip()
    meaning = f"tokens by their numbers in the {vocabulary}, 0 to {number - 1:,}"

    def draw(sizes: Sizes, generator: Generator) -> Tensor:
        return torch.randint(number, (sizes["batch"], sizes[steps]), generator=generator)

    return Input(name, ("batch", steps), meaning, draw)


def _lengths(name: str, steps: str = "steps") -> Input:
    """How many tokens of each row are its own; the first row has as many as there are."""

    def draw(sizes: Sizes, generator: Generator) -> Tensor:
        drawn = torch.randint(1, sizes[steps] + 1, (sizes["batch"],), generator=generator)
        drawn[0] = sizes[steps]
        return drawn

    return Input(name, ("batch",), "tokens of each row that are no padding, 1 or more", draw)


def _classifier(subject: Subject) -> Graph:
    before, pixels, sizes = _pictures(subject)
    labels = subject.state.get("labels")
    logits = f"(batch, {len(labels)})" if labels else "(batch, classes)"
    outputs = {"logits": f"{logits}, of the labels in order; softmax gives probabilities"}
    return Graph(networks.Pictures(before, subject.model), (pixels,), outputs, sizes)


def _detector(subject: Subject) -> Graph:
    before, pixels, sizes = _pictures(subject)
    shape = tuple(sizes.get(str(size), size) for size in pixels.shape)
    network = networks.Detection(before, subject.model, torch.zeros(shape))  # type: ignore[arg-type]
    outputs = {
        "probabilities": "(batch, anchors, 1 + classes), of nothing and of each label",
        "boxes": "(batch, anchors, 4): left, top, right, bottom as fractions of the picture",
    }
    model = subject.model
    notes = (
        "pictures of another shape are squeezed into the square",
        f"keep boxes with a probability of {model.least_score} or more, and of those of one label "
        f"that overlap by more than {model.nms_overlap} (IoU) the most probable "
        "(torchvision.ops.batched_nms)",
    )
    return Graph(network, (pixels,), outputs, sizes, notes)


def _stylizer(subject: Subject) -> Graph:
    channels, *sides = subject.shape
    height, width = [subject.state.get("arguments", {}).get("size") or side for side in sides]
    meaning = "pixels in [0, 1]; ImageNet's normalisation is in the graph"
    pixels = Input("pixels", ("batch", channels, "height", "width"), meaning, _drawn(channels))
    outputs = {"painted": "(batch, 3, height, width), pixels in [0, 1]"}
    sizes = {"batch": 2, "height": height, "width": width}
    return Graph(networks.Painting(subject.model), (pixels,), outputs, sizes)


def _generator(subject: Subject) -> Graph:
    model, latent = subject.model, subject.model.latent_dim

    def draw(sizes: Sizes, generator: Generator) -> Tensor:
        return torch.randn(sizes["batch"], latent, generator=generator)

    def draw_labels(sizes: Sizes, generator: Generator) -> Tensor:
        return torch.randint(model.num_labels, (sizes["batch"],), generator=generator)

    inputs = [Input("noise", ("batch", latent), "noise, normal around 0 with deviation 1", draw)]
    if getattr(model, "conditional", False):
        inputs.append(Input("labels", ("batch",), "labels by their numbers", draw_labels))
    drawn = isinstance(model, PictureGenerator)
    outputs = {"pixels" if drawn else "samples": "samples" + ", pixels in [0, 1]" * drawn}
    return Graph(networks.Generation(model, drawn), tuple(inputs), outputs, {"batch": 2})


def _regressor(subject: Subject) -> Graph:
    state = subject.state
    number = subject.arguments.get("in_features") or subject.shape[0]

    def draw(sizes: Sizes, generator: Generator) -> Tensor:
        return torch.randn(sizes["batch"], number, generator=generator)

    scaled = "; the scaling of its columns is not in the graph" if "encoder" in state else ""
    meaning = f"features as the corpus encodes them{scaled}"
    target = state.get("target") or "the target"
    told = "the natural logarithm of {}" if state.get("log_target") else "{} in its own units"
    outputs = {"predictions": f"(batch), {told.format(target)}"}
    inputs = (Input("features", ("batch", number), meaning, draw),)
    return Graph(networks.Regression(subject.model), inputs, outputs, {"batch": 2})


def _language_model(subject: Subject) -> Graph:
    number = vocab_of(subject, "vocab_size")
    outputs = {"logits": f"(batch, steps, {number:,}), of the token after each"}
    sizes = {"batch": 2, "steps": subject.steps()}
    return Graph(networks.Reading(subject.model), (_tokens("tokens", number),), outputs, sizes)


def _tagger(subject: Subject) -> Graph:
    number = vocab_of(subject, "vocab_size")
    outputs = {"logits": "(batch, steps, tags)"}
    sizes = {"batch": 2, "steps": subject.steps()}
    return Graph(subject.model, (_tokens("tokens", number),), outputs, sizes)


def _text_classifier(subject: Subject) -> Graph:
    inputs = (_tokens("tokens", vocab_of(subject, "vocab_size")), _lengths("lengths"))
    outputs = {"logits": "(batch, classes), of the classes in order; softmax gives probabilities"}
    sizes = {"batch": 2, "steps": subject.steps()}
    return Graph(subject.model, inputs, outputs, sizes)


def _translator(subject: Subject) -> Graph:
    source, target = (vocab_of(subject, f"{side}_vocab_size") for side in ("source", "target"))
    steps = subject.steps()
    inputs = (
        _tokens("source", source, "source", "source_steps"),
        _lengths("source_lengths", "source_steps"),
        _tokens("tokens", target, "target"),
    )
    outputs = {"logits": f"(batch, steps, {target:,}), of the token after each"}
    notes = (
        "a source ends with <eos>, the tokens of its translation begin with <bos>; to translate, "
        "append the most probable next token again and again until it is <eos>",
    )
    sizes = {"batch": 2, "source_steps": steps, "steps": steps - 1 or 1}
    return Graph(subject.model, inputs, outputs, sizes, notes)


def _words(subject: Subject) -> Graph:
    network = networks.Lookup(subject.model)
    number, values = network.table.shape

    def draw(sizes: Sizes, generator: Generator) -> Tensor:
        return torch.randint(number, (sizes["batch"],), generator=generator)

    meaning = f"words by their numbers in the vocabulary, 0 to {number - 1:,}"
    outputs = {"vectors": f"(batch, {values}), as `zoo predict` compares them"}
    inputs = (Input("words", ("batch",), meaning, draw),)
    return Graph(network, inputs, outputs, {"batch": 2})


def vocab_of(subject: Subject, name: str) -> int:
    """How many tokens there are, by an argument of the model."""
    return subject.arguments.get(name) or vocab_size(subject.definition)


FAMILIES: dict[str, Callable[[Subject], Graph]] = {
    "image_classification": _classifier,
    "object_detection": _detector,
    "style_transfer": _stylizer,
    "generation": _generator,
    "regression": _regressor,
    "language_modeling": _language_model,
    "sequence_tagging": _tagger,
    "text_classification": _text_classifier,
    "translation": _translator,
    "word_embedding": _words,
}
