"""Bundled checkpoints: small models, trained on the real corpora, to try the zoo with.

`python -m scripts.results --ship` trains them.
"""

from pathlib import Path

FOLDER = Path(__file__).parents[1] / "trained"
SUFFIX = ".safetensors"


def bundled() -> list[str]:
    """Returns the names of the bundled checkpoints, which are those of their recipes."""
    return sorted(path.stem for path in FOLDER.glob(f"*{SUFFIX}"))


def resolved(path: Path) -> Path:
    """Returns the file of a bundled checkpoint if `path` is its name and no such file exists."""
    bare = path.name == str(path) and not path.suffix and not path.exists()
    own = FOLDER / f"{path.name}{SUFFIX}"
    return own if bare and own.is_file() else path
