"""export: a trained model as ONNX, a program of torch.export or safetensors, with a model card."""

import argparse
import hashlib
import json
from pathlib import Path
from shlex import quote
from typing import Any

from zoo.checkpoints import safetensors_file
from zoo.checkpoints.checkpoint import corpus_state, load, read, refuse_foreign
from zoo.cli.export.model_card import Card, size_of, text_of
from zoo.cli.report import plain_console
from zoo.errors import InputError
from zoo.export.formats import (
    OPSETS,
    Exported,
    export_graph,
    refuse_missing_packages,
)
from zoo.export.graph import graph_of
from zoo.export.signature import Graph
from zoo.files import written_whole
from zoo.version import zoo_version

SUFFIXES = {"onnx": ".onnx", "export": ".pt2", "safetensors": safetensors_file.SUFFIX}
TITLES = {
    "onnx": "ONNX",
    "export": "a program of torch.export",
    "safetensors": "safetensors",
}


def export(options: argparse.Namespace, overrides: list[str]) -> int:
    """Exports a checkpoint; a file that computes something else than the module is not kept.

    Raises:
        InputError: The checkpoint cannot be read or exported, an option does not fit, a package is
            missing, or a file cannot be written.
    """
    kind, source = options.format, Path(options.ckpt_path)
    if kind != "onnx" and options.opset is not None:
        raise InputError(f"--opset is of ONNX: leave it out, or take --format onnx, not {kind}")
    if kind == "safetensors" and options.static:
        raise InputError("--static is of graphs, and safetensors holds none: leave it out")
    if options.opset is not None and not OPSETS[0] <= options.opset <= OPSETS[1]:
        raise InputError(f"opset is {options.opset}; it has to be from {OPSETS[0]} to {OPSETS[1]}")
    if kind == "onnx":
        refuse_missing_packages()
    checkpoint = read(source)
    refuse_foreign(checkpoint, source, options.allow)
    path = place(source, options.output, SUFFIXES[kind])
    model: Any = load(source, allow=options.allow)
    with written_whole(path) as partial:
        if kind == "safetensors":
            with partial.open("wb") as file:
                file.writelines(safetensors_file.encode(checkpoint, source))
            lines = _kept_lines(path)
        else:
            lines = _exported(model, checkpoint, partial, options)
        digest = hashlib.sha256(partial.read_bytes()).hexdigest()
        card = Card(checkpoint, source, path, digest, size_of(model), lines)
        text = text_of(card)
    written = card.write(text)
    name = type(model).__name__
    shown = [f"{path}: {name} as {TITLES[kind]}, {path.stat().st_size:,} bytes"]
    shown += [f"{title + ':':<9} {text}" for title, text in [*lines, ("card", str(written))]]
    console = plain_console()
    console.print("\n".join(shown), soft_wrap=True)
    return 0


def place(source: Path, output: Path | None, suffix: str) -> Path:
    """Where the file goes: as asked, or `exports/` of the run, or beside a lone checkpoint.

    Raises:
        InputError: The name has another suffix, is the checkpoint's, or a folder's.
    """
    if output is not None and output.suffix != suffix:
        raise InputError(f"--output {output} has to end in {suffix}")
    run = source.parent.parent / "exports" if source.parent.name == "checkpoints" else source.parent
    path = output or run / f"{source.stem}{suffix}"
    if path.resolve() == source.resolve():
        raise InputError(f"{path}: the checkpoint itself: choose another name by --output")
    if path.is_dir():
        raise InputError(f"{path}: a folder: choose another name by --output")
    return path


def _kept_lines(path: Path) -> list[tuple[str, str]]:
    """What is said of safetensors."""
    return [
        ("holds", "the weights, and all that predicting needs; no optimizer, to train on from"),
        (
            "use",
            f"zoo predict --ckpt_path {quote(str(path))} ..., or in Python zoo.load({str(path)!r})",
        ),
    ]


def _exported(
    model: Any, checkpoint: dict[str, Any], path: Path, options: argparse.Namespace
) -> list[tuple[str, str]]:
    """Exports a graph; returns what is to be said of it."""
    source, model = options.ckpt_path, model.float()
    graph = graph_of(model, checkpoint, source)
    found = export_graph(
        graph,
        lambda other: graph_of(other, checkpoint, source),
        model,
        path,
        onnx=options.format == "onnx",
        opset=options.opset,
        static=options.static,
        metadata=_metadata(graph, checkpoint),
    )
    return _lines(graph, found, options)


def _metadata(graph: Graph, checkpoint: dict[str, Any]) -> str:
    """What a program that uses the graph has to know, as JSON: signature, vocabulary, labels ..."""
    record = {
        "zoo": checkpoint["zoo"].get("version"),
        "exported_by": zoo_version(),
        "class_path": checkpoint["zoo"]["class_path"],
        "inputs": {e.name: {"shape": e.shape, "meaning": e.meaning} for e in graph.inputs},
        "outputs": graph.outputs,
        "notes": graph.notes,
        "corpus": corpus_state(checkpoint),
    }
    return json.dumps(record, default=str)


def _lines(graph: Graph, found: Exported, options: argparse.Namespace) -> list[tuple[str, str]]:
    """What is said of a graph: what it takes and gives, what is free, how it was checked."""
    fixed = {n: s for n, s in found.sizes[0].items() if n not in found.free}
    lines = []
    for each in graph.inputs:
        shape = ", ".join(str(fixed.get(str(size), size)) for size in each.shape)
        shape += "," if len(each.shape) == 1 else ""
        lines.append(("input", f"{each.name} ({shape}): {each.meaning}"))
    lines += [("output", f"{name}: {meaning}") for name, meaning in graph.outputs.items()]
    lines += [("note", note) for note in graph.notes]
    free = [name + _limits(*limits) for name, limits in found.free.items()]
    sizes = f"free {', '.join(free) or 'none'}"
    if fixed:
        sizes += f"; fixed {', '.join(f'{name} {size}' for name, size in fixed.items())}"
    lines.append(("sizes", sizes))
    names = [each.name for each in graph.inputs]
    if options.format == "onnx":
        given = ", ".join(f'"{name}": {name}' for name in names)
        used = f"onnxruntime.InferenceSession(FILE).run(None, {{{given}}})"
    else:
        used = f"torch.export.load(FILE).module()({', '.join(names)})"
    lines.append(("use", used))
    by = "ONNX Runtime" if options.format == "onnx" else "torch"
    many = f"{len(found.sizes)} random batches" if found.free else "a random batch"
    checked = f"max difference {found.difference:.1e} from the module's outputs ({by}, {many})"
    return [*lines, ("checked", checked)]


def _limits(least: int, most: int | None) -> str:
    low = f" from {least}" if least > 1 else ""
    return low + (f" to {most:,}" if most is not None else "")
