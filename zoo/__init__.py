"""A zoo of the architectures of a deep-learning course, as Lightning modules.

    from zoo import LeNet, list_models, load

Nothing is imported until an architecture is asked for, and then only its module.
"""

from fnmatch import fnmatch
from typing import Any


def list_models(pattern: str = "*") -> list[str]:
    """Names of the architectures that match `pattern`, a shell pattern such as "*Net"."""
    from zoo.catalogue import architectures

    return [name for name in architectures() if fnmatch(name.lower(), pattern.lower())]


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
