"""show --layers: an architecture at the sizes of its header, layer by layer."""

import math

from rich.table import Table

import zoo
from zoo.catalogue import architectures
from zoo.cli.names import listed, pick
from zoo.cli.report import plain_console
from zoo.errors import InputError
from zoo.examples import build, device
from zoo.layers.layer_table import layer_table

OF_PICTURES = ("image_classification", "object_detection", "style_transfer")


def show_layers(name: str) -> None:
    """Prints what each layer of an architecture gives, and how far it sees.

    Raises:
        InputError: The name is no architecture, or one without layers.
    """
    name = pick("model", name, architectures())
    cls = getattr(zoo, name)
    with device(cls):
        network = build(cls)
        inputs = network.forward_inputs(cls.example())
        rows = layer_table(network, inputs)
    shape = tuple(inputs[0].shape[1:])
    if not rows or not any(network.children()):
        layered = [n for n, d in architectures().items() if d.family in OF_PICTURES]
        raise InputError(f"{name} has no layers; those that do: {listed(layered)}")
    table = Table(title=f"{name}, from {' x '.join(map(str, shape))}", title_justify="left")
    table.add_column("layer")
    table.add_column("kind")
    for column in ("output", "parameters", "sees"):
        table.add_column(column, justify="right")
    for row in rows:
        output = " x ".join(map(str, row.shape)) or "1"
        sees = "all" if math.isinf(row.receptive_field) else f"{row.receptive_field:.0f}"
        table.add_row(row.name, row.kind, output, f"{row.parameters:,}", sees)
    total = sum(parameter.numel() for parameter in network.parameters())
    table.add_section()
    table.add_row("", "", "", f"{total:,}", "")
    console = plain_console()
    console.print(table)
    if len(shape) == 3:
        console.print("sees: side of the square of the picture that one output depends on")
