"""Hostile and damaged archives: nothing is written outside, no link, no device, no bomb."""

import tarfile
import zipfile
from collections.abc import Iterator
from io import BytesIO
from itertools import islice
from pathlib import Path

import pytest

from datamodules.files.archives import extract
from datamodules.files.errors import CorpusError
from tests.durability.trial import damaged

CLIMBING = (
    *("../x", "a/../../x", "/tmp/../x", "..\\x", "C:\\x", "./../x", "a/./../../x", "~/../../x"),
    *("//x", "\\\\host\\x", "..", "../watched/x", "a/b/../../../watched/x"),
)
LINKS = (tarfile.SYMTYPE, tarfile.LNKTYPE)
KINDS = (tarfile.FIFOTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, b"Z")
LIMITS = {"max_bytes": 50_000, "max_files": 20}


def write_tar(path: Path, name: str, content: bytes, kind: bytes, link: str) -> None:
    with tarfile.open(path, "w:gz") as archive:
        for member, text in (("first.txt", b"plain"), (name, content)):
            entry = tarfile.TarInfo(member)
            entry.size = len(text)
            if member == name:
                entry.type, entry.linkname, entry.mode = kind, link, 0o4777
                entry.size = len(text) if kind == tarfile.REGTYPE else 0
            archive.addfile(entry, BytesIO(text))


def write_zip(path: Path, name: str, content: bytes, kind: bytes, link: str) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("first.txt", b"plain")
        entry = zipfile.ZipInfo(name)
        entry.external_attr = (0o120777 if kind in LINKS else 0o100644) << 16
        entry.compress_type = zipfile.ZIP_DEFLATED
        archive.writestr(entry, link.encode() or content)


def hostile(folder: Path) -> Iterator[Path]:
    """Yields archives that must not be unpacked, then damaged ones, for ever."""
    number = 0
    for suffix, write in ((".tar.gz", write_tar), (".zip", write_zip)):
        cases = [(name, b"x", tarfile.REGTYPE, "") for name in CLIMBING]
        for target in ("/etc/passwd", "../watched", "..", "first.txt", "/"):
            cases += [("link", b"", kind, target) for kind in LINKS]
        if write is write_tar:
            cases += [("device", b"", kind, "") for kind in KINDS]
        cases += [("bomb", bytes(size), tarfile.REGTYPE, "") for size in (50_001, 10_000_000)]
        for case in cases:
            path = folder / f"{number}{suffix}"
            write(path, *case)
            number += 1
            yield path
    good = folder / f"good{suffix}"
    write_zip(good, "second.txt", b"text" * 100, tarfile.REGTYPE, "")
    for content in damaged(good.read_bytes(), 0):
        path = folder / f"{number}.zip"
        path.write_bytes(content)
        number += 1
        yield path


@pytest.mark.tries(100, 100)
def test_only_plain_files_inside_the_target_come_of_it(outcome, tries, tmp_path):
    watched, source = tmp_path / "watched", tmp_path / "archives"
    watched.mkdir()
    source.mkdir()
    for path in islice(hostile(source), tries):
        target = watched / "inner" / "target"
        target.parent.mkdir(exist_ok=True)
        failure = None
        try:
            extract(path, target, **LIMITS)
        except CorpusError as error:
            failure = "refused in several lines" if "\n" in str(error) else None
        except Exception as error:
            failure = f"a traceback: {type(error).__name__}: {error}"
        else:
            outcome.note("harmless")
        own = (target.parent, target.parent / ".target.lock")
        escaped = [p for p in watched.rglob("*") if target not in (p, *p.parents) and p not in own]
        if escaped or any(p.is_symlink() for p in target.rglob("*")):
            failure = f"escaped: {escaped}"
        outcome.count(f"{path.name}: {failure}" if failure else None)
        for left in sorted(watched.rglob("*"), reverse=True):
            left.rmdir() if left.is_dir() else left.unlink()
        path.unlink()
