"""Downloads and archives: whole under the final name or absent, one request, nothing outside."""

import gzip
import hashlib
import io
import os
import random
import stat
import struct
import subprocess
import sys
import tarfile
import threading
import time
import zipfile
from collections.abc import Callable
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import requests

from datamodules.files.archives import extract
from datamodules.files.download import RemoteFile, adopt, fetch
from datamodules.files.errors import CorpusError

CONTENT = random.Random(0).randbytes(100_000)
SHA256 = hashlib.sha256(CONTENT).hexdigest()
NAME = "corpus/raw/rows.bin"
PROJECT = Path(__file__).parents[2]
Answer = Callable[[BaseHTTPRequestHandler], None]


class Mirror:
    """A server on this machine that answers each path as it is told, and remembers the GETs."""

    def __init__(self):
        self.answers: dict[str, Answer] = {}
        self.requests: list[str] = []
        self.over = threading.Event()
        mirror = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                mirror.requests.append(self.path)
                with suppress(ConnectionError):
                    mirror.answers[self.path](self)

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    def file(self, *answers: Answer) -> RemoteFile:
        """The file, from one mirror an answer."""
        self.answers = {f"/{number}": answer for number, answer in enumerate(answers)}
        return RemoteFile(NAME, tuple(self.url + path for path in self.answers), SHA256, 100_000)

    def slow(self, start: int) -> Answer:
        """Says nothing more after `start` bytes."""

        def answer(request: BaseHTTPRequestHandler):
            body(CONTENT[:start], length=len(CONTENT))(request)
            request.wfile.flush()
            self.over.wait(20)

        return answer


def body(content: bytes, length: int | None = None, **headers: str) -> Answer:
    """A body under a Content-Length that may be wrong; none where it is negative."""

    def answer(request: BaseHTTPRequestHandler):
        request.send_response(200)
        claim = len(content) if length is None else length
        if claim >= 0:
            request.send_header("Content-Length", str(claim))
        for name, value in headers.items():
            request.send_header(name.replace("_", "-"), value)
        request.end_headers()
        request.wfile.write(content)

    return answer


def redirect(url: str) -> Answer:
    def answer(request: BaseHTTPRequestHandler):
        request.send_response(302)
        request.send_header("Location", url)
        request.send_header("Content-Length", "0")
        request.end_headers()

    return answer


def missing(request: BaseHTTPRequestHandler):
    request.send_error(404)


good = body(CONTENT)
corrupt = body(CONTENT[:50_000] + bytes([CONTENT[50_000] ^ 1]) + CONTENT[50_001:])


@pytest.fixture(scope="module")
def _mirror():
    mirror = Mirror()
    yield mirror
    mirror.over.set()
    mirror.server.shutdown()
    mirror.server.server_close()


@pytest.fixture
def mirror(_mirror, monkeypatch):
    monkeypatch.setenv("NO_PROXY", "*")
    _mirror.requests.clear()
    return _mirror


@pytest.fixture
def root(tmp_path):
    """A folder of the corpora, alone in a folder that is watched for what escapes."""
    return tmp_path / "watched" / "root"


def leftovers(folder: Path) -> set[str]:
    """Every file below, but the locks."""
    return {
        str(path.relative_to(folder))
        for path in folder.rglob("*")
        if (path.is_symlink() or not path.is_dir()) and path.suffix != ".lock"
    }


def refused(action: Callable, *args, **kwargs) -> str:
    with pytest.raises(CorpusError) as caught:
        action(*args, **kwargs)
    message = str(caught.value)
    assert "\n" not in message
    assert "\r" not in message
    return message


# fetch


def test_a_server_is_asked_for_the_bytes_as_they_lie(mirror, root):
    """Some compress what they send, and say nothing of the length that is checked."""
    wanted = []

    def answer(request):
        wanted.append(request.headers["Accept-Encoding"])
        good(request)

    fetch(mirror.file(answer), root)
    assert wanted == ["identity"]


def test_fetches_then_asks_no_more(mirror, root):
    file = mirror.file(good)
    assert fetch(file, root) == root / NAME
    assert (root / NAME).read_bytes() == CONTENT
    assert mirror.requests == ["/0"]
    assert fetch(file, root) == root / NAME
    assert mirror.requests == ["/0"]
    assert leftovers(root) == {NAME}


def test_a_file_that_is_right_needs_no_lock_nor_writing(mirror, root):
    (root / NAME).parent.mkdir(parents=True)
    (root / NAME).write_bytes(CONTENT)
    fetch(mirror.file(good), root)
    assert mirror.requests == []
    assert [path.name for path in (root / NAME).parent.iterdir()] == ["rows.bin"]


@pytest.mark.parametrize("found", [CONTENT[:-1], CONTENT[:-1] + b"\0", b"", CONTENT + b"\0"])
def test_a_wrong_file_is_replaced(mirror, root, found):
    assert found != CONTENT
    (root / NAME).parent.mkdir(parents=True)
    (root / NAME).write_bytes(found)
    fetch(mirror.file(good), root)
    assert (root / NAME).read_bytes() == CONTENT
    assert leftovers(root) == {NAME}


def test_a_cut_anywhere_leaves_nothing(mirror, root):
    generator = random.Random(1)
    cuts = [0, 1, 99_999, *(generator.randrange(100_000) for _ in range(30))]
    for number, cut in enumerate(cuts):
        # Every other server does not even say how long the file is.
        answer = body(CONTENT[:cut], length=(len(CONTENT), -1)[number % 2])
        message = refused(fetch, mirror.file(answer), root)
        assert NAME in message
        assert leftovers(root) == set()
    assert len(mirror.requests) == len(cuts)
    fetch(mirror.file(good), root)
    assert (root / NAME).read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (corrupt, f"not {SHA256}"),
        (body(CONTENT + b"more"), "more than 100,000 bytes"),
        (body(CONTENT * 5, length=-1), "more than 100,000 bytes"),
        (body(CONTENT[:-1]), "99,999 bytes, not 100,000"),
        (body(CONTENT, length=200_000), "127.0.0.1: "),
        (body(CONTENT, Content_Length="many"), "127.0.0.1: "),
        (missing, "HTTP 404"),
        (redirect("/0"), "HTTP 302"),
    ],
)
def test_a_wrong_answer_is_refused_and_the_second_mirror_used(mirror, root, answer, reason):
    message = refused(fetch, mirror.file(answer), root)
    assert reason in message
    assert NAME in message
    assert str(root / NAME) in message
    assert leftovers(root) == set()
    fetch(mirror.file(answer, good), root)
    assert (root / NAME).read_bytes() == CONTENT
    assert mirror.requests[-2:] == ["/0", "/1"]


def test_every_mirrors_reason_is_told(mirror, root):
    message = refused(fetch, mirror.file(missing, body(b"login page"), corrupt), root)
    assert message.count("127.0.0.1: ") == 3
    assert message.index("HTTP 404") < message.index("10 bytes") < message.index("sha256")
    assert mirror.requests == ["/0", "/1", "/2"]


def test_nobody_listens_or_none_is_known(mirror, root):
    file = mirror.file(good)
    other = RemoteFile(NAME, ("http://127.0.0.1:1/gone", file.urls[0]), SHA256, 100_000)
    fetch(other, root)
    assert (root / NAME).read_bytes() == CONTENT
    alone = RemoteFile("alone", other.urls[:1], SHA256, 100_000)
    assert "(127.0.0.1: ConnectionError);" in refused(fetch, alone, root)
    none = RemoteFile("other", (), SHA256, 100_000)
    assert "none is known" in refused(fetch, none, root)


@pytest.mark.parametrize("start", [0, 70_000])
def test_a_silent_mirror_is_given_up(mirror, root, start):
    began = time.monotonic()
    fetch(mirror.file(mirror.slow(start), good), root, timeout=0.2)
    assert time.monotonic() - began < 10
    assert (root / NAME).read_bytes() == CONTENT
    assert mirror.requests == ["/0", "/1"]


def test_a_gz_that_the_server_calls_an_encoding_stays_packed(mirror, root):
    packed = gzip.compress(b"rows" * 1000)
    mirror.file(body(packed, Content_Encoding="gzip"))
    digest = hashlib.sha256(packed).hexdigest()
    path = fetch(RemoteFile("rows.gz", (f"{mirror.url}/0",), digest, len(packed)), root)
    assert path.read_bytes() == packed


def test_progress_goes_to_stderr(mirror, root, capsys, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")  # rich takes it for a terminal
    fetch(mirror.file(good), root, progress=True)
    captured = capsys.readouterr()
    assert "rows.bin" in captured.err
    assert captured.out == ""


@pytest.fixture
def steps(monkeypatch):
    """What reached the disk when: fsync, then one rename of the whole."""
    steps, fsync, replace = [], os.fsync, Path.replace

    def spied_fsync(number):
        steps.append(("fsync", os.fstat(number).st_size))
        fsync(number)

    def spied_replace(part, target):
        steps.append(("rename", contents(part) if part.is_dir() else part.stat().st_size))
        return replace(part, target)

    monkeypatch.setattr("os.fsync", spied_fsync)
    monkeypatch.setattr(Path, "replace", spied_replace)
    return steps


def test_the_final_name_comes_last(mirror, root, tmp_path, steps):
    file = mirror.file(corrupt, good)
    fetch(file, root)
    assert steps == [("fsync", 100_000)] * 2 + [("rename", 100_000)]
    steps.clear()
    adopt(file, root / NAME, tmp_path / "other")
    assert steps == [("fsync", 100_000), ("rename", 100_000)]
    steps.clear()
    extract(write_zip(tmp_path / "a.zip", TREE), root / "rows", **LIMITS)
    assert steps == [("rename", TREE)]


def test_a_stale_temporary_is_swept(mirror, root):
    stale = root / "corpus" / "raw" / ".rows.bin.part"
    stale.parent.mkdir(parents=True)
    stale.write_bytes(CONTENT * 2)
    refused(fetch, mirror.file(missing), root)
    assert leftovers(root) == set()
    outside = root.parent / "outside"
    outside.write_bytes(b"mine")
    stale.symlink_to(outside)
    fetch(mirror.file(good), root)
    assert leftovers(root) == {NAME}
    assert outside.read_bytes() == b"mine"


def test_a_folder_that_cannot_be_written_is_named(mirror, root):
    root.parent.mkdir()
    root.write_bytes(b"a file where the folder should be")
    assert str(root / NAME) in refused(fetch, mirror.file(good), root)
    assert mirror.requests == []


FETCHER = """
import sys
from pathlib import Path
from datamodules.files.download import RemoteFile, fetch
name, url, sha256, root = sys.argv[1:]
file = RemoteFile(name, (url,), sha256, 100_000)
print("ready", flush=True)
sys.stdin.readline()
print(fetch(file, Path(root)))
assert "torch" not in sys.modules
"""


def fetcher(file: RemoteFile, root: Path) -> subprocess.Popen:
    """Another process, which fetches when a line is written to it."""
    return subprocess.Popen(
        [sys.executable, "-c", FETCHER, file.name, file.urls[0], file.sha256, root],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=PROJECT,
    )


def test_four_processes_make_one_request(mirror, root):
    def unhurried(request: BaseHTTPRequestHandler):
        mirror.over.wait(0.5)
        good(request)

    file = mirror.file(unhurried)
    processes = [fetcher(file, root) for _ in range(4)]
    assert [process.stdout.readline() for process in processes] == ["ready\n"] * 4
    for process in processes:
        process.stdin.write("go\n")
        process.stdin.flush()
    for process in processes:
        assert process.communicate(timeout=30)[0] == f"{root / NAME}\n"
        assert process.returncode == 0
    assert mirror.requests == ["/0"]
    assert (root / NAME).read_bytes() == CONTENT


def test_a_kill_in_the_middle_leaves_nothing_that_counts(mirror, root):
    process = fetcher(mirror.file(mirror.slow(70_000)), root)
    process.stdin.write("go\n")
    process.stdin.flush()
    part = root / "corpus" / "raw" / ".rows.bin.part"
    for _ in range(1000):
        if part.exists() and part.stat().st_size:
            break
        mirror.over.wait(0.02)
    process.kill()
    process.communicate()
    assert leftovers(root) == {"corpus/raw/.rows.bin.part"}
    fetch(mirror.file(good), root)
    assert (root / NAME).read_bytes() == CONTENT
    assert leftovers(root) == {NAME}


# https only


@pytest.mark.parametrize(
    "url",
    [
        "http://zoo.invalid/rows",
        "http://127.0.0.1.zoo.invalid/rows",
        "http://localhost@zoo.invalid/rows",
        "ftp://127.0.0.1/rows",
        "file:///etc/hostname",
        "rows",
    ],
)
def test_only_https_is_asked(mirror, root, url, monkeypatch):
    asked = []
    monkeypatch.setattr("socket.getaddrinfo", lambda *args, **_: asked.append(args))
    message = refused(fetch, RemoteFile(NAME, (url,), SHA256, 100_000), root)
    assert "only https" in message
    assert asked == []
    assert leftovers(root) == set()


def test_a_redirect_to_http_is_not_followed(mirror, root):
    file = mirror.file(redirect("http://zoo.invalid/rows"))
    assert "zoo.invalid refused" in refused(fetch, file, root)
    file = mirror.file(redirect("/1"), good)
    assert fetch(file, root).read_bytes() == CONTENT


def test_https_never_becomes_http(mirror, root, monkeypatch):
    mirror.file(good)
    asked = []

    def send(adapter, request, **_):
        asked.append(request.url)
        response = requests.Response()
        response.status_code = 302
        response.url, response.request = request.url, request
        response.headers["location"] = f"{mirror.url}/0"
        response.raw = io.BytesIO()
        response.raw.headers = {}
        return response

    monkeypatch.setattr(requests.adapters.HTTPAdapter, "send", send)
    file = RemoteFile(NAME, ("https://zoo.invalid/rows",), SHA256, 100_000)
    assert "only https" in refused(fetch, file, root)
    assert asked == ["https://zoo.invalid/rows"]
    assert mirror.requests == []


# adopt


def test_adopts_the_right_file(mirror, root, tmp_path):
    source = tmp_path / "Downloads (1)"
    source.write_bytes(CONTENT)
    file = mirror.file(good)
    for _ in range(2):
        assert adopt(file, source, root).read_bytes() == CONTENT
    assert source.read_bytes() == CONTENT
    assert leftovers(root) == {NAME}
    assert adopt(file, root / NAME, root) == root / NAME
    fetch(file, root)
    assert mirror.requests == []


@pytest.mark.parametrize("found", [CONTENT[:-1], CONTENT[:-1] + b"\0", b""])
def test_refuses_to_adopt_another(mirror, root, tmp_path, found):
    source = tmp_path / "rows.bin"
    source.write_bytes(found)
    message = refused(adopt, mirror.file(good), source, root)
    assert str(source) in message
    assert SHA256 in message
    assert hashlib.sha256(found).hexdigest() in message
    assert not root.exists()


def test_a_size_that_was_noted_wrong_is_noticed(root, tmp_path):
    source = tmp_path / "rows.bin"
    source.write_bytes(CONTENT)
    message = refused(adopt, RemoteFile(NAME, (), SHA256, 99_999), source, root)
    assert "100,000 bytes, not 99,999" in message
    assert leftovers(root) == set()


def test_a_source_that_is_not_there_is_named(mirror, root, tmp_path):
    for source in (tmp_path / "nowhere", tmp_path):
        assert f"{source}: cannot be read" in refused(adopt, mirror.file(good), source, root)


# extract

TREE = {"data/train/0.txt": b"zero" * 5000, "data/test/1.txt": b"", "facts.csv": b"a,b\n"}
LIMITS = {"max_bytes": 50_000, "max_files": 20}


def entry(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, link
    return info


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


def write_zip(path: Path, tree: dict[str, bytes], *entries: zipfile.ZipInfo) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in tree.items():
            archive.writestr(name, content)
        for info in entries:
            archive.writestr(info, "/etc/passwd")
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


def contents(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


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
