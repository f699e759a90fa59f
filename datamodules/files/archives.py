"""Archives, unpacked as if every one were hostile."""

import gzip
import stat
import tarfile
import zipfile
from collections.abc import Generator
from contextlib import closing
from pathlib import Path, PureWindowsPath
from typing import IO

from datamodules.files.errors import CorpusError
from datamodules.files.staging import reason, staged

CHUNK = 1 << 20
Members = Generator[tuple[str, bool, IO[bytes] | None], None, None]


def extract(archive: Path, target: Path, *, max_bytes: int, max_files: int) -> Path:
    """Unpacks a .zip, .tar, .tar.gz or .tgz as the folder `target`, unless that exists.

    Nothing in the archive is trusted: only plain files and folders inside `target` are written,
    with default permissions, and the bytes are counted as they come.

    Raises:
        CorpusError: The archive is damaged, hostile or larger than allowed, or cannot be written.
    """
    if target.exists():
        return target
    with staged(target) as part:
        if target.exists():  # another process was quicker
            return target
        part.mkdir()
        name, room = "", max_bytes
        try:
            with closing(members(archive)) as found:
                for count, (name, plain, content) in enumerate(found, start=1):
                    if count > max_files:
                        raise CorpusError(f"over {max_files:,} members")
                    if not plain:
                        raise CorpusError("a link or a device")
                    place = _place(name, part)
                    if content is None:
                        place.mkdir(parents=True, exist_ok=True)
                        continue
                    place.parent.mkdir(parents=True, exist_ok=True)
                    with content, place.open("xb") as file:
                        while chunk := content.read(CHUNK):
                            room -= len(chunk)
                            if room < 0:
                                raise CorpusError(f"over {max_bytes:,} bytes in all")
                            file.write(chunk)
        except Exception as error:  # zipfile, tarfile and zlib answer a bad byte in a dozen ways
            where = f"{archive}, member {name!r}" if name else f"{archive}"
            raise CorpusError(f"{where}: cannot be unpacked ({reason(error)})") from error
    return target


def members(archive: Path) -> Members:
    """Yields of each member its name, whether it is a plain file or folder, a file's content."""
    if archive.name.endswith(".zip"):
        return _zip_members(archive)
    if archive.name.endswith((".tar", ".tar.gz", ".tgz")):
        return _tar_members(archive)
    raise CorpusError("not a .zip, .tar, .tar.gz or .tgz")


def _zip_members(archive: Path) -> Members:
    with zipfile.ZipFile(archive) as opened:
        for info in opened.infolist():
            # The upper half is the Unix mode; 0 where the archive was made elsewhere.
            kind = stat.S_IFMT(info.external_attr >> 16)
            plain = kind in (0, stat.S_IFREG, stat.S_IFDIR)
            yield info.filename, plain, None if info.is_dir() else opened.open(info)


def _tar_members(archive: Path) -> Members:
    unpack = open if archive.name.endswith(".tar") else gzip.open
    with unpack(archive, "rb") as stream, tarfile.open(fileobj=stream, mode="r:") as opened:
        for info in opened:
            plain = info.isreg() or info.isdir()
            yield info.name, plain, opened.extractfile(info) if plain else None
        # tarfile takes a cut or damaged header for the end; the real end is a block of zeros.
        stream.seek(opened.offset)
        if stream.read(tarfile.BLOCKSIZE) != bytes(tarfile.BLOCKSIZE):
            raise tarfile.ReadError("the rest is missing")
        # Padding follows, and in a .gz the checksum, which is compared where the stream ends.
        if stream.read(CHUNK) and stream.read(1):
            raise tarfile.ReadError("something follows the end")


def _place(name: str, folder: Path) -> Path:
    # Windows' rules know both slashes and drives: what they find harmless is so everywhere.
    path = PureWindowsPath(name)
    if path.anchor or ".." in path.parts:
        raise CorpusError("leads out of the folder")
    return folder.joinpath(*path.parts)
