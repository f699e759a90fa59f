"""Files from elsewhere, fetched or adopted: whole under the final name, or not there."""

import hashlib
import io
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urljoin, urlsplit

from pooch import HTTPDownloader
from rich.console import Console
from rich.progress import DownloadColumn, Progress

from datamodules.files.errors import CorpusError
from datamodules.files.staging import flush, reason, staged

CHUNK = 1 << 20
LOOPBACK = ("127.0.0.1", "localhost", "::1")


@dataclass(frozen=True)
class RemoteFile:
    """A file of a corpus: its `name` under the root, mirrors in order, one digest and the bytes.

    Where only a sha1 is published, that binds; where no size is, `most` bounds the bytes.

    Raises:
        ValueError: There is not one digest, or not one number of bytes.
    """

    name: str
    urls: tuple[str, ...]
    sha256: str = ""
    size: int | None = None
    sha1: str = ""
    most: int | None = None

    def __post_init__(self) -> None:
        if bool(self.sha256) == bool(self.sha1):
            raise ValueError(f"{self.name}: wanted a sha256 or a sha1")
        if (self.size is None) == (self.most is None):
            raise ValueError(f"{self.name}: wanted its size or a bound of it")

    @property
    def algorithm(self) -> Literal["sha256", "sha1"]:
        """Of the digest."""
        return "sha256" if self.sha256 else "sha1"

    @property
    def digest(self) -> str:
        return self.sha256 or self.sha1

    @property
    def bound(self) -> int:
        """Most bytes that a mirror may send."""
        return self.size or self.most or 0


def fetch(file: RemoteFile, root: Path, *, progress: bool = False, timeout: float = 30) -> Path:
    """Returns the path of the file under `root`, downloaded unless it is there and right.

    `progress` draws a bar on stderr; `timeout` is how many seconds a mirror may stay silent.

    Raises:
        CorpusError: No mirror gave the right file, or it cannot be written.
    """
    target = root / file.name
    if not _fault(file, target):
        return target
    with staged(target) as part:
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
                reasons.append(f"{urlsplit(url).hostname}: {reason(error)}")
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
        found = _digest(file, source)
    except OSError as error:
        raise CorpusError(f"{source}: cannot be read ({reason(error)})") from error
    if found != file.digest:
        name, kind = Path(file.name).name, file.algorithm
        raise CorpusError(f"{source}: not {name}: its {kind} is {found}, not {file.digest}")
    target = root / file.name
    if not _fault(file, target):
        return target
    with staged(target) as part:
        with source.open("rb") as original, part.open("xb") as copy:
            shutil.copyfileobj(original, copy, CHUNK)
            flush(copy)
        if fault := _fault(file, part):
            raise CorpusError(f"{source}: the copy {fault}")
    return target


def _fault(file: RemoteFile, path: Path) -> str:
    """Says in what `path` differs from the file wanted; nothing where it does not."""
    if not path.is_file():
        return "is not there"
    size = path.stat().st_size
    if file.size is not None and size != file.size:
        return f"has {size:,} bytes, not {file.size:,}"
    if (digest := _digest(file, path)) != file.digest:
        return f"has the {file.algorithm} {digest}, not {file.digest}"
    return ""


def _digest(file: RemoteFile, path: Path) -> str:
    with path.open("rb") as content:
        return hashlib.file_digest(content, file.algorithm).hexdigest()


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
        with _Bounded(part, file.bound, lambda count: bar.advance(task, count)) as output:
            get(url, output, None)
            flush(output)


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
