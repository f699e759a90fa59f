"""Text files as they lie in folders and archives, read line by line."""

import re
import unicodedata
from pathlib import Path

from datamodules.files.errors import CorpusError
from datamodules.files.file_paths import read_file

LINE_END = re.compile(r"\r\n?|\n")


def read_text(place: Path) -> str:
    r"""The content of a UTF-8 text file, or of one in a zip; \n ends its lines, a mark is left out.

    Letters with accents are composed; see `composed`.

    Args:
        place: A file, or `texts.zip!text.txt`.

    Raises:
        CorpusError: It cannot be read, is empty or no UTF-8 text; names the file and the line.
    """
    text = composed(LINE_END.sub("\n", decoded(place, read_file(place))))
    if not text.strip():
        raise CorpusError(f"{place}: empty: there is no text")
    return text


def read_lines(place: Path) -> list[str]:
    """Returns the lines of a text, without their ends; see `read_text`."""
    return read_text(place).removesuffix("\n").split("\n")


def composed(text: str) -> str:
    """Returns a text in Unicode's NFC, in which an accented letter is one character.

    Some systems write two, a letter and its accent: the same word would be another one.
    """
    return unicodedata.normalize("NFC", text)


def decoded(place: Path, content: bytes) -> str:
    """Returns the text of a content; its lines end as in the file, and a mark is left out.

    Args:
        place: Path that errors name.
        content: Bytes of the file.

    Raises:
        CorpusError: It is not UTF-8 text, or has a NUL byte; names the file and the line.
    """
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = _line(error.object[: error.start].decode())
        raise CorpusError(f"{place}, line {line}: not UTF-8 text") from error
    if "\0" in text:
        line = _line(text.partition("\0")[0])
        raise CorpusError(f"{place}, line {line}: not text: there is a NUL byte")
    return text


def _line(before: str) -> int:
    """Returns the number of the line that a text ends in."""
    return len(LINE_END.findall(before)) + 1
