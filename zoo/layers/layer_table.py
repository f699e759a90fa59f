"""What each layer of a network gives, and how far it sees: shapes and receptive fields.

A receptive field grows by (kernel - 1) jump with each convolution or pooling, and the jump, the
distance of neighbouring outputs in the input, by the stride (Araujo, Norris and Sim 2019,
https://doi.org/10.23915/distill.00021, Equations 2 and 3). It follows the tensors, not the list of
modules: where branches meet, the widest counts.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.rnn import PackedSequence, pad_packed_sequence
from torch.overrides import TorchFunctionMode

Field = tuple[float, float]  # receptive field and jump, in pixels of the input
WHOLE = (float("inf"), float("inf"))


class Layer(NamedTuple):
    """A row of the table.

    Attributes:
        name: Of the module in its network.
        kind: Class of the module.
        shape: Of the output, without the batch.
        parameters: Values that it learns.
        receptive_field: Side of the square of the input that one output sees; inf for all of it.
    """

    name: str
    kind: str
    shape: tuple[int, ...]
    parameters: int
    receptive_field: float


def output_size(
    size: int, kernel_size: int, stride: int = 1, padding: int = 0, dilation: int = 1
) -> int:
    """Side of what a convolution or pooling makes of a picture with this side."""
    return (size + 2 * padding - dilation * (kernel_size - 1) - 1) // stride + 1


def layer_table(network: nn.Module, inputs: Sequence[int] | Sequence[Tensor]) -> list[Layer]:
    """The layers of a network in the order of their computation.

    Args:
        network: On the meta device, where nothing is computed, or any other.
        inputs: What it is given, of which the first is what its layers see; or the shape of one
            input, without the batch: (channels, height, width).
    """
    rows: list[Layer] = []
    names = {module: name for name, module in network.named_modules()}

    def note(module: nn.Module, arguments: Any, output: Any) -> None:
        if isinstance(output, tuple) and not isinstance(output, PackedSequence):
            output = output[0]  # before the state
        if isinstance(output, PackedSequence):
            output, _ = pad_packed_sequence(output, batch_first=True)
        size = sum(parameter.numel() for parameter in module.parameters())
        recurrent = isinstance(module, nn.RNNBase)
        field, _ = WHOLE if recurrent else getattr(output, "field", WHOLE)
        shape = tuple(output.shape[1:])
        rows.append(Layer(names[module], type(module).__name__, shape, size, field))

    leaves = [module for module in network.modules() if not list(module.children())]
    handles = [leaf.register_forward_hook(note) for leaf in leaves]
    training = network.training
    try:
        given = [one for one in inputs if isinstance(one, Tensor)]
        given = given or [torch.zeros(1, *inputs, device=next(network.parameters()).device)]
        given[0].field = (1.0, 1.0)  # type: ignore[attr-defined]
        with _Fields():
            network.eval()(*given)
    finally:
        network.train(training)
        for handle in handles:
            handle.remove()
    return rows


class _Fields(TorchFunctionMode):
    """Hands each tensor the field of those it is made of, as its attribute `field`."""

    def __torch_function__(
        self, function: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        output = function(*args, **(kwargs or {}))
        sources = [x for x in _tensors(args) if hasattr(x, "field")]
        for made in _tensors(output) if sources else ():
            field = max(source.field for source in sources)
            made.field = _seen(function, field, args, kwargs or {})  # type: ignore[attr-defined]
        return output


def _tensors(values: Any) -> list[Tensor]:
    """The tensors among arguments, those in lists too."""
    if isinstance(values, tuple | list):
        return [tensor for value in values for tensor in _tensors(value)]
    return [values] if isinstance(values, Tensor) else []


def _seen(function: Any, field: Field, args: Any, kwargs: dict[str, Any]) -> Field:
    """The field of what a function makes of a tensor with this one."""
    given = dict(zip(ARGUMENTS.get(function, ()), args, strict=False)) | kwargs
    if function in CONVOLUTIONS:
        kernel = given["weight"].shape[-1]
        stride = given.get("stride", 1)
    elif function in POOLINGS:
        kernel = given["kernel_size"]
        stride = given.get("stride") or kernel
    elif function in OVER_ALL:
        return WHOLE
    else:
        return field
    side, dilation = _last(kernel), _last(given.get("dilation", 1))
    return field[0] + dilation * (side - 1) * field[1], field[1] * _last(stride)


def _last(value: Any) -> int:
    """Of a number, or a pair of height and width, the width."""
    return int(value[-1] if isinstance(value, tuple | list) else value)


CONVOLUTIONS = (torch.conv1d, functional.conv1d, torch.conv2d, functional.conv2d)
POOLINGS = (functional.max_pool2d, functional.avg_pool2d, torch.max_pool2d)
OVER_ALL = (functional.linear, torch.flatten, functional.adaptive_avg_pool2d, Tensor.flatten)
ARGUMENTS: dict[Any, tuple[str, ...]] = {
    **dict.fromkeys(CONVOLUTIONS, ("input", "weight", "bias", "stride", "padding", "dilation")),
    **dict.fromkeys(POOLINGS, ("input", "kernel_size", "stride", "padding", "dilation")),
    functional.avg_pool2d: ("input", "kernel_size", "stride", "padding"),
}
