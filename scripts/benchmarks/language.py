"""How fast is a language model trained: the course's way, a bare loop, the zoo?

    ZOO_DATA=... .venv/bin/python -m scripts.benchmarks.language [--json FILE]

One process trains an RNN, a GRU and an LSTM of 256 units on the characters of The Time Machine (or
its stand-in), in batches of 32 x 35 that go on from one another, an epoch of each variant in turn,
and compares the medians of all turns but the first; the order swaps with each turn:

course   cells from their equations in a Python loop over the steps: one-hot vectors of each, a
         product for each gate's input and state, a list of outputs; loss and norm by `.item()`
bare     torch's kernel and a dense layer in an eager loop over the zoo's batches; the loss is
         added up on the device
lean     the zoo's module and corpus under a Trainer with everything switched off

All begin with the same weights and take the same plain SGD, at the course's rate of 100 on
gradients clipped to a norm of 0.01. Before counting, the three must give the same loss for the
first batch, and bare and lean make the same weights out of the same five batches. Of a fit of two
epochs the second counts.

One thread is the default: beside other jobs two vary by more than what is measured here. The
defaults take some 2.5 minutes. Exits with 1 when lean / bare is under its bar.
"""

import sys
from collections.abc import Callable, Iterator
from functools import partial
from itertools import count, islice
from time import perf_counter
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, one_hot

from datamodules.batches.token_streams import SequentialStreams
from datamodules.time_machine import TimeMachine
from scripts.benchmarks.measuring import (
    Report,
    Way,
    alternately,
    benchmark_parser,
    lean_fit,
    parsed,
)
from scripts.corpora import ready
from zoo.language_modeling.gru import GRU
from zoo.language_modeling.lstm import LSTM
from zoo.language_modeling.recurrent import RecurrentLanguageModel
from zoo.language_modeling.rnn import RNN

BATCH, STEPS, HIDDEN, CLIP = 32, 35, 256, 0.01
COMPARED = 5  # batches, before counting
sgd = partial(torch.optim.SGD, lr=100.0)
NETWORKS: dict[str, Callable[..., RecurrentLanguageModel]] = {"RNN": RNN, "GRU": GRU, "LSTM": LSTM}
BARS = {"RNN": 0.96, "LSTM": 0.94}  # lean / bare
State = tuple[Tensor, ...]
Gate = tuple[Tensor, Tensor, Tensor]  # weights of the input, of the state, and the bias
Batch = tuple[Tensor, Tensor]


def affine(x: Tensor, h: Tensor, gate: Gate) -> Tensor:
    """What a gate makes of the input and the state before it is squashed."""
    return x @ gate[0] + h @ gate[1] + gate[2]


def rnn_step(x: Tensor, state: State, gates: list[Gate]) -> State:
    """One step of the course's RNN."""
    return (torch.tanh(affine(x, state[0], gates[0])),)


def gru_step(x: Tensor, state: State, gates: list[Gate]) -> State:
    """One step of the course's GRU, which resets after the product."""
    (h,), (reset, update, candidate) = state, gates
    r, z = torch.sigmoid(affine(x, h, reset)), torch.sigmoid(affine(x, h, update))
    new = torch.tanh(x @ candidate[0] + r * (h @ candidate[1]) + candidate[2])
    return (z * h + (1 - z) * new,)


def lstm_step(x: Tensor, state: State, gates: list[Gate]) -> State:
    """One step of the course's LSTM."""
    (h, c), (write, forget, candidate, output) = state, gates
    i, f = torch.sigmoid(affine(x, h, write)), torch.sigmoid(affine(x, h, forget))
    c = f * c + i * torch.tanh(affine(x, h, candidate))
    return torch.sigmoid(affine(x, h, output)) * torch.tanh(c), c


CELLS = {"RNN": (rnn_step, 1), "GRU": (gru_step, 3), "LSTM": (lstm_step, 4)}  # step, gates


def loss_of(logits: Tensor, targets: Tensor) -> Tensor:
    """The mean over tokens, of logits (tokens, vocabulary)."""
    return cross_entropy(logits, targets.reshape(-1))


class Scratch:
    """A network of the course: a list of tensors and the function that reads a batch with them.

    Args:
        kind: RNN, GRU or LSTM.
        network: The zoo's, whose weights it begins with; both have biases of zero.
    """

    def __init__(self, kind: str, network: RecurrentLanguageModel) -> None:
        self.step, num_gates = CELLS[kind]
        self.vocab_size, self.num_states = network.vocab_size, network.num_states
        kernel: Any = network.layers[0]
        of_input, of_state = (
            [_leaf(part.T) for part in weight.detach().chunk(num_gates)]
            for weight in (kernel.weight_ih_l0, kernel.weight_hh_l0)
        )
        biases = [_leaf(torch.zeros(HIDDEN)) for _ in range(num_gates)]
        self.gates = list(zip(of_input, of_state, biases, strict=True))
        self.head = _leaf(network.head.weight.detach().T), _leaf(network.head.bias.detach())
        self.parameters = [*of_input, *of_state, *biases, *self.head]

    def begin(self) -> State:
        """The state of texts of which nothing was read."""
        return tuple(torch.zeros(BATCH, HIDDEN) for _ in range(self.num_states))

    def read(self, tokens: Tensor, state: State) -> tuple[Tensor, State]:
        """Logits (steps x batch, vocabulary), the first step of all rows first, and the state."""
        inputs = [one_hot(column, self.vocab_size).float() for column in tokens.T]
        outputs = []
        for x in inputs:
            state = self.step(x, state, self.gates)
            outputs.append(state[0] @ self.head[0] + self.head[1])
        return torch.cat(outputs), state


def _leaf(values: Tensor) -> Tensor:
    return values.clone(memory_format=torch.contiguous_format).requires_grad_()


def clip(parameters: list[Tensor]) -> None:
    """Scales the gradients down to a common norm of `CLIP`, one by one."""
    norm = torch.zeros(())
    for parameter in parameters:
        assert parameter.grad is not None
        norm += (parameter.grad**2).sum()
    length = norm.sqrt().item()
    if length > CLIP:
        for parameter in parameters:
            assert parameter.grad is not None
            parameter.grad *= CLIP / length


def course(network: Scratch, stream: Tensor, num_batches: int) -> Way:
    """A text cut into rows once, and each batch a slice of them."""
    length = len(stream) // BATCH
    rows = stream[: BATCH * length].view(BATCH, length)
    optimizer = sgd(network.parameters)

    def epoch() -> float:
        start, state = perf_counter(), network.begin()
        loss_sum, seen = 0.0, 0
        for past in range(0, num_batches * STEPS, STEPS):
            tokens, targets = rows[:, past : past + STEPS], rows[:, past + 1 : past + 1 + STEPS]
            logits, state = network.read(tokens, tuple(part.detach() for part in state))
            loss = loss_of(logits, targets.T)
            optimizer.zero_grad()
            loss.backward()
            clip(network.parameters)
            optimizer.step()
            loss_sum += loss.item() * targets.numel()
            seen += targets.numel()
        return seen / (perf_counter() - start)

    return epoch


def stream_order(corpus: TimeMachine, epoch: int) -> SequentialStreams:
    """The places in the text of the batches of the zoo's epoch, none of whose rows is padded."""
    text = corpus.data["train"]
    run: dict[str, Any] = {"seed": corpus.seed, "position": lambda _: (epoch, 0)}
    return SequentialStreams(text, BATCH, STEPS, jitter=corpus.jitter, **run)


def batches(corpus: TimeMachine, epoch: int) -> Iterator[Batch]:
    """The tokens and targets of the zoo's epoch."""
    text: Any = corpus.data["train"]
    stream, following = text.tensors
    for _, places in stream_order(corpus, epoch):
        yield stream[places], following[places]


def read_bare(network: RecurrentLanguageModel, tokens: Tensor, state: Any) -> tuple[Tensor, Any]:
    """Logits (batch x steps, vocabulary) by torch's kernel and the dense layer; and the state."""
    inputs = torch.zeros(*tokens.shape, network.vocab_size).scatter_(2, tokens.unsqueeze(2), 1.0)
    outputs, state = network.layers[0](inputs, state)
    return network.head(outputs).flatten(0, 1), state


def detached(state: Any) -> Any:
    """A kernel's state without its gradient."""
    return state.detach() if isinstance(state, Tensor) else tuple(part.detach() for part in state)


def bare(network: RecurrentLanguageModel, corpus: TimeMachine, steps: int | None = None) -> Way:
    """The zoo's batches in the zoo's order, and nothing that could be left out."""
    parameters = list(network.parameters())
    optimizer, number = sgd(parameters), count()

    def epoch() -> float:
        start, state = perf_counter(), None
        loss_sum, seen = torch.zeros(()), 0
        for tokens, targets in islice(batches(corpus, next(number)), steps):
            logits, state = read_bare(network, tokens, state)
            state = detached(state)
            loss = loss_of(logits, targets)
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(parameters, CLIP)
            optimizer.step()
            loss_sum += loss.detach() * targets.numel()
            seen += targets.numel()
        return seen / (perf_counter() - start)

    return epoch


def lean(
    network: RecurrentLanguageModel, corpus: TimeMachine, num_batches: int, steps: int = -1
) -> float:
    """Trains under a Trainer that only trains; returns the tokens/s of the second epoch."""
    clock = lean_fit(network, corpus, max_steps=steps, gradient_clip_val=CLIP)
    return num_batches * BATCH * STEPS / clock.training


def check_equal(
    kind: str, build: Callable[[], RecurrentLanguageModel], corpus: TimeMachine
) -> None:
    """Asserts that all three begin alike, and that bare and lean train alike."""
    network, twin = build(), build()
    tokens, targets = next(batches(corpus, 0))
    scratch = Scratch(kind, network)
    found = loss_of(scratch.read(tokens, scratch.begin())[0], targets.T)
    wanted = loss_of(read_bare(network, tokens, None)[0], targets)
    torch.testing.assert_close(found, wanted)
    torch.testing.assert_close(network.step((tokens, targets)).loss, wanted)
    bare(network, corpus, steps=COMPARED)()
    lean(twin, corpus, num_batches=COMPARED, steps=COMPARED)
    for one, other in zip(network.parameters(), twin.parameters(), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-6)


def measure(kind: str, corpus: TimeMachine, repeats: int) -> dict[str, list[float]]:
    """Tokens/s of the counted turns of each variant."""

    def build() -> RecurrentLanguageModel:
        torch.manual_seed(0)
        return NETWORKS[kind](corpus.vocab_size, hidden_size=HIDDEN, optimizer=sgd, init_std=0.01)

    check_equal(kind, build, corpus)
    text: Any = corpus.data["train"]
    num_batches = len(stream_order(corpus, 0))
    variants: dict[str, Way] = {
        "course": course(Scratch(kind, build()), text.tensors[0], num_batches),
        "bare": bare(build(), corpus),
        "lean": partial(lean, build(), corpus, num_batches),
    }
    return alternately(variants, repeats)


def main() -> int:
    """Parses, measures, reports; 1 if a bar is not met."""
    parser = benchmark_parser(__doc__, threads=1)
    parser.add_argument("--characters", type=int, default=100_000, help="characters of the text")
    parser.add_argument("--models", nargs="+", choices=NETWORKS, default=list(NETWORKS))
    options = parsed(parser)
    sizes = {"max_tokens": options.characters, "batch_size": BATCH, "num_steps": STEPS}
    corpus = ready(TimeMachine, **sizes)
    if len(stream_order(corpus, 0)) < COMPARED:
        parser.error(f"--characters {options.characters}: too few for {COMPARED} batches")
    report = Report(options, corpus.described)
    for kind in options.models:
        bars = {("lean", "bare"): BARS.get(kind), ("lean", "course"): None}
        report.add(kind, "tokens/s", measure(kind, corpus, options.repeats), bars)
    return report.end()


if __name__ == "__main__":
    sys.exit(main())
