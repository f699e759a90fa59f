"""Pictures found by the names that lists give them, which other machines and tools wrote."""

import unicodedata
from collections import defaultdict
from collections.abc import Iterator, Mapping
from urllib.parse import unquote

from datamodules.files.class_folders import PARTS
from datamodules.files.file_paths import FilePath

Parts = tuple[str, ...]


class PictureNames:
    """The pictures of a folder or a zip, by their names in a list.

    A name may be a path of another machine, with slashes or backslashes, of which the end is the
    picture's path here, or the end of it; in other case, or escaped as in an address.

    Args:
        pictures: Pictures by their paths within a folder or a zip.
    """

    def __init__(self, pictures: Mapping[str, FilePath]) -> None:
        self._exact = pictures
        self._alike: defaultdict[str, list[tuple[Parts, FilePath]]] = defaultdict(list)
        for name, picture in self._exact.items():
            parts = _parts(name)
            self._alike[parts[-1]].append((parts, picture))

    def find(self, name: str) -> FilePath | None:
        """Returns the picture of a name, or none if there is none or more than one."""
        if name in self._exact:
            return self._exact[name]
        for wanted in (_parts(name), _parts(unquote(name))):
            alike = self._alike[wanted[-1]] if wanted else []
            whole = [each for each in alike if _ends(wanted, each[0])]
            found = whole or [each for each in alike if _ends(each[0], wanted)]
            deepest = max((len(parts) for parts, _ in found), default=0)
            longest = [picture for parts, picture in found if len(parts) == deepest]
            chosen = longest if whole else [picture for _, picture in found]
            if len(chosen) == 1:
                return chosen[0]
        return None


def endings_of(name: str) -> Iterator[str]:
    """Yields a path, then what is left of it without its first folders, one after another.

    Folders that are called like a part stay: what is in train is not in another.
    """
    parts = [part for part in name.replace("\\", "/").split("/") if part not in ("", ".", "..")]
    for start in range(len(parts)):
        yield "/".join(parts[start:])
        if parts[start].lower() in PARTS:
            return


def _parts(name: str) -> Parts:
    """Folders and file of a path, without those that lead upwards; one text for all spellings."""
    folded = unicodedata.normalize("NFC", name).casefold().replace("\\", "/").split("/")
    return tuple(part for part in folded if part not in ("", ".", ".."))


def _ends(parts: Parts, end: Parts) -> bool:
    return parts[-len(end) :] == end
