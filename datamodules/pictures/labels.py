"""Pictures of which a table says what they show: a row for each, its id and its label."""

from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from pathlib import Path
from reprlib import repr as in_short

from datamodules.files.errors import CorpusError
from datamodules.files.file_paths import FilePath
from datamodules.tables.reading import Layout, read_table


def labelled(
    path: Path,
    column: str,
    labels: Sequence[str],
    pictures: Sequence[FilePath],
    *,
    all_there: bool = True,
) -> Iterator[tuple[FilePath, int]]:
    """The picture and the class of each row of a table.

    Args:
        path: The table, with the columns id (the picture's name without ending) and `column`.
        column: Column of the labels.
        labels: Names of the classes.
        pictures: Pictures that exist.
        all_there: Whether a row without a picture is a fault; else it is left out.

    Raises:
        CorpusError: A row is wrong, with file and line; or there is no picture at all.
    """
    table = read_table(path, Layout(), ("id", column))
    found = {picture.name: picture for picture in pictures}
    classes = {label: index for index, label in enumerate(labels)}
    first: dict[str, int] = {}
    rows = zip(table.lines, table.columns["id"], table.columns[column], strict=True)
    for line, name, label in rows:
        where = f"{path}, line {line}"
        if "/" in name or "\\" in name or name.strip(".") == "":
            raise CorpusError(f"{where}: {_shown(name)} is not the name of a picture")
        if name in first:
            raise CorpusError(f"{where}: {_shown(name)} is in line {first[name]} already")
        if label not in classes:
            near = get_close_matches(label, labels, n=1)
            hint = f" (did you mean {near[0]}?)" if near else ""
            raise CorpusError(f"{where}: no {column} is called {_shown(label)}{hint}")
        first[name] = line
        if name in found:
            yield found[name], classes[label]
        elif all_there:
            raise CorpusError(f"{where}: there is no picture of the id {_shown(name)}")
    if not found.keys() & first.keys():
        raise CorpusError(f"{path}: there is a picture of none of its {len(first):,} rows")


def _shown(name: str) -> str:
    """A name out of a file, short and on one line."""
    return repr(name) if len(name) <= 60 else in_short(name)
