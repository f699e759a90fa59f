"""Archives: whole or absent when they are extracted, and nothing outside."""

import io
import random
import stat
import struct
import tarfile
import zipfile
from pathlib import Path

import pytest

from datamodules.files.archives import extract
from datamodules.files.errors import CorpusError
from tests.conftest import refused
from tests.corpora.conftest import CONTENT, LIMITS, TREE, contents, entry, leftovers, write_zip


def write_tar(path: Path, tree: dict[str, bytes], *entries: tarfile.TarInfo) -> Path:
    mode = "w" if path.suffix == ".tar" else "w:gz"
    with tarfile.open(path, mode) as archive:
        for name, content in tree.items():
            info = entry(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
        for info in entries:
            archive.addfile(info)
    return path


def zip_entry(name: str, mode: int) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    info.create_system, info.external_attr = 3, mode << 16
    return info


def lying_zip(path: Path, claim: int) -> Path:
    """A zip whose headers give the size of its member as `claim`."""
    content = write_zip(path, {"bomb": bytes(100_000)}).read_bytes()
    path.write_bytes(content.replace(struct.pack("<I", 100_000), struct.pack("<I", claim)))
    return path


@pytest.fixture
def target(root):
    return root / "corpus" / "rows"


@pytest.mark.parametrize("name", ["a.zip", "a.tar", "a.tar.gz", "a.tgz"])
def test_unpacks_a_good_archive(target, tmp_path, name):
    path = tmp_path / name
    if path.suffix == ".zip":
        write_zip(path, {"data/": b"", **TREE, "empty/": b""})
    else:
        write_tar(path, TREE, entry("empty", tarfile.DIRTYPE), entry("data/", tarfile.DIRTYPE))
    stale = target.with_name(".rows.part")
    stale.mkdir(parents=True)
    (stale / "half").write_bytes(b"of an earlier try")
    assert extract(path, target, max_bytes=20_004, max_files=5) == target
    assert contents(target) == TREE
    assert (target / "empty").is_dir()
    assert not stale.exists()
    path.unlink()
    target.with_name(".rows.lock").unlink()
    assert extract(path, target, **LIMITS) == target
    assert [path.name for path in target.parent.iterdir()] == ["rows"]


def test_modes_of_the_archive_are_not_taken_over(target, tmp_path):
    info = entry("tool")
    info.mode = 0o4777
    extract(write_tar(tmp_path / "a.tar", {}, info), target, **LIMITS)
    assert not (target / "tool").stat().st_mode & (stat.S_ISUID | stat.S_IXUSR)


HOSTILE = {
    "tar that climbs": lambda path: write_tar(path / "a.tar", {**TREE, "../x": b"x"}),
    "tar that climbs inside": lambda path: write_tar(path / "a.tar", {"data/../../x": b"x"}),
    "tar, absolute": lambda path: write_tar(path / "a.tar", {str(path / "watched" / "x"): b"x"}),
    "tar, folder that climbs": lambda path: write_tar(
        path / "a.tgz", TREE, entry("../x", tarfile.DIRTYPE)
    ),
    "tar, symlink": lambda path: write_tar(
        path / "a.tar", TREE, entry("x", tarfile.SYMTYPE, "/etc/passwd")
    ),
    "tar, symlink inside": lambda path: write_tar(
        path / "a.tar.gz", TREE, entry("x", tarfile.SYMTYPE, "facts.csv")
    ),
    "tar, hardlink": lambda path: write_tar(
        path / "a.tar", TREE, entry("x", tarfile.LNKTYPE, "facts.csv")
    ),
    "tar, fifo": lambda path: write_tar(path / "a.tar", TREE, entry("x", tarfile.FIFOTYPE)),
    "tar, device": lambda path: write_tar(path / "a.tar", TREE, entry("x", tarfile.CHRTYPE)),
    "tar, disk": lambda path: write_tar(path / "a.tar", TREE, entry("x", tarfile.BLKTYPE)),
    "tar, unknown kind": lambda path: write_tar(path / "a.tar", TREE, entry("x", b"Z")),
    "tar, a name twice": lambda path: write_tar(path / "a.tar", TREE, entry("facts.csv")),
    "tar bomb": lambda path: write_tar(path / "a.tgz", {"a": bytes(30_000), "x": bytes(30_000)}),
    "tar of too many": lambda path: write_tar(
        path / "a.tar", {}, *(entry(f"x{number}") for number in range(21))
    ),
    "zip that climbs": lambda path: write_zip(path / "a.zip", {**TREE, "../x": b"x"}),
    "zip that climbs inside": lambda path: write_zip(path / "a.zip", {"data/../../x": b"x"}),
    "zip that climbs by \\": lambda path: write_zip(path / "a.zip", {"..\\x": b"x"}),
    "zip, absolute": lambda path: write_zip(path / "a.zip", {str(path / "watched" / "x"): b"x"}),
    "zip, drive": lambda path: write_zip(path / "a.zip", {"C:\\x": b"x"}),
    "zip, symlink": lambda path: write_zip(
        path / "a.zip", TREE, zip_entry("x", stat.S_IFLNK | 0o777)
    ),
    "zip, fifo": lambda path: write_zip(path / "a.zip", TREE, zip_entry("x", stat.S_IFIFO)),
    "zip bomb": lambda path: write_zip(path / "a.zip", {"x": bytes(50_001)}),
    "zip of too many": lambda path: write_zip(
        path / "a.zip", {f"x{number}": b"" for number in range(21)}
    ),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_archive_is_refused(target, tmp_path, kind):
    watched = tmp_path / "watched"
    watched.mkdir()
    path = HOSTILE[kind](tmp_path)
    before = leftovers(tmp_path)
    message = refused(extract, path, target, **LIMITS)
    assert str(path) in message
    name = "facts.csv" if kind == "tar, a name twice" else "x"
    assert name in message.removeprefix(str(path)).partition(": cannot be unpacked")[0]
    assert not target.exists()
    assert leftovers(watched) == set()
    assert leftovers(tmp_path) == before
    assert not (watched / "root" / "x").exists()


@pytest.mark.parametrize("claim", [10, 40_000, 2_000_000_000])
def test_sizes_in_the_headers_are_not_believed(target, tmp_path, claim):
    path = lying_zip(tmp_path / "a.zip", claim)
    assert str(path) in refused(extract, path, target, **LIMITS)
    assert not target.exists()
    assert leftovers(tmp_path) == {"a.zip"}


@pytest.mark.parametrize("name", ["a.zip", "a.tar", "a.tar.gz"])
def test_an_archive_cut_anywhere_leaves_nothing(target, tmp_path, name):
    path = tmp_path / name
    write = write_zip if path.suffix == ".zip" else write_tar
    whole = write(path, TREE).read_bytes()
    # Of a tar, only the padding behind the first block of zeros may be missing.
    last = len(whole)
    if name == "a.tar":
        last = whole.rindex(b"a,b\n") + 2 * tarfile.BLOCKSIZE
        assert not whole[last - tarfile.BLOCKSIZE :].strip(b"\0")
    generator = random.Random(2)
    blocks = range(0, last, tarfile.BLOCKSIZE) if name == "a.tar" else ()
    for cut in {0, 1, last - 1, *blocks, *(generator.randrange(last) for _ in range(20))}:
        path.write_bytes(whole[:cut])
        assert str(path) in refused(extract, path, target, **LIMITS), cut
        assert not target.exists()
        assert leftovers(tmp_path) == {name}
    path.write_bytes(whole)
    assert contents(extract(path, target, **LIMITS)) == TREE


@pytest.mark.parametrize("name", ["a.zip", "a.tar.gz"])
def test_a_flipped_bit_never_changes_what_is_unpacked(target, tmp_path, name):
    path = tmp_path / name
    write = write_zip if path.suffix == ".zip" else write_tar
    whole = write(path, {"rows": CONTENT[:2000]}).read_bytes()
    generator = random.Random(3)
    refusals = 0
    for number in range(30):
        bits = bytearray(whole)
        bits[generator.randrange(len(whole))] ^= 1 << generator.randrange(8)
        path.write_bytes(bits)
        goal = target.with_name(f"rows{number}")
        try:
            found = list(contents(extract(path, goal, **LIMITS)).values())
            assert found == [CONTENT[:2000]]  # the bit was of a time or a comment
        except CorpusError:
            refusals += 1
            assert not goal.exists()
    assert refusals > 20


def test_a_damaged_tar_header_is_not_the_end(target, tmp_path):
    path = write_tar(tmp_path / "a.tar", TREE)
    content = bytearray(path.read_bytes())
    content[content.index(b"facts.csv")] ^= 1
    path.write_bytes(content)
    assert str(path) in refused(extract, path, target, **LIMITS)
    assert not target.exists()


def test_an_encrypted_zip_is_refused(target, tmp_path):
    path = write_zip(tmp_path / "a.zip", {"rows": b"rows"})
    content = bytearray(path.read_bytes())
    content[6] |= 1
    content[content.index(b"PK\1\2") + 8] |= 1
    path.write_bytes(content)
    assert "encrypted" in refused(extract, path, target, **LIMITS)
    assert not target.exists()


def test_what_is_no_archive_is_named(target, tmp_path):
    for name in ("a.zip", "a.tar", "a.tar.gz", "a.rar"):
        path = tmp_path / name
        assert str(path) in refused(extract, path, target, **LIMITS)
        path.write_bytes(CONTENT)
        assert str(path) in refused(extract, path, target, **LIMITS)
        assert not target.exists()
