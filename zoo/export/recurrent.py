"""Recurrent networks as graphs can have them: as one operator each, or step by step.

torch.export writes torch's recurrent kernels out, step by step, for one number of steps, and knows
no packed sequences. ONNX has an operator for a layer of any number of steps, with the lengths of
its rows: so that is what each layer becomes there, by an operator of torch's that stands for it.
Elsewhere the steps are written out, and those behind a row's end leave its state as it was.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import linear, one_hot
from torch.nn.utils.rnn import PackedSequence

from zoo.layers import recurrent
from zoo.layers.attention import within

CELLS: dict[str, type[recurrent.Recurrent]] = {
    "RNN": recurrent.RNN,
    "GRU": recurrent.GRU,
    "LSTM": recurrent.LSTM,
}
ORDERS = {"RNN": (0,), "GRU": (1, 0, 2), "LSTM": (0, 3, 1, 2)}  # of the gates, in ONNX


class Weights(NamedTuple):
    """Parameters of one layer in one direction, as in torch's kernels."""

    weight_ih: Any
    weight_hh: Any
    bias_ih: Any
    bias_hh: Any


def packing(model: nn.Module, run: Callable[[], Any]) -> set[str]:
    """Returns the names of the kernels whose rows are packed.

    Args:
        model: Model, which `run` calls.
        run: Computation of any example.
    """
    found = set()

    def seen_by(name: str) -> Callable[..., None]:
        def look(_: nn.Module, inputs: tuple[Any, ...]) -> None:
            if isinstance(inputs[0], PackedSequence):
                found.add(name)

        return look

    kernels = {n: m for n, m in model.named_modules() if isinstance(m, nn.RNNBase)}
    hooks = [kernel.register_forward_pre_hook(seen_by(name)) for name, kernel in kernels.items()]
    try:
        if hooks:
            run()
    finally:
        for hook in hooks:
            hook.remove()
    return found


def prepare(model: nn.Module, packed: set[str], *, as_operators: bool) -> None:
    """Replaces the recurrent layers of a model by such as a graph can have.

    Args:
        model: Model; it computes the same afterwards, but for rounding.
        packed: Names of the kernels whose rows are packed.
        as_operators: Whether to use one operator for each layer and direction, which ONNX has;
            else steps are written out where rows are packed, and torch.export does the rest.
    """
    for name, module in list(model.named_modules()):
        recurs = isinstance(module, recurrent.Recurrent) or _is_plain(module)
        if name in packed or (as_operators and recurs):
            model.set_submodule(name, Layers(module, as_operators))


def _is_plain(module: nn.Module) -> bool:
    """Whether it is a kernel of torch's, with tanh and without projections, as the zoo's are."""
    if not isinstance(module, nn.RNN | nn.GRU | nn.LSTM):
        return False
    tanh = getattr(module, "nonlinearity", "tanh") == "tanh"
    return tanh and module.batch_first and not module.proj_size


class Layers(nn.Module):
    """Stacked recurrent layers, perhaps in both directions, of rows of their own lengths.

    Shapes: inputs (batch, steps, in), a state as torch's kernels take it or none, and lengths
    (batch) or none -> outputs (batch, steps, hidden * directions), 0 behind a row's end, and the
    state after each row's end.

    Args:
        kernel: The layers whose weights these have.
        as_operators: See `prepare`.
    """

    def __init__(self, kernel: Any, as_operators: bool) -> None:
        super().__init__()
        self.kernel, self.as_operators = kernel, as_operators
        self.kind = type(kernel).__name__
        self.directions = 2 if getattr(kernel, "bidirectional", False) else 1
        self.early_reset = getattr(kernel, "reset", "after") == "before"

    def forward(
        self, inputs: Tensor, state: Any = None, lengths: Tensor | None = None
    ) -> tuple[Tensor, Any]:
        if not inputs.is_floating_point():  # the places of the ones in one-hot inputs
            inputs = one_hot(inputs, self.kernel.input_size).to(self.kernel.weight_hh_l0.dtype)
        rows, layers = inputs.shape[0], self.kernel.num_layers * self.directions
        if state is None:
            state = inputs.new_zeros(layers, rows, self.kernel.hidden_size)
        hidden, cell = state if isinstance(state, tuple) else (state, state)
        if self.kind == "LSTM" and hidden is cell:
            cell = torch.zeros_like(hidden)
        after = []
        for layer in range(self.kernel.num_layers):
            made = []
            for direction in range(self.directions):
                place = layer * self.directions + direction
                found = self.run(inputs, hidden[place], cell[place], lengths, layer, direction)
                made.append(found[0])
                after.append(found[1:])
            inputs = torch.cat(made, 2) if len(made) > 1 else made[0]
        hiddens, cells = (torch.stack(part) for part in zip(*after, strict=True))
        return inputs, (hiddens, cells) if self.kind == "LSTM" else hiddens

    def run(
        self,
        inputs: Tensor,
        hidden: Tensor,
        cell: Tensor,
        lengths: Tensor | None,
        layer: int,
        direction: int,
    ) -> tuple[Tensor, Tensor, Tensor]:
        """One layer in one direction: outputs, and hidden state and cell after the end."""
        end = f"l{layer}" + "_reverse" * direction
        weights = [getattr(self.kernel, f"{name}_{end}") for name in Weights._fields]
        settings = (self.kind, bool(direction), self.early_reset)
        call: Any = recurrence if self.as_operators else steps
        return call(inputs, hidden, cell, lengths, weights, *settings)


def steps(
    inputs: Tensor,
    hidden: Tensor,
    cell: Tensor,
    lengths: Tensor | None,
    weights: Sequence[Tensor],
    kind: str,
    reverse: bool,
    early_reset: bool,
) -> tuple[Tensor, Tensor, Tensor]:
    """One layer in one direction, by the equations of `zoo.layers.recurrent`.

    Args:
        inputs: (batch, steps, in).
        hidden: Before the first step, (batch, hidden).
        cell: Likewise; only an LSTM has one.
        lengths: Own steps of each row, (batch); all by default.
        weights: Fields of `Weights`.
        kind: RNN, GRU or LSTM.
        reverse: Whether from each row's end to its beginning.
        early_reset: Whether a GRU's reset gate acts before the product.

    Returns:
        (batch, steps, hidden), 0 behind a row's end; the hidden state and the cell after the end.
    """
    options: dict[str, Any] = {}
    if kind == "GRU":
        options["reset"] = "before" if early_reset else "after"
    part = Weights(*weights)
    with torch.device("meta"):  # for its equation alone
        cells = CELLS[kind](part.weight_ih.shape[1], part.weight_hh.shape[1], **options)
    products = linear(inputs, part.weight_ih, part.bias_ih).unbind(1)
    own = None if lengths is None else within(lengths, inputs.shape[1])[..., None]
    here = own.unbind(1) if own is not None else ()
    state = (hidden, cell)[: cells.num_states]
    made = []
    for step in reversed(range(len(products))) if reverse else range(len(products)):
        new = cells.next_state(products[step], state, part.weight_hh, part.bias_hh)
        made.append(new[0])
        if here:
            pairs = zip(new, state, strict=True)
            new = tuple(torch.where(here[step], now, old) for now, old in pairs)
        state = new
    outputs = torch.stack(made[::-1] if reverse else made, 1)
    if own is not None:
        outputs = outputs.masked_fill(~own, 0.0)
    return outputs, state[0], state[-1]


@torch.library.custom_op("zoo::recurrence", mutates_args=())
def recurrence(
    inputs: Tensor,
    hidden: Tensor,
    cell: Tensor,
    lengths: Tensor | None,
    weights: Sequence[Tensor],
    kind: str,
    reverse: bool,
    early_reset: bool,
) -> tuple[Tensor, Tensor, Tensor]:
    """`steps`, as one operator of a graph."""
    outputs, last, cell = steps(inputs, hidden, cell, lengths, weights, kind, reverse, early_reset)
    return outputs, last.clone(), cell.clone()  # an operator's outputs are its own


@recurrence.register_fake
def _shapes(inputs: Tensor, hidden: Tensor, cell: Tensor, *_: Any) -> tuple[Tensor, ...]:
    outputs = inputs.new_empty(inputs.shape[0], inputs.shape[1], hidden.shape[1])
    return outputs, torch.empty_like(hidden), torch.empty_like(cell)


def as_onnx(
    inputs: Any,
    hidden: Any,
    cell: Any,
    lengths: Any,
    weights: Sequence[Any],
    kind: str,
    reverse: bool,
    early_reset: bool,
) -> tuple[Any, Any, Any]:
    """`recurrence` in operators of ONNX.

    Source: https://onnx.ai/onnx/operators: RNN, GRU, LSTM
    """
    from onnxscript import opset18

    op: Any = opset18

    def ordered(values: Any) -> Any:
        order = ORDERS[kind]
        if len(order) == 1:
            return values
        gates = op.Split(values, num_outputs=len(order), axis=0)
        return op.Concat(*(gates[place] for place in order), axis=0)

    part = Weights(*weights)
    matrices = [op.Unsqueeze(ordered(matrix), [0]) for matrix in (part.weight_ih, part.weight_hh)]
    bias = op.Unsqueeze(op.Concat(ordered(part.bias_ih), ordered(part.bias_hh), axis=0), [0])
    sizes = None if lengths is None else op.Cast(lengths, to=6)  # int32
    rows, state = op.Transpose(inputs, perm=[1, 0, 2]), op.Unsqueeze(hidden, [0])
    given = [rows, *matrices, bias, sizes, state]
    options: dict[str, Any] = {
        "hidden_size": part.weight_hh.shape[1],
        "direction": "reverse" if reverse else "forward",
    }
    if kind == "LSTM":
        outputs, last, cell = op.LSTM(*given, op.Unsqueeze(cell, [0]), **options)
        cell = op.Squeeze(cell, [0])
    elif kind == "GRU":
        outputs, last = op.GRU(*given, linear_before_reset=0 if early_reset else 1, **options)
    else:
        outputs, last = op.RNN(*given, **options)
    outputs = op.Transpose(op.Squeeze(outputs, [1]), perm=[1, 0, 2])
    last = op.Squeeze(last, [0])
    return outputs, last, cell if kind == "LSTM" else op.Identity(last)
