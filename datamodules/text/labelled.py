"""Texts and their classes: by the folders that they lie in, or by a list of them."""

from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

from datamodules.files.class_folders import by_class
from datamodules.files.errors import CorpusError
from datamodules.files.file_paths import DAMAGE, FilePath, files_in, why
from datamodules.files.text import composed
from datamodules.tables.lists import (
    LABELS,
    SPLITS,
    column_of,
    known_column,
    label_in,
    part_in,
    refuse_joined,
    rows_of,
)
from datamodules.text.folders import MOST_BYTES, text_of

TEXTS = ("text", "sentence", "review", "content", "body", "message", "document", "comment")


class NamedText(NamedTuple):
    """A text of a class.

    Attributes:
        where: Where the text is, as errors name it.
        text: All of it.
        label: Name of its class.
    """

    where: str
    text: str
    label: str


def by_folder(place: Path) -> dict[str, list[NamedText]]:
    """Reads `<class>/...` or `{train,val,test}/<class>/...` of a folder or a zip.

    Returns:
        The texts of each part that is there; of train alone where there are no parts.

    Raises:
        CorpusError: A text lies in no folder of a class, is empty or no text; or there is none.
    """
    divided = by_class(place, _named_files(place), "text")
    return {
        part: [NamedText(str(file), _content(file), label) for file, label in found]
        for part, found in divided.items()
    }


def _named_files(place: Path) -> Iterator[tuple[str, FilePath]]:
    """Yields the files of a folder or a zip by their names within it, without hidden ones."""
    for file in files_in(place):
        name = file.member or file.path.relative_to(place).as_posix()
        hidden = any(part.startswith((".", "__MACOSX")) for part in name.split("/"))
        if not hidden and not name.endswith("/"):  # a folder of a zip
            yield name, file


def _content(file: FilePath) -> str:
    try:
        with closing(file.open()) as opened:
            return text_of(str(file), opened.read(MOST_BYTES + 1))
    except DAMAGE as error:
        raise CorpusError(f"{file}: cannot be read ({why(error)})") from error


def by_list(
    path: Path, text_column: str | None = None, label_column: str | None = None
) -> dict[str, list[NamedText]]:
    """Reads a CSV, TSV, JSON or JSONL file of texts and their classes.

    JSON is a list of objects, or one object {text: label}.

    Args:
        path: The list.
        text_column: Column of the texts; by default known by its name, or the only other.
        label_column: Column of the classes; likewise.

    Returns:
        The texts of each part that a column `split` names; of train alone without one.

    Raises:
        CorpusError: A row is wrong; names the file and the line.
    """
    rows = rows_of(path, "text")
    columns = list(rows[0][1])
    split = known_column(columns, SPLITS)
    rest = [name for name in columns if name not in (split, label_column)]
    labelled = known_column(rest, LABELS)
    texts = _text_column(path, [name for name in rest if name != labelled], text_column)
    rest = [name for name in columns if name not in (texts, split)]
    labels = column_of(path, columns, label_column, LABELS, "label_column", rest)
    divided: dict[str, list[NamedText]] = {}
    for where, row in rows:
        text, label = _text_in(where, row.get(texts)), label_in(where, row.get(labels), "text")
        divided.setdefault(part_in(where, row, split), []).append(NamedText(where, text, label))
    found = (each for part in divided.values() for each in part)
    refuse_joined(((each[0], each[2]) for each in found), "text")
    return divided


def texts_to_predict(path: Path, text_column: str | None = None) -> list[tuple[str, str]]:
    """Returns where each text of a list is, and the text; an empty one where a row has none."""
    rows = rows_of(path, "text")
    columns = list(rows[0][1])
    given = text_column if text_column in columns else None
    rest = [name for name in columns if name != known_column(columns, LABELS)]
    texts = _text_column(path, rest, given)
    found = [(where, row.get(texts)) for where, row in rows]
    return [(where, composed(text) if isinstance(text, str) else "") for where, text in found]


def _text_column(path: Path, columns: Sequence[str], given: str | None) -> str:
    return column_of(path, columns, given, TEXTS, "text_column", columns)


def _text_in(where: str, value: object) -> str:
    if not isinstance(value, str) or not value.strip():
        raise CorpusError(f"{where}: there is no text")
    return composed(value)
