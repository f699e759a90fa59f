"""The version, without importing anything heavy."""

from importlib.metadata import PackageNotFoundError, version

CHECKPOINT_FORMAT = 1  # raised where an older zoo could not read a checkpoint of this one


def zoo_version() -> str:
    """The installed version, or "unknown" in a checkout that is not installed."""
    try:
        return version("deep-learning-zoo")
    except PackageNotFoundError:
        return "unknown"
