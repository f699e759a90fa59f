"""What is exported of an architecture: a network whose inputs mean something outside of the zoo.

Pictures are pixels in [0, 1]; the corpus's normalisation is part of the graph. Tokens are their
numbers in the vocabulary, features of tables as the corpus encodes them; both are said. Each family
says so in its own `graph.py`, which lies beside its task.
"""

from importlib import import_module
from importlib.util import find_spec
from typing import Any

from zoo.checkpoints.checkpoint import corpus_state, model_arguments
from zoo.errors import InputError
from zoo.export.inputs import TrainedModel, unknown
from zoo.export.signature import Graph


def graph_of(model: Any, checkpoint: dict[str, Any], path: Any) -> Graph:
    """Returns the graph of a model that was read from a checkpoint.

    Raises:
        InputError: There is none.
    """
    if model.not_exported:
        name = type(model).__name__
        raise InputError(f"{path}: {name} {model.not_exported}: --format safetensors keeps it")
    classes = type(model).__mro__
    packages = [cls.__module__.rpartition(".")[0] for cls in classes]
    rooms = [f"{package}.graph" for package in packages if package]
    room = next((name for name in rooms if find_spec(name)), None)
    if room is None:
        raise unknown(path, model)
    state = corpus_state(checkpoint) or {}
    trained = TrainedModel(model.eval(), state, model_arguments(checkpoint), path)
    return import_module(room).graph(trained)
