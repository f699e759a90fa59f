"""Files in folders that name their classes, and perhaps above them their parts."""

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from datamodules.files.errors import CorpusError
from datamodules.files.file_paths import FilePath

PARTS = {  # what people call the parts of a corpus
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("val", "valid", "validation", "dev"), "val"),
    **dict.fromkeys(("test", "testing"), "test"),
}


def by_class(
    place: Path, named: Iterable[tuple[str, FilePath]], unit: str
) -> dict[str, list[tuple[FilePath, str]]]:
    """Tells classes and parts by `<class>/...` or `{train,val,test}/<class>/...`.

    Folders around those are looked through, as a zip of a folder has one.

    Args:
        place: The folder or the zip.
        named: Names of its files from there, and the files.
        unit: What a file is called.

    Returns:
        The files of each part that is there, and their classes; of train alone without parts.

    Raises:
        CorpusError: A file lies in no folder of a class, or there is none.
    """
    found = [(tuple(name.split("/")), file) for name, file in named]
    if not found:
        raise CorpusError(f"{place}: there are no {unit}s in it")
    names = _firsts(found)
    while len(names) == 1 and not _parts(names) and all(len(parts) > 2 for parts, _ in found):
        found = [(parts[1:], file) for parts, file in found]
        names = _firsts(found)
    divided: dict[str, list[tuple[FilePath, str]]] = {}
    by_part = _parts(names)
    for parts, file in found:
        part = PARTS.get(parts[0].lower()) if by_part else "train"
        inside = parts[1:] if by_part else parts
        if part is None:
            raise CorpusError(f"{file}: it lies in none of the folders {', '.join(by_part)}")
        if len(inside) < 2:
            raise CorpusError(
                f"{file}: it lies in no folder of a class; wanted {place}/<class>/<{unit}>, "
                f"{place}/train/<class>/<{unit}>, or a list of {unit}s and labels: "
                "--data.path a.csv"
            )
        divided.setdefault(part, []).append((file, inside[0]))
    return divided


def _firsts(found: Iterable[tuple[tuple[str, ...], FilePath]]) -> list[str]:
    return sorted({parts[0] for parts, _ in found})


def _parts(names: Iterable[str]) -> list[str]:
    """The names that are those of parts, if train or all of them are."""
    parts = [name for name in names if name.lower() in PARTS]
    trains = any(PARTS[name.lower()] == "train" for name in parts)
    return parts if trains or len(parts) == len(list(names)) else []


def counted(labels: Iterable[str]) -> str:
    """Says how many rows the largest and the smallest class have, if that is far apart."""
    counts = Counter(labels).most_common()
    (most, many), (least, few) = counts[0], counts[-1]
    return f"; from {few:,} ({least}) to {many:,} ({most}) a class" if many >= 3 * few else ""
