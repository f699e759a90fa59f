"""Recurrent layers from their equations, step by step; torch's kernels are what networks use.

Parameters have the names and shapes of torch's, so that weights copy over both ways. Biases come
in two, b_i and b_h, as torch's: only in a reset gate's product does it matter which is which.

Source: Elman 1990, https://doi.org/10.1207/s15516709cog1402_1; Cho et al. 2014,
        https://arxiv.org/abs/1406.1078, Equations 5 to 8; Hochreiter and Schmidhuber 1997,
        https://doi.org/10.1162/neco.1997.9.8.1735, with the forget gate of Gers, Schmidhuber and
        Cummins 2000, https://doi.org/10.1162/089976600300015015; Zhang, Lipton, Li and Smola 2023,
        https://d2l.ai, sections 9.4, 10.1, 10.2 and 10.3
"""

from typing import Any, Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from zoo.errors import InputError

Steps = Float[Tensor, "batch steps hidden"]
Carry = Tensor | tuple[Tensor, ...]


class Recurrent(nn.Module):
    """Layers whose state at a step follows from the input there and from the state before.

    A subclass says what `next_state` is. Each further layer reads the states of the one below, of
    which training drops the share `dropout`.

    Shapes: inputs (batch, steps, in) and state (layers, batch, hidden) -> outputs
    (batch, steps, hidden), which are the last layer's states, and the state after the last step.
    Inputs (batch, steps) of integers are the places of the ones in one-hot inputs: the product
    with W_i is a look-up of its columns.

    Weights begin uniform within 1 / sqrt(hidden), as torch's.

    Args:
        input_size: Values of an input.
        hidden_size: Values of a layer's state.
        num_layers: Layers.
        dropout: Probability of dropping a value between two layers.

    Raises:
        InputError: A size is below 1, or inputs or state have another shape.
    """

    gates = 1
    num_states = 1

    def __init__(
        self, input_size: int, hidden_size: int, num_layers: int = 1, dropout: float = 0.0
    ) -> None:
        super().__init__()
        if min(input_size, hidden_size, num_layers) < 1:
            raise InputError(
                f"{input_size} inputs, {hidden_size} hidden values and {num_layers} layers: "
                "there has to be one of each at least"
            )
        self.input_size, self.hidden_size = input_size, hidden_size
        self.num_layers, self.dropout = num_layers, dropout
        rows = self.gates * hidden_size
        for layer in range(num_layers):
            shapes = {
                "weight_ih": (rows, hidden_size if layer else input_size),
                "weight_hh": (rows, hidden_size),
                "bias_ih": (rows,),
                "bias_hh": (rows,),
            }
            for name, shape in shapes.items():
                self.register_parameter(f"{name}_l{layer}", nn.Parameter(torch.empty(shape)))
        for parameter in self.parameters():
            nn.init.uniform_(parameter, -(hidden_size**-0.5), hidden_size**-0.5)

    def forward(self, inputs: Tensor, state: Any = None) -> tuple[Steps, Carry]:
        places = inputs.dim() == 2 and not inputs.is_floating_point()
        if not places and (inputs.dim() != 3 or inputs.shape[2] != self.input_size):
            raise InputError(
                f"inputs of shape {tuple(inputs.shape)} have to be "
                f"(batch, steps, {self.input_size})"
            )
        before = self.states(inputs, state)
        after = []
        for layer in range(self.num_layers):
            if layer:
                inputs = F.dropout(inputs, self.dropout, self.training)
            inputs, last = self.unroll(inputs, tuple(part[layer] for part in before), layer)
            after.append(last)
        stacked = tuple(torch.stack(part) for part in zip(*after, strict=True))
        return inputs, stacked if self.num_states > 1 else stacked[0]

    def states(self, inputs: Tensor, state: Any) -> tuple[Tensor, ...]:
        """The state to begin with, as a tuple; zeros where none is given."""
        shape = (self.num_layers, len(inputs), self.hidden_size)
        if state is None:
            return (next(self.parameters()).new_zeros(shape),) * self.num_states
        parts = state if isinstance(state, tuple) else (state,)
        found = [tuple(part.shape) for part in parts]
        if found != [shape] * self.num_states:
            raise InputError(f"a state of {found} has to be of {[shape] * self.num_states}")
        return parts

    def unroll(
        self, inputs: Tensor, state: tuple[Tensor, ...], layer: int
    ) -> tuple[Tensor, tuple[Tensor, ...]]:
        """One layer over all steps: its hidden states, and its state after the last."""
        weight, bias = self.part("weight_ih", layer), self.part("bias_ih", layer)
        recurrent, offset = self.part("weight_hh", layer), self.part("bias_hh", layer)
        if inputs.is_floating_point():
            products = F.linear(inputs, weight, bias)  # of all steps at once
        else:
            products = F.embedding(inputs, weight.t()) + bias
        hidden = []
        for product in products.unbind(1):
            state = self.next_state(product, state, recurrent, offset)
            hidden.append(state[0])
        return torch.stack(hidden, 1), state

    def part(self, name: str, layer: int) -> Tensor:
        """A parameter of a layer."""
        return self.get_parameter(f"{name}_l{layer}")

    def next_state(
        self, product: Tensor, state: tuple[Tensor, ...], weight: Tensor, bias: Tensor
    ) -> tuple[Tensor, ...]:
        """The state of one step.

        Args:
            product: W_i x + b_i, (batch, gates * hidden).
            state: Of the step before, (batch, hidden) each.
            weight: W_h, (gates * hidden, hidden).
            bias: b_h, (gates * hidden).
        """
        raise TypeError(f"{type(self).__name__} does not say what the next state is")


class RNN(Recurrent):
    """h <- tanh(W_i x + b_i + W_h h + b_h): what the simplest recurrent network remembers.

    Source: Elman 1990, Figure 2; Dive into Deep Learning, Equation 9.4.5
    """

    def next_state(
        self, product: Tensor, state: tuple[Tensor, ...], weight: Tensor, bias: Tensor
    ) -> tuple[Tensor, ...]:
        (hidden,) = state
        return (torch.tanh(product + F.linear(hidden, weight, bias)),)


class GRU(Recurrent):
    """Gates r and z, from 0 to 1, say how much of h is looked at, and how much stays.

        r = sigmoid(W_ir x + b_ir + W_hr h + b_hr)      z likewise
        n = tanh(W_in x + b_in + r * (W_hn h + b_hn))            reset after the product
        n = tanh(W_in x + b_in + W_hn (r * h) + b_hn)            reset before the product
        h <- (1 - z) * n + z * h

    Args:
        input_size: Values of an input.
        hidden_size: Values of a layer's state.
        num_layers: Layers.
        dropout: Probability of dropping a value between two layers.
        reset: Where r acts: before the product, as in the paper and the course's text; or after
            it, as in torch's and cuDNN's kernels and the course's programs.

    Source: Cho et al. 2014, Equations 5 to 8, whose z is torch's; Dive into Deep Learning, 10.2.1
        to 10.2.3
    """

    gates = 3

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        dropout: float = 0.0,
        reset: Literal["after", "before"] = "after",
    ) -> None:
        super().__init__(input_size, hidden_size, num_layers, dropout)
        self.reset = reset

    def next_state(
        self, product: Tensor, state: tuple[Tensor, ...], weight: Tensor, bias: Tensor
    ) -> tuple[Tensor, ...]:
        (hidden,) = state
        size = self.hidden_size
        if self.reset == "after":
            recurrent = F.linear(hidden, weight, bias)
            r, z = torch.sigmoid(product[:, : 2 * size] + recurrent[:, : 2 * size]).chunk(2, 1)
            candidate = r * recurrent[:, 2 * size :]
        else:
            recurrent = F.linear(hidden, weight[: 2 * size], bias[: 2 * size])
            r, z = torch.sigmoid(product[:, : 2 * size] + recurrent).chunk(2, 1)
            candidate = F.linear(r * hidden, weight[2 * size :], bias[2 * size :])
        n = torch.tanh(product[:, 2 * size :] + candidate)
        return (n + z * (hidden - n),)


class LSTM(Recurrent):
    """A cell c that gates write to (i), erase (f) and read (o); gradients pass along it unharmed.

        i = sigmoid(W_ii x + b_ii + W_hi h + b_hi)      f, o likewise, g with tanh
        c <- f * c + i * g
        h <- o * tanh(c)

    Shapes: the state is a pair, h and c, (layers, batch, hidden) each.

    Source: Hochreiter and Schmidhuber 1997, Figure 1; Gers, Schmidhuber and Cummins 2000, Figure 2;
        Dive into Deep Learning, 10.1.1 to 10.1.4
    """

    gates = 4
    num_states = 2

    def next_state(
        self, product: Tensor, state: tuple[Tensor, ...], weight: Tensor, bias: Tensor
    ) -> tuple[Tensor, ...]:
        hidden, cell = state
        i, f, g, o = (product + F.linear(hidden, weight, bias)).chunk(4, 1)
        cell = torch.sigmoid(f) * cell + torch.sigmoid(i) * torch.tanh(g)
        return torch.sigmoid(o) * torch.tanh(cell), cell


def run_packed(kernel: nn.Module, inputs: Tensor, lengths: Tensor) -> tuple[Steps, Any]:
    """Runs recurrent layers over padded rows, of which neither direction reads padding.

    Shapes: inputs (batch, steps, in), lengths (batch) -> outputs (batch, steps, hidden *
    directions), 0 behind a row's end, and the state after each row's end.

    Args:
        kernel: RNN, GRU or LSTM of torch, batch first, whose rows are packed; or other layers,
            which take the lengths themselves, after a state.
        inputs: Rows, padded to one number of steps.
        lengths: Number of each row's own steps, 1 or more.
    """
    if not isinstance(kernel, nn.RNNBase):
        return kernel(inputs, None, lengths)
    packed = pack_padded_sequence(inputs, lengths.cpu(), batch_first=True, enforce_sorted=False)
    outputs, last = kernel(packed)
    padded, _ = pad_packed_sequence(outputs, batch_first=True, total_length=inputs.shape[1])
    return padded, last
