"""A network as a program of torch.export or as ONNX, compared with what it was made from."""

import logging
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from importlib.util import find_spec
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from zoo.errors import InputError
from zoo.export.program import Program, program_of, wanted
from zoo.export.recurrent import as_onnx, packing, prepare
from zoo.export.signature import Graph, Sizes

TOLERANCE = 1e-4
ONNX_PACKAGES = ("onnx", "onnxscript", "onnxruntime")
ONNX_MOST = 2**31 - 2**20  # bytes of a file of protobuf
OPSETS = (18, 23)  # what the exporter writes
METADATA = "zoo.json"  # in a program's file
NOISY = ("torch", "onnxscript", "onnx_ir", "onnx_ir.passes", "onnxruntime")

Run = Callable[..., list[Tensor]]


class Exported(NamedTuple):
    """A graph in a file.

    Attributes:
        free: The sizes that are not fixed: the least, but for pictures, and the most if any.
        difference: The greatest of any output value from the module's, over all examples.
        sizes: Of the examples.
    """

    free: dict[str, tuple[int, int | None]]
    difference: float
    sizes: list[Sizes]


def export_graph(
    graph: Graph,
    rebuilt: Callable[[Any], Graph],
    model: Any,
    path: Path,
    *,
    onnx: bool,
    opset: int | None,
    static: bool,
    metadata: str,
) -> Exported:
    """Writes a graph, with as many free sizes as it can have, and compares it with the module.

    Args:
        graph: What is exported.
        rebuilt: Makes the graph of another model of the same kind.
        model: Of the graph; it stays as it is.
        path: Where to; what lies there is replaced.
        onnx: As ONNX, or else as a program of torch.export.
        opset: Of ONNX; by default the exporter's.
        static: Whether all sizes are fixed, for one row.
        metadata: What the file keeps of the corpus, as JSON.

    Raises:
        InputError: It cannot be exported, or computes something else; nothing is left at `path`.
    """
    copy = deepcopy(model)
    packed = packing(model, lambda: graph.network(*graph.examples(graph.sizes)))
    prepare(copy, packed, as_operators=onnx)
    network = rebuilt(copy).network.eval()
    reasons = []
    for names in [set[str]()] if static else wanted(graph):
        sizes = {**graph.sizes, "batch": 1} if static else graph.sizes
        try:
            with quiet():
                made = program_of(network, graph, sizes, names)
                if onnx:
                    run = save_onnx(made, graph, path, metadata, opset)
                else:
                    run = save_program(made, path, metadata)
                difference = compared(graph, run, made.sizes)
        except (InputError, OSError):  # the disk is full
            path.unlink(missing_ok=True)
            raise
        except Exception as error:  # of an exporter: anything
            reasons.append(" ".join(f"{type(error).__name__}: {error}".split())[:200])
            continue
        if difference <= TOLERANCE:
            return Exported(made.free, difference, made.sizes)
        reasons.append(f"its outputs differ by {difference:.3g} from the module's")
    path.unlink(missing_ok=True)
    raise InputError(f"no graph could be made ({reasons[-1]}): --format safetensors keeps it")


def save_program(made: Program, path: Path, metadata: str) -> Run:
    """Writes a program; returns what runs it, as it was read again."""
    try:
        module = _rewritten(made.program, path, metadata)
    except Exception:  # as of what turns gradients off within: decomposing takes that out
        module = _rewritten(made.program.run_decompositions({}), path, metadata)

    def run(*inputs: Tensor) -> list[Tensor]:
        found = module(*inputs)
        return list(found) if isinstance(found, tuple | list) else [found]

    return run


def _rewritten(program: Any, path: Path, metadata: str) -> Any:
    """The module of a program that was written and read again."""
    written = (
        BytesIO()
    )  # a file on a disk that is full would end the process by an exception in C++
    torch.export.save(program, written, extra_files={METADATA: metadata})
    path.write_bytes(written.getbuffer())
    written.seek(0)
    return torch.export.load(written).module()


def save_onnx(made: Program, graph: Graph, path: Path, metadata: str, opset: int | None) -> Run:
    """Writes ONNX; returns what runs it by ONNX Runtime.

    Raises:
        InputError: It is too large for one file.
    """
    import onnxruntime

    size = sum(t.numel() * t.element_size() for t in made.program.state_dict.values())
    if size > ONNX_MOST:
        raise InputError(f"a file of ONNX holds 2 GB, not {size:,} bytes: --format export")
    exported: Any = torch.onnx.export(
        made.program,
        dynamo=True,
        verbose=False,
        opset_version=opset,
        input_names=[each.name for each in graph.inputs],
        output_names=list(graph.outputs),
        dynamic_shapes=tuple(
            {place: size for place, size in enumerate(each.shape) if size in made.free}
            for each in graph.inputs
        ),
        custom_translation_table={torch.ops.zoo.recurrence.default: as_onnx},
    )
    exported.model.metadata_props["zoo"] = metadata
    exported.save(path, external_data=False)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = torch.get_num_threads()
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])

    def run(*inputs: Tensor) -> list[Tensor]:
        given = {each.name: part.numpy() for each, part in zip(graph.inputs, inputs, strict=True)}
        return [torch.from_numpy(found) for found in session.run(list(graph.outputs), given)]

    return run


@torch.no_grad()
def compared(graph: Graph, run: Run, sizes: list[Sizes]) -> float:
    """The greatest difference of a graph's outputs from the module's, at several sizes.

    Relative to the largest output where that is over 1, for float32 rounds relative to it. A value
    that is not a number differs without bounds.
    """
    greatest = 0.0
    for seed, some in enumerate(sizes):
        inputs = graph.examples(some, seed)
        expected = graph.network(*inputs)
        parts = expected if isinstance(expected, tuple) else (expected,)
        for found, part in zip(run(*inputs), parts, strict=True):
            same = found.shape == part.shape
            apart = float((found - part).abs().max()) if same else torch.inf
            apart /= max(1.0, float(part.abs().max()))
            greatest = max(greatest, apart if apart == apart else torch.inf)
    return greatest


def refuse_missing_packages() -> None:
    """Says what to install for ONNX.

    Raises:
        InputError: A package is missing.
    """
    missing = [name for name in ONNX_PACKAGES if find_spec(name) is None]
    if missing:
        raise InputError(
            f"--format onnx needs {', '.join(missing)}: pip install 'deep-learning-zoo[export]'"
        )


@contextmanager
def quiet() -> Iterator[None]:
    """Silences the exporters, whose attempts may fail."""
    levels = {name: logging.getLogger(name).level for name in NOISY}
    for name in NOISY:
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for name, level in levels.items():
            logging.getLogger(name).setLevel(level)
