"""Text files as they lie in folders and archives, read line by line."""

from pathlib import Path

from datamodules.files.errors import CorpusError
from datamodules.files.places import read_file


def read_text(place: Path) -> str:
    r"""The content of a UTF-8 text file, or of one in a zip; \n ends its lines, a mark is left out.

    Args:
        place: A file, or `texts.zip!text.txt`.

    Raises:
        CorpusError: It cannot be read, is empty or no UTF-8 text; names the file and the line.
    """
    content = read_file(place)
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = _lines(error.object[: error.start].decode()).count("\n") + 1
        raise CorpusError(f"{place}, line {line}: not UTF-8 text") from error
    text = _lines(text)
    if "\0" in text:
        line = text.partition("\0")[0].count("\n") + 1
        raise CorpusError(f"{place}, line {line}: not text: there is a NUL byte")
    if not text.strip():
        raise CorpusError(f"{place}: empty: there is no text")
    return text


def _lines(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")
