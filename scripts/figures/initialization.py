"""Topic 8: what depth does to signals and gradients, and how weights should start."""

from collections.abc import Callable
from functools import partial
from itertools import accumulate

import torch
from matplotlib.figure import Figure
from torch import Tensor
from torch.nn import functional, init

from scripts.figures.runs import Runs
from scripts.figures.style import BLUE, GREEN, GREY, NOTE, ORANGE, PURPLE, RED, mark, sheet

TOPIC = (8, "Depth and initialization")
DEPTH, HIDDEN_SIZE, BATCH = 50, 256, 128
FLOOR = 1e-21  # what is smaller is written instead of drawn
INITIALIZERS: dict[str, tuple[Callable[..., Tensor], str]] = {
    "N(0, 0.01²)": (partial(init.normal_, std=0.01), RED),
    "Xavier": (init.xavier_uniform_, BLUE),
    "Kaiming": (partial(init.kaiming_normal_, nonlinearity="relu"), GREEN),
}


def variance_through_depth(
    initialize: Callable[..., Tensor], activation: Callable[[Tensor], Tensor], seed: int = 0
) -> tuple[list[float], list[float]]:
    """Variances in a deep network at its start, by running it forwards and backwards once.

    Args:
        initialize: Fills a weight matrix, as the functions of torch.nn.init do.
        activation: After each layer.
        seed: Of the weights, the inputs from N(0, 1), and the gradient from N(0, 1) at the output.

    Returns:
        Variances of the activations and of their gradients, from the input to the last layer.
    """
    generator = torch.Generator().manual_seed(seed)
    # Float32 would underflow where this is meant to show how small the values are.
    normal = partial(torch.randn, BATCH, HIDDEN_SIZE, generator=generator, dtype=torch.float64)
    values = [normal().requires_grad_()]
    for _ in range(DEPTH):
        weight = torch.empty(HIDDEN_SIZE, HIDDEN_SIZE, dtype=torch.float64)
        initialize(weight, generator=generator)
        values.append(activation(functional.linear(values[-1], weight)))
    gradients = torch.autograd.grad(values[-1], values, grad_outputs=normal())
    return [v.var().item() for v in values], [g.var().item() for g in gradients]


def scientific(value: float) -> str:
    """Returns a number as two digits and a power of ten."""
    digits, _, power = f"{value:.1e}".partition("e")
    return rf"${digits}\times10^{{{int(power)}}}$"


def variance(runs: Runs) -> Figure:
    """Fifty layers: which initialization keeps signals and gradients alive.

    With weights from N(0, 0.01²) each layer divides both by forty, under ReLU by eighty. Xavier's
    scale nearly keeps them under tanh, but ReLU halves them each time. Kaiming's doubled variance
    makes up for that, and is a little too large for tanh, whose gradients grow on their way back.

    Made from one forward and one backward pass through 50 layers of 256 units, inputs and output
    gradients from N(0, 1), in float64.
    """
    figure, panels = sheet(2, 2, 6.2, sharex=True, sharey=True)
    for column, (title, activation) in enumerate((("tanh", torch.tanh), ("ReLU", torch.relu))):
        up, down = panels[column::2]
        for label, (initialize, color) in INITIALIZERS.items():
            activations, gradients = variance_through_depth(initialize, activation)
            for panel, values in ((up, activations), (down, gradients)):
                panel.plot(range(DEPTH + 1), values, color=color, linewidth=2, label=label)
            if activations[-1] < FLOOR:
                last, first = scientific(activations[-1]), scientific(gradients[0])
                up.text(15, FLOOR, f"{last} at the last layer", **NOTE)
                down.text(35, FLOOR, f"{first} at the input", ha="right", **NOTE)
        up.set(title=f"activations under {title}")
        down.set(title=f"gradients under {title}", xlabel="layer")
    panels[0].set(yscale="log", ylim=(FLOOR / 100, 1e5))
    for panel in panels[::2]:
        panel.set_ylabel("variance")
    panels[0].legend(loc="center right")
    return figure


def products(runs: Runs) -> Figure:
    """Thirty layers that scale the gradient by 0.2, or by 5.

    A gradient is a product with a factor from each layer. Factors below one leave next to nothing
    of it after thirty layers, factors above one far too much.

    Made from 0.2ⁿ and 5ⁿ for n up to 30; the band holds the normal numbers of float16.
    """
    figure, (panel,) = sheet(1, 1, 4)
    depth = torch.arange(31, dtype=torch.float64)
    limits = torch.finfo(torch.float16)
    panel.axhspan(limits.smallest_normal, limits.max, color=GREY, alpha=0.15, linewidth=0)
    panel.text(29.8, 1, "the numbers of float16", ha="right", va="center", **NOTE)
    for factor, color, below in ((5.0, RED, -28), (0.2, BLUE, 28)):
        values = factor**depth
        panel.plot(depth, values, color=color, marker=".", linewidth=2)
        end = values[-1].item()
        text = f"${factor:g}^{{30}}$ = {scientific(end)}"
        mark(panel, 30, end, text, (-40, below), color)
    panel.set(yscale="log", xlim=(0, 30.5))
    panel.set(title="the product of n equal factors", xlabel="layers n", ylabel="product")
    return figure


def matrix_products(runs: Runs) -> Figure:
    """A hundred random 4x4 matrices, multiplied one after the other.

    Gaussian matrices stretch or shrink what passes through them at a steady rate, which depends on
    the scale of their entries; orthogonal matrices keep every length, however many they are.

    Made from ten sequences of 100 matrices of each kind: N(0, 1), N(0, 0.25²), and the orthogonal
    factors Q of QR decompositions of Gaussian ones.
    """
    figure, (panel,) = sheet(1, 1, 4)
    generator = torch.Generator().manual_seed(0)
    matrices = torch.randn(10, 100, 4, 4, generator=generator, dtype=torch.float64)
    kinds = (
        ("entries from N(0, 1)", matrices, RED),
        ("orthogonal", torch.linalg.qr(matrices).Q, GREEN),
        ("entries from N(0, 0.25²)", 0.25 * matrices, BLUE),
    )
    for label, sequences, color in kinds:
        for number, sequence in enumerate(sequences):
            norms = [product.norm().item() for product in accumulate(sequence, torch.matmul)]
            once = "" if number else label
            panel.plot(range(1, 101), norms, color=color, linewidth=1.3, alpha=0.6, label=once)
    panel.set(yscale="log")
    panel.set(title="size of the product", xlabel="matrices multiplied", ylabel="Frobenius norm")
    panel.legend(loc="upper left")
    return figure


def train_two_units(start: Tensor, steps: int = 400) -> tuple[Tensor, list[float]]:
    """Gradient descent on a network of two tanh units that learns one of the same form.

    Args:
        start: Incoming weights of the hidden units (2 units, 2 inputs); the outgoing start at 0.5.
        steps: Of full-batch gradient descent.

    Returns:
        The incoming weights before each step (steps, 2 units, 2 inputs), and the losses.
    """
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(200, 2, generator=generator)
    y = torch.tanh(x @ torch.tensor([2.0, -1.0])) - torch.tanh(x @ torch.tensor([-1.0, -2.0]))
    incoming, outgoing = start.clone().requires_grad_(), torch.full((2,), 0.5).requires_grad_()
    optimizer, trace, losses = torch.optim.SGD([incoming, outgoing], lr=0.1), [], []
    for _ in range(steps):
        loss = functional.mse_loss(torch.tanh(x @ incoming.T) @ outgoing, y)
        trace.append(incoming.detach().clone())
        losses.append(loss.item())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return torch.stack(trace), losses


def symmetry(runs: Runs) -> Figure:
    """Two hidden units that start equal stay equal.

    With equal weights both units get the same gradient at every step, so that the network never
    becomes more than one unit wide. A random start breaks the symmetry and the loss goes on down.

    Made from 400 steps of gradient descent (lr 0.1) of a network with two tanh units, on 200 points
    labelled by two other units; a random start is N(0, 0.5²).
    """
    figure, panels = sheet(1, 3, 3.7)
    generator = torch.Generator().manual_seed(1)
    starts = {
        "equal start": torch.full((2, 2), 0.5),
        "random start": 0.5 * torch.randn(2, 2, generator=generator),
    }
    for panel, color, (title, start) in zip(panels, (RED, GREEN), starts.items(), strict=False):
        trace, losses = train_two_units(start)
        for unit, (hue, width) in enumerate(((ORANGE, 4), (PURPLE, 1.5))):
            for weight, dashes in enumerate(("-", "--")):
                label = f"unit {unit + 1}, from $x_{weight + 1}$"
                values = trace[:, unit, weight]
                panel.plot(values, color=hue, linewidth=width, linestyle=dashes, label=label)
        panel.set(title=title, xlabel="step", ylabel="incoming weight")
        panels[2].plot(losses, color=color, linewidth=2, label=title)
    panels[0].sharey(panels[1])
    panels[0].legend(loc="lower left")
    panels[2].set(yscale="log", title="loss", xlabel="step", ylabel="squared error")
    panels[2].legend()
    return figure
