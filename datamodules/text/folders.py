"""Texts in folders that name their classes, in a folder or within a tar that is read in place."""

import re
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from datamodules.files.archives import members
from datamodules.files.errors import CorpusError
from datamodules.files.file_paths import files_in, why
from datamodules.files.text import composed

MOST_BYTES = 1 << 20  # of a text


class LabelledText(NamedTuple):
    """A text of a class.

    Attributes:
        place: Path of the text, as errors name it.
        label: The index of its folder.
        text: All of it.
    """

    place: str
    label: int
    text: str


def texts_in(
    place: Path, part: str, folders: Sequence[str], unlabelled: Sequence[str] = ()
) -> list[LabelledText]:
    """The texts of `<place>/<part>/<folder>/*.txt`: folder after folder, 9.txt before 10.txt.

    Args:
        place: A folder, or a tar in which those folders are, at any depth.
        part: train or test.
        folders: Folders of the classes, in the order of their labels.
        unlabelled: Folders that are left out.

    Raises:
        CorpusError: Something cannot be read, is empty or no UTF-8 text; a class is missing, or is
            none of the corpus. It names the file.
    """
    found: list[tuple[int, list[int], str, LabelledText]] = []
    others = set()
    for folder, name, where, content in _files(place, part, folders):
        if folder in folders:
            label = folders.index(folder)
            numbers = [int(number) for number in re.findall(r"\d+", name)]
            text = LabelledText(where, label, text_of(where, content))
            found.append((label, numbers, name, text))
        elif folder not in unlabelled:
            others.add(folder)
    if others:
        raise CorpusError(
            f"{place}: wanted {part}/{f' and {part}/'.join(folders)}, and found texts in folders "
            f"called: {', '.join(sorted(others))}"
        )
    for label, folder in enumerate(folders):
        if all(row[0] != label for row in found):
            raise CorpusError(f"{place}: there are no texts in {part}/{folder}/")
    return [row[-1] for row in sorted(found)]


def _files(place: Path, part: str, folders: Sequence[str]) -> Iterator[tuple[str, str, str, bytes]]:
    """Of each text of a part: its folder, its name, where it is, and its content if wanted."""
    if place.is_dir():
        for file in files_in(place / part):
            inside = file.path.relative_to(place / part)
            if len(inside.parts) == 2 and _is_text(inside.name):
                content = _content(file.path) if file.folder in folders else b""
                yield file.folder, inside.name, str(file), content
        return
    try:
        with closing(members(place)) as found:
            for member, _, opened in found:
                _, upper, folder, name = ("", "", "", "", *PurePosixPath(member).parts)[-4:]
                if opened is not None and upper == part and _is_text(name):
                    content = opened.read(MOST_BYTES + 1) if folder in folders else b""
                    yield folder, name, f"{place}!{member}", content
    except Exception as error:  # tarfile, gzip and zlib answer a bad byte in a dozen ways
        raise CorpusError(f"{place}: cannot be read ({why(error)})") from error


def _is_text(name: str) -> bool:
    return name.endswith(".txt") and not name.startswith(".")


def _content(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(MOST_BYTES + 1)
    except OSError as error:
        raise CorpusError(f"{path}: cannot be read ({why(error)})") from error


def text_of(where: str, content: bytes) -> str:
    """Returns the text of a small file.

    Raises:
        CorpusError: It is too large, empty or no UTF-8 text; names the file.
    """
    if len(content) > MOST_BYTES:
        raise CorpusError(f"{where}: over {MOST_BYTES:,} bytes are too many for a text")
    try:
        text = composed(content.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise CorpusError(f"{where}: not UTF-8 text (byte {error.start + 1:,})") from error
    if not text.strip():
        raise CorpusError(f"{where}: empty: there is no text")
    return text
