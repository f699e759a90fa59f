"""A zoo of the architectures of a deep-learning course, as Lightning modules.

    from zoo import LeNet, create_model, list_models, load

Nothing is imported until an architecture is asked for, and then only its module.
"""

from fnmatch import fnmatch
from typing import Any


def list_models(pattern: str = "*") -> list[str]:
    """Names of the architectures that match `pattern`, a shell pattern such as "*Net"."""
    from zoo.catalogue import architectures

    return [name for name in architectures() if fnmatch(name.lower(), pattern.lower())]


def create_model(name: str, **arguments: Any) -> Any:
    """Builds an architecture with new weights.

        create_model("resnet", num_classes=7)

    Args:
        name: Name of the class, or of its module; case does not matter.
        arguments: Arguments of the class; `in_channels` is 3 where it is wanted and not given.

    Raises:
        zoo.errors.InputError: There is no such architecture; suggests the nearest.
    """
    from zoo.catalogue import architectures, definitions, imported
    from zoo.catalogue import arguments as arguments_of
    from zoo.cli.names import pick

    known = {d.class_path.split(".")[-2]: d for d in architectures().values()}
    definition = known.get(name.lower()) or architectures()[pick("model", name, architectures())]
    if arguments_of(definition, definitions()).get("in_channels") is False:
        arguments = {"in_channels": 3, **arguments}
    return imported(definition.class_path)(**arguments)


def load(checkpoint: Any, **options: Any) -> Any:
    """The trained model of a checkpoint; see `zoo.checkpoints.checkpoint.load`."""
    from zoo.checkpoints.checkpoint import load

    return load(checkpoint, **options)


def __dir__() -> list[str]:
    """What there is, for tab completion."""
    return [*globals(), "__version__", *list_models()]


def __getattr__(name: str) -> Any:
    """An architecture by its class name, or the version."""
    if name == "__version__":
        from zoo.version import zoo_version

        return zoo_version()

    from zoo.catalogue import architectures, imported

    definition = architectures().get(name) if name[:1].isupper() else None
    if definition is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return imported(definition.class_path)
