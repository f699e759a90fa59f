"""Trained models that come with the zoo: small ones, trained on generated stand-ins, to try.

`python -m scripts.results --ship` trains them.
"""

from pathlib import Path

FOLDER = Path(__file__).parents[1] / "trained"
SUFFIX = ".safetensors"


def shipped() -> list[str]:
    """Their names: each is that of its recipe."""
    return sorted(path.stem for path in FOLDER.glob(f"*{SUFFIX}"))


def resolved(path: Path) -> Path:
    """The file of a shipped model where `path` is its name, and no such file lies here."""
    bare = path.name == str(path) and not path.suffix and not path.exists()
    own = FOLDER / f"{path.name}{SUFFIX}"
    return own if bare and own.is_file() else path
