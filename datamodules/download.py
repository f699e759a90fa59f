"""Files from elsewhere, fetched, adopted or unpacked: whole under the final name, or not there."""

import gzip
import hashlib
import io
import os
import shutil
import stat
import tarfile
import zipfile
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path, PureWindowsPath
from typing import IO, Any
from urllib.parse import urljoin, urlsplit

from filelock import FileLock
from pooch import HTTPDownloader
from rich.console import Console
from rich.progress import DownloadColumn, Progress

from datamodules.errors import CorpusError

CHUNK = 1 << 20
LOOPBACK = ("127.0.0.1", "localhost", "::1")
Members = Generator[tuple[str, bool, IO[bytes] | None], None, None]


@dataclass(frozen=True)
class RemoteFile:
    """A file of a corpus: its `name` under the root, mirrors in order, digest and bytes."""

    name: str
    urls: tuple[str, ...]
    sha256: str
    size: int


def fetch(file: RemoteFile, root: Path, *, progress: bool = False, timeout: float = 30) -> Path:
    """Returns the path of the file under `root`, downloaded unless it is there and right.

    `progress` draws a bar on stderr; `timeout` is how many seconds a mirror may stay silent.

    Raises:
        CorpusError: No mirror gave the right file, or it cannot be written.
    """
    target = root / file.name
    if not _fault(file, target):
        return target
    with _staged(target) as part:
        if not _fault(file, target):  # another process was quicker
            return target
        reasons = []
        for url in file.urls:
            try:
                _download(url, file, part, progress, timeout)
                if fault := _fault(file, part):
                    raise CorpusError(f"what it sent {fault}")
                return target
            except Exception as error:  # whatever one mirror does, the next is asked
                part.unlink(missing_ok=True)
                reasons.append(f"{urlsplit(url).hostname}: {_reason(error)}")
        raise CorpusError(
            f"{file.name}: no mirror gave it ({'; '.join(reasons) or 'none is known'}); "
            f"put a copy fetched by hand at {target}"
        )


def adopt(file: RemoteFile, source: Path, root: Path) -> Path:
    """Copies a file fetched by hand to its place under `root`.

    Raises:
        CorpusError: It is not the file wanted, or cannot be read or copied.
    """
    try:
        found = _digest(source)
    except OSError as error:
        raise CorpusError(f"{source}: cannot be read ({_reason(error)})") from error
    if found != file.sha256:
        name = Path(file.name).name
        raise CorpusError(f"{source}: not {name}: its sha256 is {found}, not {file.sha256}")
    target = root / file.name
    if not _fault(file, target):
        return target
    with _staged(target) as part:
        with source.open("rb") as original, part.open("xb") as copy:
            shutil.copyfileobj(original, copy, CHUNK)
            _flush(copy)
        if fault := _fault(file, part):
            raise CorpusError(f"{source}: the copy {fault}")
    return target


def extract(archive: Path, target: Path, *, max_bytes: int, max_files: int) -> Path:
    """Unpacks a .zip, .tar, .tar.gz or .tgz as the folder `target`, unless that exists.

    Nothing in the archive is trusted: only plain files and folders inside `target` are written,
    with default permissions, and the bytes are counted as they come.

    Raises:
        CorpusError: The archive is damaged, hostile or larger than allowed, or cannot be written.
    """
    if target.exists():
        return target
    with _staged(target) as part:
        if target.exists():  # another process was quicker
            return target
        part.mkdir()
        name, room = "", max_bytes
        try:
            with closing(_members(archive)) as members:
                for count, (name, plain, content) in enumerate(members, start=1):
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
            raise CorpusError(f"{where}: cannot be unpacked ({_reason(error)})") from error
    return target


@contextmanager
def _staged(target: Path) -> Iterator[Path]:
    """Locks `target` and hands out a place beside it: what stands there at the end becomes it."""
    part = target.with_name(f".{target.name}.part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(target.with_name(f".{target.name}.lock")):
            _sweep(part)
            try:
                yield part
                if part.exists():
                    part.replace(target)
            finally:
                _sweep(part)
    except OSError as error:
        raise CorpusError(f"{target}: cannot be written ({_reason(error)})") from error


def _sweep(part: Path) -> None:
    if part.is_dir() and not part.is_symlink():
        shutil.rmtree(part)
    else:
        part.unlink(missing_ok=True)


def _flush(file: IO[bytes]) -> None:
    """Sends the bytes to the disk, so that a name never outlives a power cut without them."""
    file.flush()
    os.fsync(file.fileno())


def _fault(file: RemoteFile, path: Path) -> str:
    """Says in what `path` differs from the file wanted; nothing where it does not."""
    if not path.is_file():
        return "is not there"
    if (size := path.stat().st_size) != file.size:
        return f"has {size:,} bytes, not {file.size:,}"
    if (digest := _digest(path)) != file.sha256:
        return f"has the sha256 {digest}, not {file.sha256}"
    return ""


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _reason(error: Exception) -> str:
    """A failure in a few words: what requests says of one fills a screen."""
    if status := getattr(getattr(error, "response", None), "status_code", None):
        return f"HTTP {status}"
    if isinstance(error, OSError):
        return error.strerror or type(error).__name__
    return " ".join(str(error).split()) or type(error).__name__


def _download(url: str, file: RemoteFile, part: Path, progress: bool, timeout: float) -> None:
    _refuse_plain(url)
    get = HTTPDownloader(
        chunk_size=1 << 16,
        timeout=timeout,
        headers={"Accept-Encoding": "identity"},
        hooks={"response": _inspect},
    )
    columns = (*Progress.get_default_columns(), DownloadColumn())
    console = Console(stderr=True)
    with Progress(*columns, console=console, disable=not (progress and console.is_terminal)) as bar:
        task = bar.add_task(Path(file.name).name, total=file.size)
        with _Bounded(part, file.size, lambda count: bar.advance(task, count)) as output:
            get(url, output, None)
            _flush(output)


class _Bounded(io.BufferedWriter):
    """The file that a mirror fills, and cannot overfill; `advance` hears of every write."""

    def __init__(self, path: Path, size: int, advance: Callable[[int], None]) -> None:
        super().__init__(io.FileIO(path, "x"))
        self.size = size
        self.advance = advance

    def write(self, chunk: Any) -> int:
        if self.tell() + len(chunk) > self.size:
            raise CorpusError(f"it sends more than {self.size:,} bytes")
        self.advance(len(chunk))
        return super().write(chunk)


def _inspect(response: Any, **_: Any) -> None:
    """Stops a redirect to plain http before it is followed, and leaves a .gz packed."""
    goal = urljoin(response.url, response.headers.get("location", ""))
    _refuse_plain(goal, loopback=urlsplit(response.url).scheme == "http")
    # Many servers mark a .gz as an encoding of its content, which urllib3 would undo.
    response.raw.headers.pop("content-encoding", None)


def _refuse_plain(url: str, loopback: bool = True) -> None:
    """Allows https, and http where nobody can listen in."""
    parts = urlsplit(url)
    if parts.scheme == "https":
        return
    if not (loopback and parts.scheme == "http" and parts.hostname in LOOPBACK):
        raise CorpusError(f"{parts.scheme}://{parts.hostname} refused, only https is allowed")


def _members(archive: Path) -> Members:
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
