"""From a network to a program of torch.export that leaves free what sizes it can."""

from typing import NamedTuple

import torch
from torch import nn
from torch.export import Dim, ExportedProgram

from zoo.export.signature import Graph, Sizes

ODD = {"height": 5, "width": 11}  # pixels more than in training, in tracing
LARGER = {"height": 33, "width": 70}  # for pictures of another size
ROWS = 5  # of another batch
LEAST = range(1, 17)  # steps to try


class Program(NamedTuple):
    """A program, and of what sizes its inputs may be.

    Attributes:
        program: Of torch.export.
        free: The sizes that are not fixed: the least, but for pictures, and the most if any.
        sizes: At which it runs: those in training, others, and the least.
    """

    program: ExportedProgram
    free: dict[str, tuple[int, int | None]]
    sizes: list[Sizes]


def wanted(graph: Graph) -> list[set[str]]:
    """Which sizes to try to leave free: as many as may be, the batch alone, none."""
    tries = [set(names) for names in graph.free]
    try:
        graph.network(*graph.examples(_other(graph.sizes, tries[0])))
    except Exception:  # the network does not take other sizes
        tries = [{"batch"}]
    return [*tries, set()]


def program_of(network: nn.Module, graph: Graph, sizes: Sizes, names: set[str]) -> Program:
    """The program of a network, which runs at other sizes too where some are left free.

    Args:
        network: To be traced; computes what that of the graph does.
        graph: Says what the inputs are.
        sizes: In training.
        names: Of the sizes that are to be free if they can.

    Raises:
        Exception: Whatever torch.export raises where it cannot, or what is free only by its looks.
    """
    program = _traced(network, graph, sizes, names)
    most = _most(program, graph, names)
    if not most:
        return Program(program, {}, [sizes])
    run, other = program.module(), _other(sizes, set(most))
    run(*graph.examples(other))
    steps = [name for name in most if name not in (*LARGER, "batch")]
    one = {"batch": 1} if "batch" in most else {}
    for number in LEAST:
        least = {**sizes, **one, **dict.fromkeys(steps, number)}
        try:
            run(*graph.examples(least))
        except Exception:
            if number == LEAST[-1] or not steps:
                raise
        else:
            break
    free = {n: (1 if n in LARGER else least[n], limit) for n, limit in most.items()}
    return Program(program, free, [sizes, other, least])


def _other(sizes: Sizes, free: set[str]) -> Sizes:
    """Other sizes than in training, where they are free: larger pictures, fewer steps, 5 rows."""
    changed = {name: size // 2 + 1 for name, size in sizes.items()} | {"batch": ROWS}
    changed |= {name: sizes[name] + more for name, more in LARGER.items() if name in sizes}
    return {name: changed[name] if name in free else size for name, size in sizes.items()}


def _traced(network: nn.Module, graph: Graph, sizes: Sizes, names: set[str]) -> ExportedProgram:
    """The program of a network; what fixes its sizes in Python is read more thoroughly.

    Free sizes of pictures are larger then, and odd: tracing takes a map of one pixel, or one whose
    halves are whole, for something that always is so.
    """
    shapes = tuple(
        {place: Dim.AUTO if size in names else Dim.STATIC for place, size in enumerate(each.shape)}
        for each in graph.inputs
    )
    odd = {name: sizes[name] + more for name, more in ODD.items() if name in names}
    given = graph.examples({**sizes, **odd})
    try:
        program = torch.export.export(network, given, dynamic_shapes=shapes)
        if "batch" not in names or "batch" in _most(program, graph, names):
            return program
    except Exception:  # as of what reads only the thorough way
        if "batch" not in names:
            raise
    return torch.export.export(network, given, dynamic_shapes=shapes, strict=True)


def _most(program: ExportedProgram, graph: Graph, names: set[str]) -> dict[str, int | None]:
    """The sizes that a program leaves free in all of its inputs, with the most of each."""
    inputs = [node for node in program.graph.nodes if node.op == "placeholder"]
    shapes = {node.name: node.meta["val"].shape for node in inputs if "val" in node.meta}
    ranges = {str(symbol): limits for symbol, limits in program.range_constraints.items()}
    found: dict[str, int | None] = {}
    fixed: set[str] = set()
    for name, each in zip(program.graph_signature.user_inputs, graph.inputs, strict=True):
        for size, own in zip(shapes[str(name)], each.shape, strict=True):
            limits = ranges.get(str(size))
            if limits is None:
                fixed.add(str(own))
            elif own in names:
                found[str(own)] = int(limits.upper) if limits.upper < 2**31 else None
    return {name: most for name, most in found.items() if name not in fixed}
